"""All that can be measured on postings whose jobs training did not see."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from muse_jobs.data.mining import PairMiner, Pairs
from muse_jobs.data.postings import JobPosting, field_labels
from muse_jobs.data.splits import Split, job_groups
from muse_jobs.data.text import title_key
from muse_jobs.evaluation.evaluators import (
    evaluate_field_scores,
    evaluate_matching,
    evaluate_titles,
    field_probe_scores,
    title_pool,
)
from muse_jobs.evaluation.sets import Encode, Evaluation

# (n, dim) vectors -> (n, fields) scores
FieldScores = Callable[[np.ndarray], np.ndarray]
# (n, dim) description vectors, (n, dim) title vectors -> (n,) scores
PairScores = Callable[[np.ndarray, np.ndarray], np.ndarray]


def evaluate_postings(
    encode: Encode,
    split: Split,
    *,
    field_scores: FieldScores | None = None,
    pair_scores: PairScores | None = None,
    seed: int = 0,
) -> list[Evaluation]:
    """Title retrieval and its bias, description to title, job fields, pairs.

    Args:
        encode: texts to unit vectors.
        split: the test part is measured; the train part fits the field regression.
        field_scores: a trained fields head, if there is one.
        pair_scores: a trained matching head, if there is one.
        seed: of the drawn titles and pairs.

    Returns:
        One evaluation a subject; subjects that the postings have no data for are
        absent.
    """
    found = [evaluate_titles(encode, title_pool(split.test, seed=seed))]
    if any(posting.description for posting in split.test):
        found.append(evaluate_matching(encode, split.test, seed=seed))
        found += _pairs(encode, split.test, pair_scores, seed)
    labels = field_labels(split.train)
    if len(labels) > 1 and any(
        set(posting.fields) & set(labels) for posting in split.test
    ):
        scores = field_probe_scores(encode, split.train, split.test, labels)
        found.append(evaluate_field_scores(scores, split.test, labels))
        if field_scores is not None:
            vectors = encode([posting.titles[0] for posting in split.test])
            head = evaluate_field_scores(field_scores(vectors), split.test, labels)
            found.append(_renamed(head, "fields_", "fields_head_"))
    return found


def _pairs(
    encode: Encode,
    postings: Sequence[JobPosting],
    pair_scores: PairScores | None,
    seed: int,
) -> list[Evaluation]:
    """AUC of a description's own title against mined negatives, half of them hard."""
    from sklearn.metrics import roc_auc_score

    grouped = zip(postings, job_groups(postings), strict=True)
    with_text = [(posting, job) for posting, job in grouped if posting.description]
    if len({job for _, job in with_text}) < 2:
        return []
    used = [posting for posting, _ in with_text]
    jobs = [job for _, job in with_text]
    rng = np.random.default_rng(seed)
    keys = [[title_key(title) for title in posting.titles] for posting in used]
    miner = PairMiner([p.iou_set for p in used], jobs, keys)
    if not len(miner):
        return []
    pairs: Pairs = miner.draw(rng)
    which = rng.integers(2, size=len(pairs.titles))
    descriptions = encode([used[row].description for row in pairs.descriptions])
    titles = encode(
        [used[row].titles[-side] for row, side in zip(pairs.titles, which, strict=True)]
    )
    cosine = (descriptions * titles).sum(axis=1)
    figures = {"pair_auc": float(roc_auc_score(pairs.labels, cosine))}
    if pair_scores is not None:
        scores = pair_scores(descriptions, titles)
        figures["pair_auc_head"] = float(roc_auc_score(pairs.labels, scores))
    return [Evaluation(figures)]


def _renamed(evaluation: Evaluation, old: str, new: str) -> Evaluation:
    return Evaluation(
        {name.replace(old, new): v for name, v in evaluation.figures.items()},
        {name.replace(old, new): v for name, v in evaluation.per_query.items()},
        evaluation.clusters,
    )
