"""Several encoders on several benchmarks, as one report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from muse_jobs.errors import InputError
from muse_jobs.evaluation.benchmarks import Benchmark, open_benchmark
from muse_jobs.evaluation.classification import FieldScores
from muse_jobs.evaluation.public_sets import Units
from muse_jobs.evaluation.sets import Encode, Evaluation
from muse_jobs.evaluation.summary import signs_of_failure, summarise

Track = Callable[[Iterable, str], Iterator]


def evaluate_encoder(
    encoders: Mapping[str, Encode],
    benchmarks: Mapping[str, str | Path],
    *,
    units: Units = None,
) -> dict[str, object]:
    """Measures encoders on benchmarks: retrieval, classification, language bias.

    Args:
        encoders: name to a function from texts to (texts, dim) unit vectors, such as
            `muse_jobs.text_encoder` makes. The first is compared with the others.
        benchmarks: name to the file or folder that it reads; the names are those of
            ``python -m muse_jobs.evaluate --help``.
        units: ISCO-08 units to keep to (``isco:2411``), for coded data alone.

    Returns:
        A report: for each benchmark figures with 95 % intervals, differences with
        paired tests, language histograms, the most biased queries; and warnings.
        `muse_jobs.render_report` makes a page of it.

    Raises:
        InputError: there is no encoder or no such benchmark, its files are not those
            it knows, or `units` leave nothing of it.
    """
    if not encoders:
        raise InputError("encoders: expected one or more, received none")
    opened = [
        open_benchmark(name, path, units=units) for name, path in benchmarks.items()
    ]
    for benchmark in opened:
        if not benchmark.texts:
            raise InputError(
                f"{benchmark.name}={benchmarks[benchmark.name]}: nothing is left to "
                "measure on"
            )
    return measure(opened, encoders)


def measure(
    benchmarks: Iterable[Benchmark],
    encoders: Mapping[str, Encode],
    *,
    sources: Mapping[str, str] | None = None,
    field_scores: Mapping[str, FieldScores | None] | None = None,
    track: Track = lambda items, _: iter(items),
) -> dict[str, object]:
    """As `evaluate_encoder`, on benchmarks that are open.

    Args:
        benchmarks: what is measured.
        encoders: as there.
        sources: what each encoder is, for the report; its name by default.
        field_scores: the fields head of encoders that have one.
        track: wraps a long walk, given what is done, to show how far it is.

    Returns:
        As `evaluate_encoder`.
    """
    benchmarks, names = list(benchmarks), list(encoders)
    found: list[dict[str, Evaluation]] = [{} for _ in benchmarks]
    steps = [(n, name) for n in range(len(benchmarks)) for name in names]
    for number, name in track(steps, "evaluate"):
        head = (field_scores or {}).get(name)
        found[number][name] = benchmarks[number].evaluate(encoders[name], head)
    pairs = list(zip(benchmarks, found, strict=True))
    summaries = [
        summarise(benchmark, own) for benchmark, own in track(pairs, "intervals")
    ]
    return {
        "title": f"Evaluation of {names[0]}",
        "encoders": [
            {"name": name, "source": (sources or {}).get(name, name)} for name in names
        ],
        "benchmarks": summaries,
        "warnings": signs_of_failure(summaries, names),
        "versions": {"muse-jobs": version("muse-jobs")},
    }
