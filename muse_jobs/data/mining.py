"""Pairs of a description and a title: matching, not matching, and nearly matching.

A negative is another posting's title whose set (job fields, categories or title tokens)
has an IoU below 0.5 with the posting's own; a hard negative one with an IoU of at least
0.5 that is not of the same job (the threshold is the paper's, "Task B"; the definitions
are ours).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

IOU_THRESHOLD = 0.5
DRAWS = 50
# Sets that are near a set: so many are kept, chosen at random where there are more.
NEAR_KEPT = 256
CHUNK = 2048


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
        progress: wraps the walk over the distinct sets.

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
        progress: Callable[[Iterable], Iterable] = iter,
    ):
        self._group = _numbered(groups)
        if self._group.size == 0 or self._group.max() == 0:
            raise ValueError("expected postings of two jobs at least, received one")
        ends = [keys[end] for end in (0, -1) for keys in titles]
        self._titles = _numbered(ends).reshape(2, -1)
        self._all = np.arange(len(self._group))
        self._class = _numbered([frozenset(members) for members in iou_sets])
        _, first = np.unique(self._class, return_index=True)
        self._sets = _SetIndex([iou_sets[row] for row in first], threshold)
        self._threshold = threshold
        # The postings of class c are order[start[c] : start[c + 1]].
        self._order = np.argsort(self._class, kind="stable")
        self._start = np.searchsorted(
            self._class[self._order], np.arange(len(first) + 1)
        )
        # Those near class c are near[near_start[c] : near_start[c + 1]]; the number of
        # postings of all classes before place i of near is near_total[i].
        near = [self._sets.near(c) for c in progress(range(len(first)))]
        self._near_start = np.cumsum([0, *map(len, near)])
        self._near = np.concatenate(near)
        sizes = np.diff(self._start)
        self._near_total = np.concatenate([[0], np.cumsum(sizes[self._near])])
        # Postings that share a title or the job with every other one have no negative.
        rng = np.random.default_rng(0)
        other = self._draw_until(
            self._all,
            lambda rows: rng.integers(len(self._all), size=len(rows)),
            lambda rows, drawn: np.ones(len(drawn), bool),
            lambda row: self._all,
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

        def draw_far(rows: np.ndarray) -> np.ndarray:
            return self._draw_until(
                rows,
                lambda rows: rng.integers(len(self._all), size=len(rows)),
                self._far,
                lambda row: self._all,
            )

        negative = draw_far(own)
        hard = self._draw_until(
            own,
            lambda rows: self._draw_near(rows, rng),
            lambda rows, drawn: ~self._far(rows, drawn),
            self._all_near,
        )
        missing = hard < 0
        hard[missing] = draw_far(own[missing])
        negative = np.where(negative < 0, hard, negative)
        return Pairs(
            descriptions=np.repeat(own, 3),
            titles=np.stack([own, negative, hard], axis=1).reshape(-1),
            labels=np.tile(np.array([1, 0, 0], np.float32), len(own)),
        )

    def _far(self, rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Whether the drawn postings' sets are below the threshold from the rows'."""
        iou = self._sets.iou(self._class[rows], self._class[drawn])
        return iou < self._threshold

    def _draw_near(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each row a posting of a near class; itself where no class is near."""
        own = self._class[rows]
        before = self._near_total[self._near_start[own]]
        count = self._near_total[self._near_start[own + 1]] - before
        nth = before + (rng.random(len(rows)) * count).astype(np.int64)
        has = count > 0
        which = np.searchsorted(self._near_total, nth[has], side="right") - 1
        place = self._start[self._near[which]] + nth[has] - self._near_total[which]
        drawn = rows.astype(np.int64)
        drawn[has] = self._order[place]
        return drawn

    def _all_near(self, row: int) -> np.ndarray:
        """The postings of the near classes of the row's class."""
        own = self._class[row]
        classes = self._near[self._near_start[own] : self._near_start[own + 1]]
        parts = [self._order[self._start[c] : self._start[c + 1]] for c in classes]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    def _same_job(self, rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        same_title = self._titles[:, None, rows] == self._titles[None, :, drawn]
        return (self._group[rows] == self._group[drawn]) | same_title.any(axis=(0, 1))

    def _draw_until(self, own: np.ndarray, draw, fits, candidates) -> np.ndarray:
        """Draws again where the drawn posting is of the same job or does not fit.

        Rows that had no luck get the first candidate that fits, behind the one drawn
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
            behind = candidates(own[place])
            behind = np.roll(behind, -np.searchsorted(behind, last))
            rows = np.full(len(behind), own[place])
            good = behind[~self._same_job(rows, behind)]
            good = good[fits(rows[: len(good)], good)]
            if good.size:
                result[place] = good[0]
        return result


class _SetIndex:
    """Distinct sets and who holds a member: the IoU of pairs, and near sets.

    Two sets with an IoU of the threshold t at least share a member that is among the
    rarest of both: of n members the n - ceil(t n) + 1 rarest (prefix filtering). Only
    these are indexed, so that a word that is in every title costs nothing.

    Args:
        sets: the sets.
        threshold: from which IoU on a set is near.
    """

    def __init__(self, sets: Sequence[Collection[str]], threshold: float):
        self._threshold = threshold
        # Sorted: sets have no order of their own that a second run would repeat.
        members = [sorted(set(members)) for members in sets]
        self._sizes = np.array([len(own) for own in members])
        numbers = _numbered([member for own in members for member in own])
        owner = np.repeat(np.arange(len(sets)), self._sizes)
        count = np.bincount(numbers, minlength=1)
        self._members = numbers[np.lexsort((numbers, count[numbers], owner))]
        self._start = np.cumsum([0, *self._sizes])
        # (set, member) as one number, to look up whether a set has a member.
        self._width = len(count)
        self._pairs = np.sort(owner * self._width + numbers)
        # Holders of the rare members: holders[first[m] : first[m + 1]] for member m.
        indexed = self._sizes - np.ceil(threshold * self._sizes - 1e-9) + 1
        self._indexed = np.clip(indexed, 0, self._sizes).astype(np.int64)
        place = np.arange(len(owner)) - self._start[owner]
        rare = place < self._indexed[owner]
        order = np.argsort(self._members[rare], kind="stable")
        self._holders = owner[rare][order]
        self._first = np.searchsorted(
            self._members[rare][order], np.arange(self._width + 1)
        )

    def iou(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """(pairs,) IoU of (pairs,) sets and (pairs,) others; 0 for two empty ones."""
        sizes = self._sizes[one]
        pair = np.repeat(np.arange(len(one)), sizes)
        place = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        member = self._members[self._start[one][pair] + place]
        wanted = other[pair] * self._width + member
        found = np.searchsorted(self._pairs, wanted)
        found = np.minimum(found, len(self._pairs) - 1)
        shared = np.bincount(
            pair[self._pairs[found] == wanted] if len(pair) else pair,
            minlength=len(one),
        )
        return shared / np.maximum(sizes + self._sizes[other] - shared, 1)

    def near(self, own: int) -> np.ndarray:
        """The sets that are near, itself among them, sorted; `NEAR_KEPT` at most."""
        start = self._start[own]
        rare = self._members[start : start + self._indexed[own]]
        held = [self._holders[self._first[m] : self._first[m + 1]] for m in rare]
        candidates = np.unique(np.concatenate([np.empty(0, np.int64), *held]))
        if len(candidates) > NEAR_KEPT:
            candidates = np.random.default_rng(own).permutation(candidates)
        near = candidates[:0]
        for start in range(0, len(candidates), CHUNK):
            part = candidates[start : start + CHUNK]
            iou = self.iou(np.full(len(part), own), part)
            near = np.concatenate([near, part[iou >= self._threshold]])
            if len(near) >= NEAR_KEPT:
                break
        return np.sort(near[:NEAR_KEPT])


def _numbered(values: Iterable) -> np.ndarray:
    """Numbers in the order of first sight, equal where the values are."""
    numbers: dict = {}
    found = [numbers.setdefault(value, len(numbers)) for value in values]
    return np.array(found, np.int64)
