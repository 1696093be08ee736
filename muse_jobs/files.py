"""Files that are whole or not there: written beside, then renamed into place."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from muse_jobs.errors import InputError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Gives a path beside ``path``; what is written there replaces ``path`` at the end.

    After an error nothing of it stays and an earlier ``path`` is as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name's end stays: writers such as Keras's look at it.
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_lines(path: str | Path, lines: Iterable[str]) -> None:
    """Writes a text file, UTF-8."""
    with replacing(path) as beside:
        with beside.open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)


def write_json(path: str | Path, value: object) -> None:
    """Writes JSON with Thai as it is read, not escaped; NaN becomes null."""
    write_lines(path, [to_json(value)])


def to_json(value: object) -> str:
    """The text that `write_json` writes."""
    return json.dumps(_defined(value), ensure_ascii=False, indent=2, allow_nan=False)


def _defined(value: object) -> object:
    if isinstance(value, dict):
        return {key: _defined(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(member) for member in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def sha256_of(path: str | Path) -> str:
    """The sha256 of a file, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_writable(folder: str | Path) -> None:
    """Raises InputError unless files can be written in the folder; makes it."""
    folder = Path(folder)
    probe = folder / f".write-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder"
        ) from error
