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
    group, and so are those linked through a chain of such titles; it is named by the
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
    return [
        f"title:{root(first)}" if posting.role is None else f"role:{posting.role}"
        for posting, (first, *_) in zip(postings, keys, strict=True)
    ]


def split_postings(postings: Sequence[JobPosting], *, seed: int = 0) -> Split:
    """Splits by job group: 70 % train, 10 % validation, 20 % test of the postings.

    Groups are ordered by a hash of seed and name, so that neither the order of the
    postings nor other groups move a group far.

    Args:
        postings: any.
        seed: of the order.

    Returns:
        The three parts, each in the order of ``postings``.
    """
    groups = job_groups(postings)
    sizes = Counter(groups)
    part_of: dict[str, str] = {}
    done = 0
    for group in sorted(sizes, key=lambda name: _hash(seed, name)):
        # The middle of the group decides, so that a large one goes where most of it is.
        position = (done + sizes[group] / 2) / len(postings)
        train, validation = FRACTIONS["train"], FRACTIONS["validation"]
        if position < train:
            part_of[group] = "train"
        elif position < train + validation:
            part_of[group] = "validation"
        else:
            part_of[group] = "test"
        done += sizes[group]
    parts = {name: [] for name in FRACTIONS}
    for posting, group in zip(postings, groups, strict=True):
        parts[part_of[group]].append(posting)
    return Split(**parts)


def check_split(split: Split) -> int:
    """How many jobs and title keys stand on more than one side; 0 is no leak.

    A title key counts where its postings name no role: under two roles the same title
    is two jobs.

    Args:
        split: any.
    """
    sides: dict[str, set[int]] = {}
    for side, part in enumerate((split.train, split.validation, split.test)):
        for posting in part:
            if posting.role is not None:
                names = [f"role:{posting.role}"]
            else:
                names = [f"title:{title_key(title)}" for title in posting.titles]
            for name in names:
                sides.setdefault(name, set()).add(side)
    return sum(len(found) > 1 for found in sides.values())


def _hash(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
