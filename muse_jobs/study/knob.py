"""A preference for the query's own language at query time (open question 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from muse_jobs.evaluation.sets import Encode, K, RetrievalSet, evaluate_retrieval
from muse_jobs.metrics import mean_of_defined, query_recall_at_k

# Added to the cosine of entries in the query's own language.
STRENGTHS = (-0.1, -0.05, 0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 2.0)


def knob(encode: Encode, data: RetrievalSet) -> list[dict[str, float]]:
    """What a preference for the query's own language at query time does.

    Args:
        encode: texts to unit vectors.
        data: a set whose queries have relevant entries in both languages.

    Returns:
        For each of `STRENGTHS` the combined pool's Recall@10 and LBKL, the recall of
        the relevant entries in the query's own language and that of the others, and the
        share of the own language among the first ten.
    """
    vectors = dict(zip(data.texts, encode(data.texts), strict=True))

    def known(texts: Sequence[str]) -> np.ndarray:
        return np.stack([vectors[text] for text in texts])

    languages = np.array(data.entry_languages)
    own_relevant = [
        [entry for entry in relevant if languages[entry] == asked]
        for relevant, asked in zip(data.relevant, data.query_languages, strict=True)
    ]
    found = []
    for strength in STRENGTHS:
        measured = evaluate_retrieval(known, data, own_language=strength)
        results = [
            [entry for entry in row if entry != own][:K]
            for row, own in zip(measured.top, data.own, strict=True)
        ]
        shares = [
            np.mean(languages[row] == asked)
            for row, asked in zip(results, data.query_languages, strict=True)
        ]
        figures = measured.figures
        found.append(
            {
                "strength": strength,
                "recall": figures[f"recall_at_{K}_combined"],
                "own_recall": mean_of_defined(
                    query_recall_at_k(results, own_relevant, k=K)
                ),
                "other_recall": figures[f"tlr_at_{K}"],
                "lbkl": figures["lbkl"],
                "own_share": float(np.mean(shares)),
            }
        )
    return found
