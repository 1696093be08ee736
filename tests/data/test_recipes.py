"""Counts are those of the files in the public data folder, read once by hand."""

import pytest

from muse_jobs.data.recipes import (
    RECIPES,
    esco,
    esco_isco,
    isco_sets,
    isco_thai,
    onet,
    parallel,
    scb_mt,
)
from muse_jobs.data.splits import check_split, split_postings
from muse_jobs.data.text import language_of
from muse_jobs.errors import InputError


def test_isco_thai(public_data):
    postings = isco_thai(public_data / "isco08-thai")
    assert len(postings) == 581  # 593 rows, 12 of them without an English unit title
    assert len({p.role for p in postings}) == 314
    head = next(p for p in postings if p.title_th == "ผู้ใหญ่บ้าน")
    assert head.title_en == "Traditional Chiefs and Heads of Villages"
    assert head.categories == ("isco:1", "isco:11", "isco:111", "isco:1113")
    assert head.fields == ("isco:11",)


def test_esco(public_data):
    postings = esco(public_data / "esco")
    assert len(postings) == len({p.id for p in postings}) == 3039
    assert all(p.title_en and p.description for p in postings)
    assert sum(len(p.extra["alt_labels"]) for p in postings) > 25_000


def test_esco_isco(public_data):
    postings = esco_isco(public_data)
    assert len(postings) == len({p.id for p in postings}) == 3119
    assert sum(len(p.titles) == 2 for p in postings) == 2174
    thai = {p.title_th for p in postings if p.title_th}
    assert thai == {p.title_th for p in isco_thai(public_data / "isco08-thai")}
    split = split_postings(postings)
    units = [{p.role for p in part} for part in (split.train, split.validation)]
    assert not units[0] & units[1]
    assert not {p.role for p in split.test} & (units[0] | units[1])
    assert not any(check_split(split).values())


def test_onet(public_data):
    postings = onet(public_data / "onet")
    assert len(postings) == 1016
    first = postings[0]
    assert (first.id, first.title_en) == ("onet-11-1011.00", "Chief Executives")
    assert first.categories[0] == "soc:11" and first.categories[-1] == first.role
    assert "Bank President" in first.extra["alt_labels"]
    assert first.description.count("\n") > 10


def test_parallel(public_data, tmp_path):
    pairs = parallel(public_data / "msdocs-th-en" / "eval.tsv", thai="th", english="en")
    assert len(pairs) == 2000
    assert sum(language_of(thai) in ("th", "mixed") for thai, _ in pairs) > 1900
    (tmp_path / "scb.csv").write_text(
        'en_text,th_text\n"Hello, you",สวัสดี\n"hello,  you",สวัสดี\n,ว่าง\n', "utf-8"
    )
    assert scb_mt(tmp_path / "scb.csv") == [("สวัสดี", "Hello, you")]


@pytest.mark.parametrize("name", RECIPES)
def test_a_missing_file_is_one_error(name, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        RECIPES[name](tmp_path)


def test_another_version_is_one_error(tmp_path):
    (tmp_path / "thai_titles.tsv").write_text("code\ttitle\n1\tx\n")
    with pytest.raises(InputError, match="received code, title: another version"):
        isco_thai(tmp_path)


def test_isco_ancestors():
    assert isco_sets("2512")["categories"] == (
        "isco:2",
        "isco:25",
        "isco:251",
        "isco:2512",
    )
