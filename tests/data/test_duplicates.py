import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muse_jobs.data.duplicates import (
    BANDS,
    NEAR_DUPLICATE,
    WINDOW,
    collapse,
    collapse_exact,
    collapse_near,
    jaccard,
    near_duplicates,
    near_postings,
    shingles,
)
from muse_jobs.data.postings import JobPosting
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.splits import job_groups
from muse_jobs.data.text import title_key


def test_exact_duplicates_collapse_into_the_first():
    postings = [
        JobPosting("1", "พนักงานขาย", "Sales", "งาน  ขาย"),
        JobPosting("2", "พนักงานขาย ", "SALES", "งาน ขาย"),
        JobPosting("3", "พนักงานขาย", "Sales", "งานอื่น"),
    ]
    kept, gone = collapse_exact(postings)
    assert ([p.id for p in kept], gone) == (["1", "3"], 1)


def test_near_duplicates_are_those_of_all_pairs():
    rng = random.Random(0)
    texts = [p.description for p in sample_postings(postings_per_role=1)[:150]]
    for place in range(0, 150, 3):  # some nearly the same, some less so
        words = texts[place].split(" ")
        for _ in range(rng.choice((1, 1, 6))):
            words[rng.randrange(len(words))] = "อื่น"
        texts.append(" ".join(words))
    sets = [runs_of_characters(text) for text in texts]
    expected = {
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= NEAR_DUPLICATE
    }
    found = set(map(tuple, near_duplicates(texts).tolist()))
    assert found <= expected  # each candidate is checked
    assert len(expected) > 20
    assert len(found) >= 0.98 * len(expected)
    np.testing.assert_array_equal(near_duplicates(texts), near_duplicates(texts))


def test_texts_with_one_key_are_paired_with_their_first():
    text = sample_postings()[0].description
    texts = ["", text, "อื่น ๆ ทั้งหมด", f" {text.upper()}", text, "...", "..."]
    assert near_duplicates(texts).tolist() == [[1, 3], [1, 4]]


def test_boilerplate_does_not_make_a_pair_of_everything():
    body = sample_postings()[0].description * 3
    texts = [f"{number:04d} {body}" for number in range(300)]
    pairs = near_duplicates(texts)
    assert len(pairs) <= BANDS * WINDOW * len(texts)
    postings = [JobPosting(str(n), f"ง{n}", description=t) for n, t in enumerate(texts)]
    ids = [(str(i), str(j)) for i, j in pairs]
    assert len(set(job_groups(postings, ids))) == 1  # and yet all are linked


def test_near_duplicates_of_another_title_stay():
    text = sample_postings()[0].description
    postings = [
        JobPosting("1", "ครู", None, text),
        JobPosting("2", "ครู", None, text + "!"),
        JobPosting("3", "แม่บ้าน", None, text),
        JobPosting("4", "ครู", None, ""),
        JobPosting("5", "ครู", None, ""),
    ]
    kept, gone = collapse_near(postings, near_postings(postings))
    assert ([p.id for p in kept], gone) == (["1", "3", "4", "5"], 1)


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("งาน", 1), ("12345678", 1), ("123456789", 2)]
)
def test_number_of_shingles(text, count):
    assert len(shingles(text)) == count


@given(st.text(max_size=60), st.text(max_size=60))
def test_hashed_shingles_have_the_jaccard_of_the_runs_themselves(one, other):
    first, second = runs_of_characters(one), runs_of_characters(other)
    if first | second:
        expected = len(first & second) / len(first | second)
        assert jaccard(shingles(one), shingles(other)) == pytest.approx(expected)


def runs_of_characters(text):
    key = title_key(text)
    return {key[i : i + 8] for i in range(max(1, len(key) - 7))} - {""}


def test_what_collapses_and_what_is_left():
    text = sample_postings()[0].description
    postings = [
        JobPosting("1", "ครู", None, text),
        JobPosting("2", "ครู", None, text),
        JobPosting("3", "ครู", None, text + "!"),
        JobPosting("4", "แม่บ้าน", None, text + "?"),
    ]
    kept = collapse(postings, "keep", find_near=True)
    assert len(kept.postings) == 4
    assert set(kept.near) >= {("1", "2"), ("1", "3"), ("1", "4")}
    exact = collapse(postings, "exact")
    assert ([p.id for p in exact.postings], exact.exact) == (["1", "3", "4"], 1)
    near = collapse(postings, "near")
    assert [p.id for p in near.postings] == ["1", "4"]
    assert (near.exact, near.near_gone, near.near) == (1, 1, [("1", "4")])


def test_postings_with_a_role_are_not_looked_at_for_a_split():
    text = sample_postings()[0].description
    postings = [JobPosting(n, "ครู", None, text, role="teacher") for n in "123"]
    assert collapse(postings, "keep", find_near=True).near == []
