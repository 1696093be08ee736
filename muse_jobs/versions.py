"""``python -m muse_jobs.versions``: which versions the server serves, and as what."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from muse_jobs.commandline import run_command
from muse_jobs.serving.versions import (
    CANARY,
    STABLE,
    list_versions,
    promote,
    read_labels,
    roll_back,
)

DESCRIPTION = """\
Lists the versions of a model, promotes one and rolls back, by TensorFlow Serving's
model config file, which the server reads again by itself. Clients ask for the label
stable; what was stable before stays loaded as previous, so that a roll-back takes no
loading. Needs the extra client."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    parser = argparse.ArgumentParser(
        "python -m muse_jobs.versions", description=DESCRIPTION
    )
    actions = parser.add_subparsers(dest="action", required=True)
    found = actions.add_parser("list", help="the versions, their labels, size and date")
    chosen = actions.add_parser("promote", help="make a version the stable one")
    chosen.add_argument("version", type=int)
    chosen.add_argument(
        "--canary",
        action="store_true",
        help="only beside the stable one, for clients that ask for the label canary",
    )
    back = actions.add_parser("rollback", help="make the previous one stable again")
    for action in (found, chosen, back):
        action.add_argument(
            "--model",
            default="savedmodels/muse_jobs",
            metavar="FOLDER",
            help="folder of the versions [savedmodels/muse_jobs]",
        )
        action.add_argument(
            "--config",
            default="savedmodels/serving/models.config",
            metavar="FILE",
            help="the server's model config [savedmodels/serving/models.config]",
        )
    arguments = parser.parse_args(argv)
    base, config = arguments.model, arguments.config
    if arguments.action == "list":
        _list(base, read_labels(config, Path(base).name))
        return 0
    if arguments.action == "promote":
        label = CANARY if arguments.canary else STABLE
        labels = promote(config, base, arguments.version, label=label)
    else:
        labels = roll_back(config, base)
    print(", ".join(f"{label}: {number}" for label, number in sorted(labels.items())))
    if arguments.action == "promote" and arguments.version not in labels.values():
        print(
            f"version {arguments.version} is loaded without a label, since canary was "
            "another: promote it again when it is available"
        )
    return 0


def _list(base: str, labels: dict[str, int]) -> None:
    numbers = list_versions(base)
    for number in numbers:
        folder = Path(base, str(number))
        size = sum(file.stat().st_size for file in folder.rglob("*")) / 1e6
        made = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
        own = ", ".join(sorted(n for n, version in labels.items() if version == number))
        print(f"{number:>5}  {made:%Y-%m-%d %H:%M}  {size:6.0f} MB  {own}".rstrip())
    for label, number in sorted(labels.items()):
        if number not in numbers:
            print(f"{number:>5}  labelled {label}, and not in {base}")
    if not numbers:
        print(f"no version in {base}")


if __name__ == "__main__":
    run_command(main)
