import re
from collections import Counter

import pytest

from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.sample.lexicon import load_lexicon
from muse_jobs.data.splits import split_postings
from muse_jobs.data.text import language_of, normalize, title_key

FIELDS, ROLES = load_lexicon()
POSTINGS = sample_postings()


def words(text):
    """Words of a text; a Thai word is counted as 4.5 characters, about its average."""
    thai = len(re.findall(r"[\u0e01-\u0e2e\u0e30-\u0e4e]", text))
    return len(re.findall(r"[A-Za-z0-9][\w,.'-]*", text)) + thai / 4.5


def test_the_lexicon_is_as_large_as_promised():
    assert len(FIELDS) == 28
    assert len(ROLES) >= 336
    homes = Counter(role.fields[0] for role in ROLES)
    assert set(homes) == {field.id for field in FIELDS}
    assert min(homes.values()) >= 12
    assert sum(len(role.fields) > 1 for role in ROLES) > len(ROLES) / 4


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.id)
def test_a_role_is_complete(role):
    assert re.fullmatch(r"\d{4}", role.isco)
    assert set(role.fields) <= {field.id for field in FIELDS}
    assert len(set(map(title_key, role.titles_th))) == len(role.titles_th) >= 2
    assert len(set(map(title_key, role.titles_en))) == len(role.titles_en) >= 2
    assert all(language_of(title) in ("th", "mixed") for title in role.titles_th)
    assert all(language_of(title) == "en" for title in role.titles_en)
    assert len(role.duties) >= 4
    for thai, english in role.duties:
        assert language_of(thai) in ("th", "mixed")
        assert language_of(english) == "en"
        assert normalize(thai) == thai, "Thai spelling: sara am, sara ae, invisible"


def test_no_title_names_two_roles():
    owners = {}
    for role in ROLES:
        for title in role.titles_th + role.titles_en:
            assert owners.setdefault(title_key(title), role.id) == role.id


def test_isco_units_exist(public_data):
    table = (public_data / "isco08-thai" / "isco08_en.tsv").read_text("utf-8")
    units = {line.split("\t")[0] for line in table.splitlines()}
    assert {role.isco for role in ROLES} <= units


def test_postings_are_made_by_the_seed():
    assert sample_postings() == POSTINGS
    assert sample_postings(seed=1) != POSTINGS
    assert len({posting.id for posting in POSTINGS}) == len(POSTINGS) == 12 * len(ROLES)


def test_descriptions_have_30_to_200_words():
    lengths = [words(posting.description) for posting in POSTINGS]
    inside = sum(30 <= length <= 200 for length in lengths) / len(lengths)
    assert inside > 0.99, (min(lengths), max(lengths))


def test_titles_and_descriptions_come_in_every_mixture():
    titles = Counter(tuple(bool(t) for t in (p.title_th, p.title_en)) for p in POSTINGS)
    descriptions = Counter(language_of(p.description) for p in POSTINGS)
    assert min(titles[True, True], titles[True, False], titles[False, True]) > 400
    assert min(descriptions["th"], descriptions["en"], descriptions["mixed"]) > 400


def test_no_role_of_the_test_part_was_seen():
    split = split_postings(POSTINGS)
    roles = [
        {p.role for p in part} for part in (split.train, split.validation, split.test)
    ]
    assert (
        not roles[0] & roles[1] and not roles[0] & roles[2] and not roles[1] & roles[2]
    )
    keys = [
        {title_key(t) for p in part for t in p.titles}
        for part in (split.train, split.test)
    ]
    assert not keys[0] & keys[1]
