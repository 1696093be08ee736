"""``python -m muse_jobs.data``: look at postings, check, convert and split them."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from muse_jobs.commandline import run_command, track
from muse_jobs.data.cleaning import title_languages, unify_fields
from muse_jobs.data.duplicates import DUPLICATES, Collapsed, collapse, collapse_exact
from muse_jobs.data.postings import COLUMNS, JobPosting
from muse_jobs.data.readers import (
    ReadResult,
    parse_columns,
    read_postings,
    scan_postings,
)
from muse_jobs.data.recipes import RECIPES
from muse_jobs.data.splits import LARGEST_CHAIN, check_split, split_postings
from muse_jobs.data.text import language_of
from muse_jobs.data.writers import as_row, write_postings
from muse_jobs.files import write_json

SHOWN = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    parser = argparse.ArgumentParser("python -m muse_jobs.data", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    inspect = commands.add_parser("inspect", help="counts, languages, fields, examples")
    inspect.add_argument("--json", metavar="FILE", help="write the figures as JSON too")
    validate = commands.add_parser(
        "validate", help="list the rows that are no postings"
    )
    validate.add_argument("--rejects", metavar="FILE", help="write them as JSONL")
    convert = commands.add_parser(
        "convert", help="write the postings in another format"
    )
    split = commands.add_parser("split", help="write train, validation and test files")
    split.add_argument("--seed", type=int, default=0, help="of the split [0]")
    for command in (inspect, validate, convert, split):
        _add_input_flags(command)
    for command in (convert, split):
        command.add_argument(
            "--duplicates",
            choices=DUPLICATES,
            default="keep",
            help="which duplicates collapse into their first [keep]",
        )
    recipe = commands.add_parser("recipe", help="make postings of published files")
    recipe.add_argument("recipe", choices=sorted(RECIPES))
    recipe.add_argument("folder", help="holds the published files")
    for command in (convert, recipe):
        command.add_argument("--output", required=True, metavar="FILE")
    split.add_argument("--output", required=True, metavar="FOLDER")
    arguments = parser.parse_args(argv)
    return globals()[f"_{arguments.command}"](arguments)


def _add_input_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument("paths", nargs="+", help="files, patterns or folders")
    command.add_argument(
        "--columns", default="", help="your column names: title_th=YOURS,..."
    )
    command.add_argument(
        "--max-rejects",
        type=float,
        default=1.0,
        help="share of bad rows from which it is an error [1.0]",
    )
    command.add_argument(
        "--keep-personal-data",
        action="store_true",
        help="do not mask phone numbers, e-mail addresses, LINE ids and the like",
    )


def _read(arguments, rejects_file=None) -> ReadResult:
    return read_postings(
        arguments.paths,
        progress=lambda rows: track(rows, "read"),
        columns=parse_columns(arguments.columns),
        keep_personal_data=arguments.keep_personal_data,
        max_rejects=arguments.max_rejects,
        rejects_file=rejects_file,
    )


def _inspect(arguments) -> int:
    result = _read(arguments)
    figures = describe(result)
    for name, value in figures.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items()) or "none"
        print(f"{name:<22} {value}")
    print("examples")
    for posting in result.postings[:SHOWN]:
        print("  " + json.dumps(as_row(posting), ensure_ascii=False)[:300])
    if arguments.json:
        write_json(arguments.json, figures)
    return 0


def describe(result: ReadResult) -> dict[str, object]:
    """Figures of what was read, for a table or JSON.

    Args:
        result: of `read_postings`.

    Returns:
        Counts, languages, lengths, fields and faults by name.
    """
    postings = result.postings
    lengths = sorted(len(p.description) for p in postings if p.description)
    fields = Counter(name for posting in postings for name in posting.fields)
    languages = title_languages(postings)
    _, respelled = unify_fields(postings)
    return {
        "postings": len(postings),
        "rejects": len(result.rejects),
        "reject reasons": dict(
            Counter(f"{r.field} {r.reason}" for r in result.rejects).most_common(5)
        ),
        "with": {
            name: sum(bool(getattr(p, name)) for p in postings) for name in COLUMNS[1:]
        },
        "with both titles": sum(len(p.titles) == 2 for p in postings),
        "title_th languages": dict(languages["title_th"].most_common()),
        "title_en languages": dict(languages["title_en"].most_common()),
        "description languages": dict(
            Counter(
                language_of(p.description) for p in postings if p.description
            ).most_common()
        ),
        "description lengths": {
            f"{share:.0%}": lengths[round(share * (len(lengths) - 1))]
            for share in (0, 0.5, 0.9, 1)
            if lengths
        },
        "fields": len(fields),
        "most frequent fields": dict(fields.most_common(5)),
        "fields respelled": respelled,
        "exact duplicates": collapse_exact(postings)[1],
        "masked": dict(result.masked),
    }


def _validate(arguments) -> int:
    result = _read(arguments, arguments.rejects)
    for reject in result.rejects:
        print(f"{reject.file}:{reject.line}: {reject.field} {reject.reason}")
    print(f"{len(result.postings)} postings, {len(result.rejects)} rejects")
    return 1 if result.rejects else 0


def _convert(arguments) -> int:
    if arguments.duplicates != "keep":
        result = _read(arguments)
        collapsed = _collapse(result.postings, arguments.duplicates)
        count = write_postings(arguments.output, collapsed.postings)
        bad = len(result.rejects)
    else:
        rejects: Counter[str] = Counter()

        def stream():
            scanned = scan_postings(
                arguments.paths,
                columns=parse_columns(arguments.columns),
                keep_personal_data=arguments.keep_personal_data,
            )
            for found in track(scanned, "convert"):
                if isinstance(found, JobPosting):
                    yield found
                else:
                    rejects["rows"] += 1

        count, bad = write_postings(arguments.output, stream()), rejects["rows"]
    print(f"{count} postings to {arguments.output}, {bad} rows rejected")
    return 0


def _split(arguments) -> int:
    # By id: the same parts for any order of the input.
    postings = sorted(_read(arguments).postings, key=lambda posting: posting.id)
    postings, _ = unify_fields(postings)
    collapsed = _collapse(postings, arguments.duplicates, find_near=True)
    near = collapsed.near
    split = split_postings(collapsed.postings, near=near, seed=arguments.seed)
    for name, part in split.parts.items():
        path = Path(arguments.output, f"{name}.jsonl")
        print(f"{write_postings(path, part):>9} postings to {path}")
    leaks = check_split(split, near)
    print(f"on two sides: {leaks['jobs and titles']} jobs or linked titles")
    if split.near_joined:
        print(
            f"on two sides: {leaks['near duplicates']} of {len(near)} near duplicates"
        )
        return 1 if any(leaks.values()) else 0
    print(
        f"near duplicates chain into more than {LARGEST_CHAIN:.0%} of the data: split "
        f"by title alone, {leaks['near duplicates']} of {len(near)} on two sides"
    )
    return 1 if leaks["jobs and titles"] else 0


def _recipe(arguments) -> int:
    count = write_postings(
        arguments.output, RECIPES[arguments.recipe](arguments.folder)
    )
    print(f"{count} postings to {arguments.output}")
    return 0


def _collapse(postings, which: str, *, find_near: bool = False) -> Collapsed:
    collapsed = collapse(
        postings,
        which,
        find_near=find_near,
        progress=lambda texts: track(texts, "near duplicates"),
    )
    if which != "keep":
        print(
            f"{collapsed.exact} exact and {collapsed.near_gone} near duplicates "
            "collapsed",
            file=sys.stderr,
        )
    return collapsed


if __name__ == "__main__":
    run_command(main)
