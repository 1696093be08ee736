"""``python -m muse_jobs.evaluate``: encoders on benchmarks, and their language bias."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

from muse_jobs.commandline import quiet_tensorflow, run_command, track
from muse_jobs.data.formats import import_extra
from muse_jobs.errors import InputError
from muse_jobs.files import check_writable, write_json, write_lines

DESCRIPTION = """\
Measures an encoder on benchmarks: retrieval in separate pools and in a combined one,
classification, and language bias (LBKL), each with its 95 % interval, against other
encoders with paired tests. Writes report.json and report.html."""

BENCHMARKS_HELP = """\
benchmarks: titles, titles-natural, descriptions, occupations, language (a folder with
ESCO in esco/ and ISCO-08's Thai titles in isco08-thai/), xquad-r (its folder), parallel
(SCB-MT's CSV, a table of th and en, or Tatoeba's folder), queries (your own JSONL of
query and relevant)

encoders: auto, tfhub, packaged, a URL, kaggle:HANDLE, a SavedModel or
sentence-transformers folder, package.module:function, vectors.npy beside vectors.jsonl
(the texts, a JSON string a line)"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    parser = argparse.ArgumentParser(
        "python -m muse_jobs.evaluate",
        description=DESCRIPTION,
        epilog=BENCHMARKS_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--encoder", default="auto", help="the measured one [auto]")
    parser.add_argument(
        "--against",
        nargs="+",
        default=[],
        metavar="ENCODER",
        help="what it is compared with; plain mUSE is auto or packaged",
    )
    parser.add_argument(
        "--benchmark",
        nargs="+",
        required=True,
        metavar="NAME=PATH",
        help="what is measured; may be several",
    )
    parser.add_argument(
        "--units",
        metavar="FILE",
        help="ISCO-08 units to keep to, a code a line: those that training did not see",
    )
    parser.add_argument("--output", default="evaluation", help="folder [evaluation]")
    parser.add_argument(
        "--write-texts",
        metavar="FILE",
        help="only write the texts to encode, a JSON string a line",
    )
    arguments = parser.parse_args(argv)
    benchmarks = _benchmarks(arguments.benchmark, arguments.units)
    if arguments.write_texts:
        texts = dict.fromkeys(text for b in benchmarks for text in b.texts)
        lines = (json.dumps(text, ensure_ascii=False) for text in texts)
        write_lines(arguments.write_texts, lines)
        print(f"{len(texts)} texts to {arguments.write_texts}")
        return 0
    # What the page is drawn with is asked for before the long work.
    import_extra("matplotlib", "plots", Path(arguments.output, "report.html"))
    report = _measure(benchmarks, [arguments.encoder, *arguments.against], arguments)
    _write(report, Path(arguments.output))
    return 0


def _benchmarks(given: Sequence[str], units_file: str | None):
    from muse_jobs.evaluation.benchmarks import open_benchmark

    units = None
    if units_file is not None:
        if not Path(units_file).is_file():
            raise InputError(f"--units: {units_file}: no such file")
        codes = Path(units_file).read_text("utf-8").split()
        units = {f"isco:{code.removeprefix('isco:')}" for code in codes}
    benchmarks = []
    for item in given:
        name, separator, path = item.partition("=")
        if not separator:
            raise InputError(f"--benchmark: expected NAME=PATH, received {item}")
        benchmark = open_benchmark(name, path, units=units)
        if not benchmark.texts:
            raise InputError(f"--benchmark {item}: nothing is left to measure on")
        benchmarks.append(benchmark)
    return benchmarks


def _measure(benchmarks, specs: Sequence[str], arguments) -> dict:
    check_writable(arguments.output)
    with quiet_tensorflow():
        from muse_jobs.encoder.adapters import open_encoder
        from muse_jobs.evaluation.measuring import measure

        encoders = [open_encoder(spec) for spec in dict.fromkeys(specs)]
    named = dict(zip(_distinct_names(encoders), encoders, strict=True))
    return measure(
        benchmarks,
        {name: encoder.encode for name, encoder in named.items()},
        sources={name: encoder.source for name, encoder in named.items()},
        field_scores={name: encoder.field_scores for name, encoder in named.items()},
        track=track,
    )


def _distinct_names(encoders) -> list[str]:
    names = [encoder.name for encoder in encoders]
    return [
        name if names.count(name) == 1 else f"{name} ({number})"
        for number, name in enumerate(names, start=1)
    ]


def _write(report: dict, folder: Path) -> None:
    from muse_jobs.evaluation.report import render_report

    for benchmark in report["benchmarks"]:
        print(f"\n{benchmark['title']}\n{format_benchmark(benchmark)}")
    for warning in report["warnings"]:
        print(f"\nwarning: {warning}")
    write_json(folder / "report.json", report)
    write_lines(folder / "report.html", [render_report(report)])
    print(f"\nreport: {folder / 'report.html'}, {folder / 'report.json'}")


def format_benchmark(benchmark: dict) -> str:
    """A benchmark's figures as a table for a terminal.

    Args:
        benchmark: of `muse_jobs.evaluation.summary.summarise`.

    Returns:
        Lines of equal columns: figure, mean and interval of each encoder, and where the
        first one differs from another.
    """
    encoders = list(next(iter(benchmark["figures"].values())))
    others = encoders[1:]
    rows = []
    for figure, label in benchmark["labels"].items():
        changes = benchmark["differences"].get(figure, {})
        cells = [
            _interval(estimate) for estimate in benchmark["figures"][figure].values()
        ]
        cells += [_change(changes[o]) if o in changes else "" for o in others]
        rows.append([label, *cells])
    header = ["", *encoders, *(f"{encoders[0]} - {other}" for other in others)]
    rows = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _change(estimate: dict) -> str:
    return f"{_interval(estimate, '+')} p {estimate['p_value']:.4f}"


def _interval(estimate: dict, sign: str = "") -> str:
    if math.isnan(estimate["mean"]):
        return "-"
    mean = f"{estimate['mean']:{sign}.3f}"
    if math.isnan(estimate["low"]):
        return mean
    return f"{mean} ({estimate['low']:{sign}.3f} to {estimate['high']:{sign}.3f})"


if __name__ == "__main__":
    run_command(main)
