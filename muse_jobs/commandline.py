"""What the commands share: flags made of a dataclass, one-line errors, quiet logs."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, get_origin, get_type_hints

from muse_jobs.errors import InputError

USAGE_ERROR = 2
INTERRUPTED = 130


def add_flags(parser: argparse.ArgumentParser, config: type) -> None:
    """A flag for every field of a dataclass: its name, type, default, ``help``.

    Args:
        parser: gets the flags.
        config: dataclass with ``help`` (and ``choices``) in its fields' metadata.
            Fields are str, int, float, bool or tuple[str, ...].
    """
    hints = get_type_hints(config)
    for field in dataclasses.fields(config):
        flag = "--" + field.name.replace("_", "-")
        shown = "" if field.default in ("", (), None, False) else f" [{field.default}]"
        options = {"help": field.metadata["help"] + shown, "default": argparse.SUPPRESS}
        if hints[field.name] is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, **options)
        elif get_origin(hints[field.name]) is tuple:
            parser.add_argument(flag, nargs="+", metavar="FILE", **options)
        else:
            kind = hints[field.name]
            choices = field.metadata.get("choices")
            parser.add_argument(
                flag,
                type=kind,
                choices=choices,
                metavar=None if choices else kind.__name__.upper(),
                **options,
            )


def given_flags(arguments: argparse.Namespace, config: type) -> dict[str, Any]:
    """The dataclass's fields that the user gave on the command line."""
    names = {field.name for field in dataclasses.fields(config)}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(arguments).items()
        if name in names
    }


def run_command(command: Callable[[Sequence[str] | None], int], argv=None) -> None:
    """Runs a command and exits: an InputError is one line and status 2."""
    try:
        status = command(argv)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        status = USAGE_ERROR
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def track(items: Iterable, description: str, *, total: float | None = None) -> Iterator:
    """The items, with a progress bar while they last; none where no one watches.

    The bar shows how many are done, how many a second, and the time left.

    Args:
        items: any; its length, where it has one, is the total.
        description: what is done with them.
        total: how many there are.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task):
            rate = task.finished_speed or task.speed or 0
            return Text(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield from bar.track(items, total=total, description=description)


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Keeps TensorFlow's start-up lines from the user; to be put around its import.

    They are written by C++ before any log level counts, straight to file descriptor 2.
    An exception passes through as ever.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
