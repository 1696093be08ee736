import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOMS = ["", ".data", ".encoder", ".training", ".evaluation", ".serving"]
ROOMS += [".data.sample", ".metrics"]


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_there_and_documented(room):
    package = importlib.import_module("muse_jobs" + room)
    for name in package.__all__:
        assert getattr(package, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = package.nonsense


def test_no_public_name_is_a_module_too():
    """Importing the module would put it in the place of the function."""
    for room in ROOMS:
        package = importlib.import_module("muse_jobs" + room)
        for name in package.__all__:
            with pytest.raises(ModuleNotFoundError):
                importlib.import_module(f"muse_jobs{room}.{name}")


def test_the_data_room_and_the_metrics_need_no_tensorflow():
    code = (
        "import sys\n"
        "from muse_jobs import sample_postings, read_postings, split_postings, lbkl\n"
        "from muse_jobs.data import PairMiner\n"
        "from muse_jobs.evaluation import top_k, evaluate_titles, bootstrap\n"
        "split_postings(sample_postings(postings_per_role=1))\n"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False False\n", done.stderr


def test_type_checkers_see_the_public_names():
    import muse_jobs

    tree = ast.parse(Path(muse_jobs.__file__).read_text("utf-8"))
    (guard,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname: node.module for node in guard.body for alias in node.names}
    assert sorted(seen) == muse_jobs.__all__
    for name, module in seen.items():
        assert getattr(importlib.import_module(module), name) is getattr(
            muse_jobs, name
        )
