"""Classification by vectors: occupations by nearest titles or regression, language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from muse_jobs.evaluation.sets import Encode, Evaluation
from muse_jobs.metrics import mean_of_defined, query_accuracy_at_k

# texts -> (texts, fields) scores, and the names of the fields
FieldScores = Callable[[Sequence[str]], tuple[np.ndarray, Sequence[str]]]
REGULARISATION = 10.0  # C of the logistic regressions
FOLDS = 5


@dataclass(frozen=True, slots=True)
class OccupationTitles:
    """Titles to classify, and titles whose class is known.

    Attributes:
        queries: the titles to classify.
        query_languages: of each query.
        query_classes: the true class of each query.
        references: titles of other jobs.
        reference_classes: the class of each reference.
        clusters: for each query what the bootstrap draws.
    """

    queries: tuple[str, ...]
    query_languages: tuple[str, ...]
    query_classes: tuple[str, ...]
    references: tuple[str, ...]
    reference_classes: tuple[str, ...]
    clusters: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts that are encoded, each once."""
        return tuple(dict.fromkeys((*self.queries, *self.references)))


def evaluate_occupations(
    encode: Encode,
    data: OccupationTitles,
    *,
    field_scores: FieldScores | None = None,
) -> Evaluation:
    """Whether the true class is among the best ones.

    Args:
        encode: texts to unit vectors.
        data: the titles.
        field_scores: the model's own fields head, if it has one.

    Returns:
        ``nearest_accuracy_at_1`` and ``.._at_3``: classes ranked by their nearest
        reference; ``regression_accuracy_at_1`` and ``.._at_3``: by a logistic
        regression on the references' vectors; ``head_accuracy_at_1`` and ``.._at_3``:
        by the fields head, where one of its fields is a class here (a class that it
        does not know, it misses); all also for the queries of one language (``.._th``,
        ``.._en``). Per query too.
    """
    from sklearn.linear_model import LogisticRegression

    queries = np.asarray(encode(data.queries), np.float32)
    references = np.asarray(encode(data.references), np.float32)
    classes, codes = np.unique(data.reference_classes, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(classes)))
    nearest = np.maximum.reduceat(queries @ references[order].T, starts, axis=1)
    regression = LogisticRegression(C=REGULARISATION, max_iter=2000)
    regression.fit(references, codes)
    rankings: dict[str, tuple[np.ndarray, Any]] = {
        "nearest": (nearest, classes),
        "regression": (regression.predict_log_proba(queries), classes),
    }
    if field_scores is not None:
        scores, labels = field_scores(data.queries)
        if set(labels) & set(data.query_classes):
            rankings["head"] = (scores, labels)
    languages = np.array(data.query_languages)
    per_query = {}
    for kind, (scores, names) in rankings.items():
        ranked = np.argsort(-scores, axis=1, kind="stable")
        column = {name: number for number, name in enumerate(names)}
        # A class without a column stands in no ranking.
        truth = [[column.get(name, len(column))] for name in data.query_classes]
        for k in (1, 3):
            values = query_accuracy_at_k(ranked, truth, k=k)
            per_query[f"{kind}_accuracy_at_{k}"] = values
            for language in ("th", "en"):
                of_language = np.where(languages == language, values, np.nan)
                per_query[f"{kind}_accuracy_at_{k}_{language}"] = of_language
    figures = {name: mean_of_defined(values) for name, values in per_query.items()}
    return Evaluation(figures, per_query, data.clusters)


def evaluate_language_probe(encode: Encode, data: OccupationTitles) -> Evaluation:
    """How well the language can be read from the vector.

    Args:
        encode: texts to unit vectors.
        data: titles whose class is their language.

    Returns:
        ``language_accuracy``: of a logistic regression in `FOLDS` folds by cluster;
        per query too. ``language_variance``: the share of the vectors' variance that is
        between the languages, 0 where their means are the same.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict

    truth = np.array(data.query_classes)
    vectors = np.asarray(encode(data.queries), np.float32)
    guessed = cross_val_predict(
        LogisticRegression(C=REGULARISATION, max_iter=2000),
        vectors,
        truth,
        groups=np.array(data.clusters),
        cv=GroupKFold(FOLDS),
    )
    right = (guessed == truth).astype(float)
    return Evaluation(
        {
            "language_accuracy": float(right.mean()),
            "language_variance": _between(vectors, truth),
        },
        {"language_accuracy": right},
        data.clusters,
    )


def _between(vectors: np.ndarray, classes: np.ndarray) -> float:
    """Variance between the means of the classes over the whole variance."""
    centred = vectors - vectors.mean(axis=0)
    between = sum(
        (classes == name).sum() * np.square(centred[classes == name].mean(axis=0)).sum()
        for name in np.unique(classes)
    )
    return float(between / np.square(centred).sum())
