"""Vectors without their language's mean: what is to be had without any training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.text import language_of
from muse_jobs.evaluation.sets import Encode

TITLES = 1000  # of each language, spread evenly over the training titles


def centred(encode: Encode, postings: Sequence[JobPosting]) -> Encode:
    """An encoder whose vectors lack the mean of the titles of their language.

    Args:
        encode: texts to unit vectors.
        postings: whose Thai and English titles the means are taken of.

    Returns:
        Texts to unit vectors. The language goes by script; a text in both or in neither
        lacks the mean of the two.
    """
    means: dict[str, np.ndarray] = {}
    for language, column in (("th", "title_th"), ("en", "title_en")):
        titles = sorted({t for p in postings if (t := getattr(p, column))})
        means[language] = encode(titles[:: len(titles) // TITLES + 1]).mean(axis=0)
    between: np.ndarray = np.mean(list(means.values()), axis=0)

    def encode_centred(texts: Sequence[str]) -> np.ndarray:
        own = np.stack([means.get(language_of(text), between) for text in texts])
        vectors = np.asarray(encode(texts)) - own
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return encode_centred
