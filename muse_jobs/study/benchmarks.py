"""What the runs are measured on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from muse_jobs.data.postings import JobPosting
from muse_jobs.evaluation.benchmarks import Benchmark, open_benchmark
from muse_jobs.evaluation.classification import (
    OccupationTitles,
    evaluate_language_probe,
)
from muse_jobs.evaluation.evaluators import title_pool
from muse_jobs.evaluation.sets import evaluate_retrieval
from muse_jobs.study.corpus import StudyData
from muse_jobs.study.settings import CorpusSettings

# name in the study -> benchmark, its place in the public data
IN_DOMAIN = {
    "titles": ("titles", ""),
    "descriptions": ("descriptions", ""),
    "occupations": ("occupations", ""),
    "language": ("language", ""),
}
OUT_OF_DOMAIN = {
    "xquad-r": ("xquad-r", "xquad-r"),
    "msdocs": ("parallel", "msdocs-th-en/eval.tsv"),
    "tatoeba": ("parallel", "tatoeba"),
}


def open_benchmarks(
    folder: Path, data: StudyData, settings: CorpusSettings
) -> dict[str, Benchmark]:
    """The study's benchmarks, those in the domain kept to the test units.

    Args:
        folder: the public data.
        data: the study's.
        settings: whether there are those outside the domain.
    """
    units = set(data.units.test)
    found = {
        name: open_benchmark(benchmark, folder / place, units=units)
        for name, (benchmark, place) in IN_DOMAIN.items()
    }
    if settings.out_of_domain:
        for name, (benchmark, place) in OUT_OF_DOMAIN.items():
            found[name] = open_benchmark(benchmark, folder / place)
    return found


def validation_benchmark(folder: Path, data: StudyData) -> Benchmark:
    """The titles of the validation units, which the best weights are chosen by."""
    return open_benchmark("titles", folder, units=set(data.units.validation))


def sample_benchmarks(postings: Sequence[JobPosting]) -> dict[str, Benchmark]:
    """What can be asked of postings of the sample corpus: their titles.

    Args:
        postings: those of a part.
    """
    pool = title_pool(postings)
    titles = pool.retrieval_set()
    chosen = [n for n, name in enumerate(pool.languages) if name in ("th", "en")]
    languages = tuple(pool.languages[n] for n in chosen)
    probe = OccupationTitles(
        queries=tuple(pool.titles[n] for n in chosen),
        query_languages=languages,
        query_classes=languages,
        references=(),
        reference_classes=(),
        clusters=tuple(pool.jobs[n] for n in chosen),
    )
    return {
        "titles": Benchmark(
            name="titles",
            title="Title synonyms of the sample corpus",
            about="",
            evaluate=lambda encode, _: evaluate_retrieval(encode, titles),
            texts=titles.texts,
            retrieval=titles,
        ),
        "language": Benchmark(
            name="language",
            title="Language read from the vector",
            about="",
            evaluate=lambda encode, _: evaluate_language_probe(encode, probe),
            texts=probe.texts,
        ),
    }
