"""Public names that are imported when they are first used (PEP 562).

TensorFlow takes seconds to import, and most of the package needs it: a package hands on
its names without importing the modules that they come from.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from muse_jobs.commandline import quiet_tensorflow


def attach(
    package: str, names: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """What a package assigns to ``__getattr__``, ``__dir__`` and ``__all__``.

    Args:
        package: its ``__name__``.
        names: public name to the module that defines it.
    """

    def __getattr__(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with quiet_tensorflow():
            module = importlib.import_module(names[name])
        return getattr(module, name)

    def __dir__() -> list[str]:
        return sorted(names)

    return __getattr__, __dir__, sorted(names)
