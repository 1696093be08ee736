import random

import pytest

from muse_jobs.data.cleaning import (
    NEAR_DUPLICATE,
    collapse_exact,
    collapse_near,
    jaccard,
    near_duplicates,
    shingles,
    title_languages,
    unify_fields,
)
from muse_jobs.data.postings import JobPosting
from muse_jobs.data.sample.generator import sample_postings


def test_fields_get_the_spelling_of_most():
    postings = [
        JobPosting("1", "ก", fields=("IT", "sales")),
        JobPosting("2", "ข", fields=("it",)),
        JobPosting("3", "ค", fields=(" IT".strip(), "Sales")),
    ]
    unified, changed = unify_fields(postings)
    # IT twice, it once; Sales and sales once each: the smaller one
    assert [p.fields for p in unified] == [("IT", "Sales"), ("IT",), ("IT", "Sales")]
    assert changed == 2


def test_a_column_in_the_wrong_language_is_found():
    postings = [
        JobPosting("1", "พนักงานขาย", "พนักงานขาย"),
        JobPosting("2", "Sales", "Sales"),
    ]
    found = title_languages(postings)
    assert found["title_en"] == {"th": 1, "en": 1}
    assert found["title_th"] == {"th": 1, "en": 1}


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
    sets = [shingles(text) for text in texts]
    expected = {
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if jaccard(sets[i], sets[j]) >= NEAR_DUPLICATE
    }
    found = set(near_duplicates(texts))
    assert found <= expected  # each candidate is checked
    assert len(expected) > 20
    assert len(found) >= 0.98 * len(expected)
    assert list(near_duplicates(texts)) == list(near_duplicates(texts))


def test_near_duplicates_of_another_title_stay():
    text = sample_postings()[0].description
    postings = [
        JobPosting("1", "ครู", None, text),
        JobPosting("2", "ครู", None, text + "!"),
        JobPosting("3", "แม่บ้าน", None, text),
        JobPosting("4", "ครู", None, ""),
        JobPosting("5", "ครู", None, ""),
    ]
    kept, gone = collapse_near(postings)
    assert ([p.id for p in kept], gone) == (["1", "3", "4", "5"], 1)


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("งาน", 1), ("12345678", 1), ("123456789", 2)]
)
def test_shingles(text, count):
    assert len(shingles(text)) == count
