"""Which postings are the same job, and a split that keeps them on one side."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.text import title_key

FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
# Of the data: links of near duplicates that chain into more than this are not followed.
LARGEST_CHAIN = 0.1

Near = Collection[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Split:
    """Postings for training, for choosing and for the final figures.

    Attributes:
        train: 70 % of them.
        validation: 10 %.
        test: 20 %.
        near_joined: whether near duplicates of descriptions are on one side; False
            where their links chain into more than `LARGEST_CHAIN` of the data, and the
            split is by title alone.
    """

    train: list[JobPosting]
    validation: list[JobPosting]
    test: list[JobPosting]
    near_joined: bool = True

    @property
    def parts(self) -> dict[str, list[JobPosting]]:
        """Name to postings, in the order of training."""
        return {name: getattr(self, name) for name in FRACTIONS}


def job_groups(postings: Sequence[JobPosting], near: Near = ()) -> list[str]:
    """Names the job of each posting: titles of one group are synonyms.

    The posting's role where it names one. Else postings that share a title key are one
    group, and so are those linked through a chain of such titles. If the titles of such
    a group stand under one role elsewhere, it is that role; else it is named by the
    smallest key in it, whatever the order of the postings.

    Args:
        postings: any.
        near: pairs of ids that are linked too, where neither posting names a role.

    Returns:
        A name for each posting.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    def join(key: str, other: str) -> None:
        smaller, larger = sorted((root(key), root(other)))
        parent[larger] = smaller

    keys = [[title_key(title) for title in p.titles] for p in postings]
    for posting, (first, *others) in zip(postings, keys, strict=True):
        if posting.role is None:
            for other in others:
                join(first, other)
    key_of = {p.id: own[0] for p, own in zip(postings, keys, strict=True) if not p.role}
    for one, other in near:
        if one in key_of and other in key_of:
            join(key_of[one], key_of[other])
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


def split_postings(
    postings: Sequence[JobPosting], *, near: Near = (), seed: int = 0
) -> Split:
    """Splits by job group: 70 % train, 10 % validation, 20 % test of the postings.

    Groups come in the order of a hash of seed and name, those above a twentieth of the
    data before the others, each to the part that lacks most of its share; the order of
    the postings does not matter. With three groups or more no part is empty.

    Args:
        postings: any.
        near: ids of near duplicates (`muse_jobs.data.duplicates.near_postings`), to
            stand on one side; see `Split.near_joined`.
        seed: of the order.

    Returns:
        The three parts, each in the order of ``postings``.
    """
    groups = job_groups(postings, near)
    by_title = job_groups(postings) if near else groups
    largest = max(Counter(groups).values(), default=0)
    near_joined = largest <= max(
        LARGEST_CHAIN * len(postings), *Counter(by_title).values(), 0
    )
    if not near_joined:
        groups = by_title
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
    parts: dict[str, list[JobPosting]] = {name: [] for name in FRACTIONS}
    for posting, group in zip(postings, groups, strict=True):
        parts[part_of[group]].append(posting)
    return Split(**parts, near_joined=near_joined)


def check_split(split: Split, near: Near = ()) -> dict[str, int]:
    """What stands on more than one side of a split; all 0 is no leak.

    A title key counts where one of its postings at least names no role: under two roles
    the same title is two jobs. So do near duplicates of which none names a role.

    Args:
        split: any.
        near: as for `split_postings`.

    Returns:
        Number of jobs and titles on two sides, and of pairs of near duplicates.
    """
    sides: dict[str, set[str]] = {}
    without_role: set[str] = set()
    side_of: dict[str, str] = {}
    for side, part in split.parts.items():
        for posting in part:
            names = [f"title:{title_key(title)}" for title in posting.titles]
            if posting.role is None:
                without_role.update(names)
                side_of[posting.id] = side
            else:
                names.append(f"role:{posting.role}")
            for name in names:
                sides.setdefault(name, set()).add(side)
    return {
        "jobs and titles": sum(
            len(found) > 1 and (name.startswith("role:") or name in without_role)
            for name, found in sides.items()
        ),
        "near duplicates": sum(
            side_of[one] != side_of[other]
            for one, other in near
            if one in side_of and other in side_of
        ),
    }


def without_held_out(
    pairs: Sequence[JobPosting], split: Split
) -> tuple[list[JobPosting], int]:
    """Title pairs of which no title is one of a held-out posting.

    Args:
        pairs: further translations to train on, as postings.
        split: of the postings.

    Returns:
        The pairs that may be trained on, and how many may not.
    """
    held_out = {
        title_key(title)
        for part in (split.validation, split.test)
        for posting in part
        for title in posting.titles
    }
    kept = [p for p in pairs if held_out.isdisjoint(map(title_key, p.titles))]
    return kept, len(pairs) - len(kept)


def _hash(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
