"""Evaluators: a pool, its truth and an ``encode`` in, figures out.

``encode`` is any callable from a list of texts to an (n, dim) array of unit vectors. No
evaluator writes, prints or draws.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.splits import job_groups
from muse_jobs.data.text import language_of, title_key
from muse_jobs.evaluation.retrieval import top_k
from muse_jobs.evaluation.sets import (
    Encode,
    Evaluation,
    K,
    RetrievalSet,
    evaluate_retrieval,
)
from muse_jobs.metrics import mean_of_defined, query_accuracy_at_k

TITLES_PER_JOB = 3


@dataclass(frozen=True, slots=True)
class TitlePool:
    """Titles whose jobs are known: every title is a query and an entry.

    Attributes:
        titles: the texts.
        languages: of each title: th, en, mixed or und.
        jobs: of each title; titles of one job are relevant to each other.
    """

    titles: tuple[str, ...]
    languages: tuple[str, ...]
    jobs: tuple[str, ...]

    def retrieval_set(self) -> RetrievalSet:
        """Every title as a query for the others of its job."""
        places = defaultdict(list)
        for place, job in enumerate(self.jobs):
            places[job].append(place)
        return RetrievalSet(
            queries=self.titles,
            query_languages=self.languages,
            entries=self.titles,
            entry_languages=self.languages,
            relevant=tuple(
                tuple(place for place in places[job] if place != title)
                for title, job in enumerate(self.jobs)
            ),
            own=tuple(range(len(self.titles))),
            clusters=self.jobs,
        )


def title_pool(
    postings: Sequence[JobPosting], *, per_job: int = TITLES_PER_JOB, seed: int = 0
) -> TitlePool:
    """The titles of postings as an evaluation set, even between the languages.

    Titles with one key count once. A title's language is that of its column, or goes by
    its letters where it stands in both columns. For each job as many titles are taken
    in one language as in the other (all of a job that has but one language), at most
    ``per_job`` titles are taken, by a hash, so that the order of postings is of no
    matter.

    Args:
        postings: any.
        per_job: titles of a job in each language.
        seed: of the draw.

    Returns:
        The pool, sorted by job and language.
    """
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for posting, job in zip(postings, job_groups(postings), strict=True):
        for language, title in (("th", posting.title_th), ("en", posting.title_en)):
            if title:
                columns = found[job, title_key(title)]
                columns[language] = min(title, columns.get(language, title))
    by_job = defaultdict(list)
    for (job, key), columns in found.items():
        title = columns[min(columns)]
        language = next(iter(columns)) if len(columns) == 1 else language_of(title)
        rank = hashlib.blake2b(f"{seed}:{job}:{key}".encode(), digest_size=8).digest()
        by_job[job, language].append((rank, title))
    rows = []
    for (job, language), titles in sorted(by_job.items()):
        sizes = [
            len(by_job[job, other]) for other in ("th", "en") if (job, other) in by_job
        ]
        taken = min(per_job, *sizes) if sizes else per_job
        rows += [(job, language, title) for _, title in sorted(titles)[:taken]]
    return TitlePool(
        titles=tuple(title for _, _, title in rows),
        languages=tuple(language for _, language, _ in rows),
        jobs=tuple(job for job, _, _ in rows),
    )


def evaluate_titles(encode: Encode, pool: TitlePool) -> Evaluation:
    """`evaluate_retrieval` on the titles: each is a query and an entry."""
    return evaluate_retrieval(encode, pool.retrieval_set())


def evaluate_matching(
    encode: Encode, postings: Sequence[JobPosting], *, seed: int = 0
) -> Evaluation:
    """From a description to a title of its job, by cosine, in both languages' titles.

    Args:
        encode: texts to unit vectors.
        postings: those with a description are queries; the titles of all are the pool.
        seed: of the drawn titles.

    Returns:
        ``matching_accuracy_at_1`` and ``matching_accuracy_at_10``: a title of the job
        is the first, or among the first ten; per query too.
    """
    pool = title_pool(postings, seed=seed)
    places = defaultdict(list)
    for place, job in enumerate(pool.jobs):
        places[job].append(place)
    queries = [
        (posting.description, job)
        for posting, job in zip(postings, job_groups(postings), strict=True)
        if posting.description
    ]
    if not queries:
        return Evaluation({})
    ranked = top_k(
        np.asarray(encode([text for text, _ in queries]), np.float32),
        np.asarray(encode(pool.titles), np.float32),
        K,
    )
    relevant = [places[job] for _, job in queries]
    per_query = {
        f"matching_accuracy_at_{k}": query_accuracy_at_k(ranked, relevant, k=k)
        for k in (1, K)
    }
    return Evaluation(
        {name: mean_of_defined(values) for name, values in per_query.items()},
        per_query,
        [job for _, job in queries],
    )


def evaluate_field_scores(
    scores: np.ndarray, postings: Sequence[JobPosting], labels: Sequence[str]
) -> Evaluation:
    """Whether a true job field is among the best-scored ones.

    Args:
        scores: (postings, fields) of any scale.
        postings: the scored ones; those without a known field do not count.
        labels: the fields' names.

    Returns:
        ``fields_accuracy_at_1`` and ``fields_accuracy_at_3``; per query too.
    """
    ranked = np.argsort(-scores, axis=1, kind="stable")
    column = {label: number for number, label in enumerate(labels)}
    relevant = [
        [column[name] for name in posting.fields if name in column]
        for posting in postings
    ]
    per_query = {
        f"fields_accuracy_at_{k}": query_accuracy_at_k(ranked, relevant, k=k)
        for k in (1, 3)
    }
    return Evaluation(
        {name: mean_of_defined(values) for name, values in per_query.items()},
        per_query,
        job_groups(postings),
    )


def field_probe_scores(
    encode: Encode,
    train: Sequence[JobPosting],
    test: Sequence[JobPosting],
    labels: Sequence[str],
) -> np.ndarray:
    """Field scores by logistic regression on the vectors of first titles.

    The same simple classifier for any encoder, so that encoders without a fields head
    can be compared.

    Args:
        encode: texts to unit vectors.
        train: postings that the regression is fitted on.
        test: postings to score.
        labels: the fields' names.

    Returns:
        (test, fields) probabilities.
    """
    from sklearn.linear_model import LogisticRegression

    column = {label: number for number, label in enumerate(labels)}
    # One row for each field of a posting: a multi-label truth for a softmax.
    rows = [
        (posting.titles[0], column[name])
        for posting in train
        for name in posting.fields
        if name in column
    ]
    texts = sorted({text for text, _ in rows})
    vectors = np.asarray(encode(texts), np.float32)
    place = {text: number for number, text in enumerate(texts)}
    if len({label for _, label in rows}) < 2:
        raise ValueError("expected two job fields at least, received one")
    probe = LogisticRegression(C=10.0, max_iter=1000)
    probe.fit(vectors[[place[text] for text, _ in rows]], [label for _, label in rows])
    scores = np.zeros((len(test), len(labels)))
    found = probe.predict_proba(
        np.asarray(encode([posting.titles[0] for posting in test]), np.float32)
    )
    scores[:, probe.classes_] = found
    return scores
