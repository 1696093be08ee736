"""Published values of the real module, to check an encoder against."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an encoder's cosines agree with the published ones.

    Attributes:
        pairs: how many.
        mean_difference: mean absolute difference.
        max_difference: largest absolute difference.
        correlation: Pearson's.
        rows: (text, text, published cosine, the encoder's cosine) of each pair.
    """

    pairs: int
    mean_difference: float
    max_difference: float
    correlation: float
    rows: list[tuple[str, str, float, float]]


def published_cosines() -> list[tuple[str, str, float]]:
    """(text, text, cosine) triples that Google published for the float module.

    Their source is named in ``reference_cosines.json``.
    """
    file = resources.files(__package__).joinpath("reference_cosines.json")
    return [tuple(pair) for pair in json.loads(file.read_text("utf-8"))["pairs"]]


def compare_with_published(
    encode: Callable[[Sequence[str]], np.ndarray],
) -> Agreement:
    """Compares an encoder's cosines with the published ones.

    Args:
        encode: texts to (texts, dim) unit vectors.

    Returns:
        The agreement.
    """
    first, second, published = zip(*published_cosines(), strict=True)
    cosines = (encode(first) * encode(second)).sum(axis=1)
    difference = np.abs(cosines - np.array(published))
    return Agreement(
        pairs=len(published),
        mean_difference=float(difference.mean()),
        max_difference=float(difference.max()),
        correlation=float(np.corrcoef(cosines, published)[0, 1]),
        rows=list(zip(first, second, published, cosines.tolist(), strict=True)),
    )
