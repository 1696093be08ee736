import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.splits import Split, check_split, job_groups, split_postings
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
        assert check_split(split) == 0


def test_the_check_sees_a_leak():
    split = Split(
        train=[JobPosting("1", None, "Chef", role="chef")],
        validation=[JobPosting("2", None, "chef")],
        test=[JobPosting("3", None, "Cook", role="chef")],
    )
    assert check_split(split) == 2  # the role, and the title without a role
