import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.splits import (
    Split,
    check_split,
    job_groups,
    split_postings,
    without_held_out,
)
from muse_jobs.data.text import title_key

TITLE = st.one_of(st.none(), st.sampled_from(list("abcdefghij")))
POSTINGS = st.lists(
    st.tuples(TITLE, TITLE, st.one_of(st.none(), st.sampled_from("xyz"))).filter(
        lambda row: row[0] or row[1]
    ),
    min_size=1,
    max_size=30,
).map(
    lambda rows: [
        JobPosting(str(number), th, en, role=role)
        for number, (th, en, role) in enumerate(rows)
    ]
)


def test_titles_that_are_linked_are_one_job():
    postings = [
        JobPosting("1", "พนักงานขาย", "Sales"),
        JobPosting("2", "เซลส์", " SALES "),
        JobPosting("3", "เซลส์", None),
        JobPosting("4", "แม่บ้าน", "Maid"),
    ]
    groups = job_groups(postings)
    assert groups[0] == groups[1] == groups[2] != groups[3]


def test_a_named_role_decides():
    postings = [
        JobPosting("1", None, "Engineer", role="civil"),
        JobPosting("2", None, "Engineer", role="software"),
    ]
    assert job_groups(postings) == ["role:civil", "role:software"]


@given(POSTINGS, st.integers(0, 5))
def test_no_job_and_no_linked_title_is_on_two_sides(postings, seed):
    split = split_postings(postings, seed=seed)
    parts = [split.train, split.validation, split.test]
    assert sorted(p.id for part in parts for p in part) == sorted(
        p.id for p in postings
    )
    side = {p.id: number for number, part in enumerate(parts) for p in part}
    for one in postings:
        for other in postings:
            shared = {title_key(t) for t in one.titles} & {
                title_key(t) for t in other.titles
            }
            same_role = one.role is not None and one.role == other.role
            if same_role or (shared and one.role is None and other.role is None):
                assert side[one.id] == side[other.id]


@given(POSTINGS, st.randoms(use_true_random=False))
def test_the_order_of_postings_does_not_matter(postings, rng: random.Random):
    shuffled = postings[:]
    rng.shuffle(shuffled)
    one, other = split_postings(postings), split_postings(shuffled)
    for part in ("train", "validation", "test"):
        assert {p.id for p in getattr(one, part)} == {
            p.id for p in getattr(other, part)
        }


def test_shares_and_seed():
    postings = [JobPosting(str(n), None, f"Job {n}") for n in range(1000)]
    split = split_postings(postings, seed=1)
    sizes = [len(split.train), len(split.validation), len(split.test)]
    assert sizes == [700, 100, 200]
    assert split_postings(postings, seed=2).test != split.test


def test_a_title_joins_the_one_role_that_has_it():
    postings = [
        JobPosting("1", "พ่อครัว", "Chef", role="chef"),
        JobPosting("2", None, "CHEF"),
        JobPosting("3", "กุ๊ก", "Chef"),
    ]
    assert job_groups(postings) == ["role:chef"] * 3


@pytest.mark.parametrize("jobs", range(3, 12))
def test_no_part_is_empty_with_three_jobs_or_more(jobs):
    for seed in range(10):
        postings = [JobPosting(str(n), None, f"Job {n}") for n in range(jobs)]
        split = split_postings(postings, seed=seed)
        assert split.train and split.validation and split.test


def test_a_giant_job_goes_where_there_is_room():
    postings = [JobPosting(f"g{n}", None, "Giant") for n in range(400)]
    postings += [JobPosting(str(n), None, f"Job {n}") for n in range(600)]
    for seed in range(20):
        split = split_postings(postings, seed=seed)
        assert 80 <= len(split.validation) <= 120, seed
        assert len(split.test) >= 180
        assert not any(check_split(split).values())


def test_the_check_sees_a_leak():
    split = Split(
        train=[JobPosting("1", None, "Chef", role="chef")],
        validation=[JobPosting("2", None, "chef")],
        test=[JobPosting("3", None, "Cook", role="chef")],
    )
    # the role, and the title without a role
    assert check_split(split) == {"jobs and titles": 2, "near duplicates": 0}


@given(POSTINGS, st.data())
def test_near_duplicates_without_a_role_are_on_one_side(postings, data):
    ids = st.sampled_from([posting.id for posting in postings])
    near = data.draw(st.lists(st.tuples(ids, ids), max_size=5))
    split = split_postings(postings, near=near)
    side = {p.id: name for name, part in split.parts.items() for p in part}
    role = {p.id: p.role for p in postings}
    assert len(side) == len(postings)
    apart = sum(
        side[one] != side[other]
        for one, other in near
        if role[one] is None and role[other] is None
    )
    assert check_split(split, near)["near duplicates"] == apart
    if split.near_joined:
        assert apart == 0


@pytest.mark.parametrize(("linked", "joined"), [(10, True), (11, False)])
def test_links_that_chain_too_far_are_not_followed(linked, joined):
    postings = [JobPosting(str(n), None, f"Job {n}") for n in range(100)]
    near = [(str(n), str(n + 1)) for n in range(linked - 1)]
    split = split_postings(postings, near=near)
    assert split.near_joined is joined
    assert (check_split(split, near)["near duplicates"] == 0) is joined


def test_translations_of_held_out_titles_are_left_out():
    split = Split(
        train=[JobPosting("1", "ครู", "Teacher")],
        validation=[JobPosting("2", "แม่บ้าน", "Maid")],
        test=[JobPosting("3", None, "Nurse")],
    )
    pairs = [
        JobPosting("t1", "อาจารย์", "Teacher"),
        JobPosting("t2", "พยาบาล", " NURSE"),
        JobPosting("t3", "แม่บ้าน", "Housekeeper"),
    ]
    assert without_held_out(pairs, split) == (pairs[:1], 2)
