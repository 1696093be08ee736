"""Which postings are the same job, and a split that keeps them on one side."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.text import title_key

FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}


@dataclass(frozen=True, slots=True)
class Split:
    """Postings for training, for choosing and for the final figures."""

    train: list[JobPosting]
    validation: list[JobPosting]
    test: list[JobPosting]


def job_groups(postings: Sequence[JobPosting]) -> list[str]:
    """Names the job of each posting: titles of one group are synonyms.

    The posting's role where it names one. Else postings that share a title key are one
    group, and so are those linked through a chain of such titles. If the titles of such
    a group stand under one role elsewhere, it is that role; else it is named by the
    smallest key in it, whatever the order of the postings.

    Args:
        postings: any.

    Returns:
        A name for each posting.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    keys = [[title_key(title) for title in p.titles] for p in postings]
    for posting, (first, *others) in zip(postings, keys, strict=True):
        if posting.role is None:
            for other in others:
                a, b = sorted((root(first), root(other)))
                parent[b] = a
    roles: dict[str, set[str]] = {}
    for posting, own in zip(postings, keys, strict=True):
        if posting.role is not None:
            for key in own:
                roles.setdefault(root(key), set()).add(posting.role)

    def name(posting: JobPosting, key: str) -> str:
        known = roles.get(root(key), set())
        if posting.role is None and len(known) != 1:
            return f"title:{root(key)}"
        return f"role:{posting.role or min(known)}"

    return [
        name(posting, first)
        for posting, (first, *_) in zip(postings, keys, strict=True)
    ]


def split_postings(postings: Sequence[JobPosting], *, seed: int = 0) -> Split:
    """Splits by job group: 70 % train, 10 % validation, 20 % test of the postings.

    Groups come in the order of a hash of seed and name, those above a twentieth of the
    data before the others, each to the part that lacks most of its share; the order of
    the postings does not matter. With three groups or more no part is empty.

    Args:
        postings: any.
        seed: of the order.

    Returns:
        The three parts, each in the order of ``postings``.
    """
    groups = job_groups(postings)
    sizes = Counter(groups)
    lacking = {part: share * len(postings) for part, share in FRACTIONS.items()}
    part_of: dict[str, str] = {}
    large = FRACTIONS["validation"] / 2 * len(postings)

    def place_in_order(group: str) -> tuple[float, bytes]:
        """Large groups first, while every part still has room for them."""
        size = sizes[group]
        return (-size if size > large else 0, _hash(seed, group))

    order = sorted(sizes, key=place_in_order)
    for group in order:
        part = max(lacking, key=lacking.__getitem__)
        part_of[group] = part
        lacking[part] -= sizes[group]
    for part in FRACTIONS:
        counts = Counter(part_of.values())
        if not counts[part] and max(counts.values(), default=0) > 1:
            fullest = max(FRACTIONS, key=counts.__getitem__)
            movable = [group for group in order if part_of[group] == fullest]
            part_of[min(movable, key=sizes.__getitem__)] = part
    parts = {name: [] for name in FRACTIONS}
    for posting, group in zip(postings, groups, strict=True):
        parts[part_of[group]].append(posting)
    return Split(**parts)


def check_split(split: Split) -> int:
    """How many jobs and title keys stand on more than one side; 0 is no leak.

    A title key counts where one of its postings at least names no role: under two roles
    the same title is two jobs.

    Args:
        split: any.
    """
    sides: dict[str, set[int]] = {}
    without_role: set[str] = set()
    for side, part in enumerate((split.train, split.validation, split.test)):
        for posting in part:
            names = [f"title:{title_key(title)}" for title in posting.titles]
            if posting.role is None:
                without_role.update(names)
            else:
                names.append(f"role:{posting.role}")
            for name in names:
                sides.setdefault(name, set()).add(side)
    return sum(
        len(found) > 1 and (name.startswith("role:") or name in without_role)
        for name, found in sides.items()
    )


def _hash(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
