"""The benchmarks by name: a test set, what it asks, and how an encoder is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from muse_jobs.errors import InputError
from muse_jobs.evaluation.classification import (
    FieldScores,
    evaluate_language_probe,
    evaluate_occupations,
)
from muse_jobs.evaluation.public_sets import (
    Units,
    balanced_titles,
    descriptions,
    language_titles,
    natural_titles,
    occupation_titles,
    own_queries,
    parallel_sentences,
    xquad_r,
)
from muse_jobs.evaluation.sets import (
    Encode,
    Evaluation,
    RetrievalSet,
    evaluate_retrieval,
)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A test set, ready to measure any encoder.

    Attributes:
        name: short.
        title: for people.
        about: what the queries, the pool and the truth are.
        evaluate: from an encode function, and a fields head or None, to figures.
        texts: all texts that are encoded.
        retrieval: the set behind it, None for a classification.
    """

    name: str
    title: str
    about: str
    evaluate: Callable[[Encode, FieldScores | None], Evaluation]
    texts: tuple[str, ...]
    retrieval: RetrievalSet | None = None


def open_benchmark(name: str, path: str | Path, *, units: Units = None) -> Benchmark:
    """Reads a benchmark.

    Args:
        name: one of `BENCHMARKS`.
        path: the published file or folder that it reads.
        units: ISCO-08 units to keep to; for coded data alone.

    Raises:
        InputError: there is no such benchmark, or the files are not those it knows.
    """
    if name not in BENCHMARKS:
        raise InputError(
            f"--benchmark: expected one of {', '.join(BENCHMARKS)}, received {name}"
        )
    title, about, load, measure = BENCHMARKS[name]
    data = load(Path(path), units) if name in CODED else load(Path(path))
    is_retrieval = isinstance(data, RetrievalSet)

    def evaluate(encode: Encode, field_scores: FieldScores | None = None) -> Evaluation:
        if name in OF_FIELDS:
            return measure(encode, data, field_scores=field_scores)
        return measure(encode, data)

    return Benchmark(
        name=name,
        title=title,
        about=about,
        evaluate=evaluate,
        texts=data.texts,
        retrieval=data if is_retrieval else None,
    )


# Coded to ISCO-08: these can be kept to some units.
CODED = ("titles", "titles-natural", "descriptions", "occupations", "language")
# Those that ask a fields head too.
OF_FIELDS = ("occupations",)
# name -> (title, about, loader, evaluator)
BENCHMARKS: dict[str, tuple[str, str, Callable, Callable]] = {
    "titles": (
        "Title synonyms, balanced",
        "Thai occupation titles and as many ESCO preferred labels of each ISCO-08 "
        "unit; a title should find the others of its unit.",
        balanced_titles,
        evaluate_retrieval,
    ),
    "titles-natural": (
        "Title synonyms, natural",
        "Thai titles and ESCO preferred labels of each ISCO-08 unit ask; the pool has "
        "the alternative labels too, so that English outnumbers Thai. Read R-precision "
        "and MAP: Recall@10 is capped by the size of a unit.",
        natural_titles,
        evaluate_retrieval,
    ),
    "descriptions": (
        "Description to title",
        "ESCO descriptions (English) should find Thai and English titles of their "
        "ISCO-08 unit.",
        descriptions,
        evaluate_retrieval,
    ),
    "occupations": (
        "Occupation classification",
        "Thai titles and ESCO labels of asked ISCO-08 units; the class is the "
        "sub-major group, learned from titles of other units. A model whose fields are "
        "sub-major groups (recipe esco+isco) is asked by its own head too.",
        occupation_titles,
        evaluate_occupations,
    ),
    "language": (
        "Language read from the vector",
        "Accuracy of a logistic regression that tells Thai from English titles by "
        "their vectors, five folds by ISCO-08 unit; 0.5 is a vector without language.",
        language_titles,
        evaluate_language_probe,
    ),
    "xquad-r": (
        "XQuAD-R",
        "Questions should find the sentence that answers them, in both languages "
        "(LAReQA).",
        xquad_r,
        evaluate_retrieval,
    ),
    "parallel": (
        "Parallel sentences",
        "A sentence should find its translation among all sentences of both languages.",
        parallel_sentences,
        evaluate_retrieval,
    ),
    "queries": (
        "Own queries",
        "The user's queries and what they should find.",
        own_queries,
        evaluate_retrieval,
    ),
}
