"""A query's way: text to vector to results, and the languages among them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from muse_jobs.errors import InputError
from muse_jobs.serving.index import Encode, SearchIndex


@dataclass(frozen=True, slots=True)
class SearchEngine:
    """An index and the encoder of its queries.

    Attributes:
        name: for people.
        index: searched.
        encode: texts -> (texts, dim) unit vectors.
    """

    name: str
    index: SearchIndex
    encode: Encode

    def search(
        self, text: str, k: int, *, prefer: str = "", strength: float = 0.0
    ) -> tuple[list[dict], float]:
        """The results of one query, best first, and the milliseconds it took.

        Args:
            text: a query of any length.
            k: how many results.
            prefer: a language, ``th`` or ``en``, where the user asks for one.
            strength: added to the score of its titles: 0 prefers nothing, 2 puts all of
                them before the others.

        Returns:
            A dict with ``score``, ``language``, ``title`` and ``ids`` for each result.

        Raises:
            InputError: the text is empty.
        """
        # Half a character cannot be encoded.
        text = text.encode(errors="replace").decode().strip()
        if not text:
            raise InputError("expected a query, received an empty one")
        begun = time.perf_counter()
        bonus = None
        if prefer and strength:
            in_language = np.array(self.index.languages) == prefer
            bonus = strength * in_language.astype(np.float32)
        scores, rows = self.index.search(self.encode([text]), k, bonus=bonus)
        milliseconds = (time.perf_counter() - begun) * 1000
        results = [
            {
                "score": float(score),
                "language": self.index.languages[row],
                "title": self.index.titles[row],
                "ids": list(self.index.ids[row]),
            }
            for score, row in zip(scores[0], rows[0], strict=True)
        ]
        return results, milliseconds


def language_balance(languages: Sequence[str]) -> float:
    """The share of Thai among Thai and English; NaN without either.

    Texts in both languages or in neither are passed over, as the metrics do.
    """
    thai, english = languages.count("th"), languages.count("en")
    return thai / (thai + english) if thai + english else float("nan")
