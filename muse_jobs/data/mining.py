"""Pairs of a description and a title: matching, not matching, and nearly matching.

A negative is another posting's title whose set (job fields, or categories) has an IoU
below 0.5 with the posting's own; a hard negative one with an IoU of at least 0.5 that
is not of the same job (the threshold is the paper's, "Task B"; the definitions are
ours).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

IOU_THRESHOLD = 0.5
DRAWS = 50


@dataclass(frozen=True, slots=True)
class Pairs:
    """Description-title pairs as rows of the posting table.

    Attributes:
        descriptions: (pairs,) int32, the posting whose description it is.
        titles: (pairs,) int32, the posting whose title it is.
        labels: (pairs,) float32, 1 for a posting's own title.
    """

    descriptions: np.ndarray
    titles: np.ndarray
    labels: np.ndarray


def iou(first: Collection, second: Collection) -> float:
    """Intersection over union of two sets; 0 for two empty ones."""
    first, second = set(first), set(second)
    union = len(first | second)
    return len(first & second) / union if union else 0.0


class PairMiner:
    """Draws negatives and hard negatives for postings, without looking at all pairs.

    Postings with equal sets form a class; an inverted index over the members of the
    sets finds the classes that are near each class.

    Args:
        iou_sets: (postings,) the set of each posting.
        groups: (postings,) the job of each posting: titles of the same job are no
            negatives.
        titles: (postings,) the title keys of each posting, one or two: the same title
            under another job is no negative either.
        threshold: from which IoU on a negative is a hard one.

    Raises:
        ValueError: all postings are of one job.
    """

    def __init__(
        self,
        iou_sets: Sequence[Collection[str]],
        groups: Sequence[str],
        titles: Sequence[Sequence[str]],
        *,
        threshold: float = IOU_THRESHOLD,
    ):
        _, self._group = np.unique(np.asarray(groups, object), return_inverse=True)
        if self._group.size == 0 or self._group.max() == 0:
            raise ValueError("expected postings of two jobs at least, received one")
        first = np.asarray([keys[0] for keys in titles], object)
        last = np.asarray([keys[-1] for keys in titles], object)
        _, numbered = np.unique(np.concatenate([first, last]), return_inverse=True)
        self._titles = numbered.reshape(2, -1)
        numbers: dict[frozenset, int] = {}
        self._class = np.array(
            [numbers.setdefault(frozenset(s), len(numbers)) for s in iou_sets]
        )
        self._near = _near_classes(list(numbers), threshold)
        # The postings of class c are order[start[c] : start[c + 1]].
        self._order = np.argsort(self._class, kind="stable")
        self._start = np.searchsorted(
            self._class[self._order], np.arange(len(numbers) + 1)
        )

    def draw(self, rng: np.random.Generator) -> Pairs:
        """One positive, one negative and one hard negative for every posting.

        Where a posting has no hard negative it gets a second negative, and where
        everything is near it a second hard one.

        Args:
            rng: source of the draw.

        Returns:
            3 x postings pairs: posting by posting, in an order drawn from ``rng``, so
            that a batch encodes each description once.
        """
        own = rng.permutation(len(self._class)).astype(np.int32)
        negative = self._draw_far(own, rng)
        hard = self._draw_near(own, rng)
        hard = np.where(hard < 0, self._draw_far(own, rng), hard)
        negative = np.where(negative < 0, hard, negative)
        hard = np.where(hard < 0, negative, hard)
        found = negative >= 0
        own, negative, hard = own[found], negative[found], hard[found]
        return Pairs(
            descriptions=np.repeat(own, 3),
            titles=np.stack([own, negative, hard], axis=1).reshape(-1),
            labels=np.tile(np.float32([1, 0, 0]), len(own)),
        )

    def _draw_far(self, own: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A posting of another job and a class that is not near; -1 if none came up."""
        near = [set(classes) for classes in self._near]

        def fits(rows, drawn):
            return np.fromiter(
                (
                    d not in near[c]
                    for c, d in zip(self._class[rows], self._class[drawn], strict=True)
                ),
                bool,
                len(rows),
            )

        return self._draw_until(
            own, lambda rows: rng.integers(len(self._class), size=len(rows)), fits
        )

    def _draw_near(self, own: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A posting of another job and a near class; -1 if none came up."""
        sizes = np.diff(self._start)
        totals = [np.cumsum(sizes[classes]) for classes in self._near]

        def draw(rows):
            drawn = np.empty(len(rows), np.int64)
            share = rng.random(len(rows))
            for place, c in enumerate(self._class[rows]):
                if not totals[c].size:  # an empty set is near nothing
                    drawn[place] = rows[place]
                    continue
                nth = int(share[place] * totals[c][-1])
                which = np.searchsorted(totals[c], nth, side="right")
                before = totals[c][which - 1] if which else 0
                start = self._start[self._near[c][which]]
                drawn[place] = self._order[start + nth - before]
            return drawn

        return self._draw_until(own, draw, lambda rows, drawn: True)

    def _same_job(self, rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        same_title = self._titles[:, None, rows] == self._titles[None, :, drawn]
        return (self._group[rows] == self._group[drawn]) | same_title.any(axis=(0, 1))

    def _draw_until(self, own: np.ndarray, draw, fits) -> np.ndarray:
        """Draws again where the drawn posting is of the same job or does not fit."""
        result = np.full(len(own), -1, np.int32)
        open_rows = np.arange(len(own))
        for _ in range(DRAWS):
            rows = own[open_rows]
            drawn = draw(rows)
            good = ~self._same_job(rows, drawn) & fits(rows, drawn)
            result[open_rows[good]] = drawn[good]
            open_rows = open_rows[~good]
            if not open_rows.size:
                break
        return result


def _near_classes(sets: Sequence[frozenset], threshold: float) -> list[np.ndarray]:
    """For each set the indices of those with an IoU of at least the threshold."""
    holders: dict[str, list[int]] = defaultdict(list)
    for index, members in enumerate(sets):
        for member in members:
            holders[member].append(index)
    near = []
    for members in sets:
        shared: dict[int, int] = defaultdict(int)
        for member in members:
            for other in holders[member]:
                shared[other] += 1
        # Sorted: sets have no order of their own that a second run would repeat.
        near.append(
            np.array(
                sorted(
                    other
                    for other, count in shared.items()
                    if count / (len(members) + len(sets[other]) - count) >= threshold
                ),
                np.int64,
            )
        )
    return near
