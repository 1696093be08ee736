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
        self._all = np.arange(len(self._group))
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
        self._near_set = [set(classes.tolist()) for classes in self._near]
        sizes = np.diff(self._start)
        self._near_totals = [np.cumsum(sizes[classes]) for classes in self._near]
        # Postings that share a title or the job with every other one have no negative.
        rng = np.random.default_rng(0)
        other = self._draw_until(
            self._all,
            lambda rows: rng.integers(len(self._all), size=len(rows)),
            lambda rows, drawn: np.ones(len(drawn), bool),
        )
        self._usable = self._all[other >= 0]

    def __len__(self) -> int:
        """How many postings have a negative; `draw` gives three pairs for each."""
        return len(self._usable)

    def draw(self, rng: np.random.Generator) -> Pairs:
        """One positive, one negative and one hard negative for every usable posting.

        Where a posting has no hard negative it gets a second negative, and where
        everything is near it a second hard one.

        Args:
            rng: source of the draw.

        Returns:
            3 x ``len(self)`` pairs: posting by posting, in an order drawn from ``rng``,
            so that a batch encodes each description once.
        """
        own = rng.permutation(self._usable).astype(np.int32)
        negative = self._draw_until(
            own, lambda rows: rng.integers(len(self._all), size=len(rows)), self._far
        )
        hard = self._draw_until(
            own,
            lambda rows: self._draw_near(rows, rng),
            lambda rows, drawn: ~self._far(rows, drawn),
        )
        missing = hard < 0
        hard[missing] = self._draw_until(
            own[missing],
            lambda rows: rng.integers(len(self._all), size=len(rows)),
            self._far,
        )
        negative = np.where(negative < 0, hard, negative)
        return Pairs(
            descriptions=np.repeat(own, 3),
            titles=np.stack([own, negative, hard], axis=1).reshape(-1),
            labels=np.tile(np.float32([1, 0, 0]), len(own)),
        )

    def _far(self, rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Whether the drawn postings' sets are below the threshold from the rows'."""
        return np.fromiter(
            (
                d not in self._near_set[c]
                for c, d in zip(self._class[rows], self._class[drawn], strict=True)
            ),
            bool,
            len(rows),
        )

    def _draw_near(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each row a posting of a near class; itself where no class is near."""
        drawn = np.empty(len(rows), np.int64)
        share = rng.random(len(rows))
        for place, c in enumerate(self._class[rows]):
            totals = self._near_totals[c]
            if not totals.size:
                drawn[place] = rows[place]
                continue
            nth = int(share[place] * totals[-1])
            which = np.searchsorted(totals, nth, side="right")
            before = totals[which - 1] if which else 0
            start = self._start[self._near[c][which]]
            drawn[place] = self._order[start + nth - before]
        return drawn

    def _same_job(self, rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        same_title = self._titles[:, None, rows] == self._titles[None, :, drawn]
        return (self._group[rows] == self._group[drawn]) | same_title.any(axis=(0, 1))

    def _draw_until(self, own: np.ndarray, draw, fits) -> np.ndarray:
        """Draws again where the drawn posting is of the same job or does not fit.

        Rows that had no luck get the first posting that fits, behind the one drawn
        last; -1 only if there is none.
        """
        result = np.full(len(own), -1, np.int32)
        open_rows = np.arange(len(own))
        drawn = np.empty(0, np.int64)
        for _ in range(DRAWS):
            if not open_rows.size:
                return result
            rows = own[open_rows]
            drawn = draw(rows)
            good = ~self._same_job(rows, drawn) & fits(rows, drawn)
            result[open_rows[good]] = drawn[good]
            open_rows, drawn = open_rows[~good], drawn[~good]
        for place, last in zip(open_rows, drawn, strict=True):
            behind = np.roll(self._all, -last)
            rows = np.full(len(behind), own[place])
            good = behind[~self._same_job(rows, behind)]
            good = good[fits(rows[: len(good)], good)]
            if good.size:
                result[place] = good[0]
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
