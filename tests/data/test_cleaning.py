from muse_jobs.data.cleaning import title_languages, unify_fields
from muse_jobs.data.postings import JobPosting


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
