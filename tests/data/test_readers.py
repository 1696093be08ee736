import json

import pytest

from muse_jobs.data.postings import BadPosting, JobPosting, parse_posting
from muse_jobs.data.readers import read_postings
from muse_jobs.errors import InputError

GOOD = {"id": "1", "title_th": "พ่อครัว", "title_en": "Cook", "fields": ["food"]}


def write(path, *rows):
    lines = [
        r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in rows
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_jsonl_and_csv_give_the_same_postings(tmp_path):
    row = {**GOOD, "description": 'ทำอาหาร, "เมนู"\nสองบรรทัด', "fields": ["b", "a"]}
    jsonl = write(tmp_path / "a.jsonl", {**row, "branch": "บางนา"})
    csv = tmp_path / "a.csv"
    csv.write_text(
        "id,title_th,title_en,description,fields,branch\n"
        '1,พ่อครัว,Cook,"ทำอาหาร, ""เมนู""\nสองบรรทัด",b|a,บางนา\n',
        encoding="utf-8-sig",
    )
    (from_jsonl,) = read_postings([jsonl]).postings
    (from_csv,) = read_postings([csv]).postings
    assert from_jsonl == from_csv
    assert from_jsonl == JobPosting(
        id="1",
        title_th="พ่อครัว",
        title_en="Cook",
        description=row["description"],
        fields=("a", "b"),
        extra={"branch": "บางนา"},
    )


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        ('{"id": "2", "title_th": ', "line", "not JSON"),
        ('["not", "an object"]', "line", "not a JSON object"),
        ({"title_th": "พ่อครัว"}, "id", "missing"),
        ({"id": "2", "title_th": " ", "title_en": None}, "title_th", "nor is title_en"),
        ({"id": "1", "title_th": "พ่อครัว"}, "id", "earlier posting"),
        ({"id": "2", "title_en": 7}, "title_en", "expected text, received int"),
        ({"id": "2", "title_en": "a\0b"}, "title_en", "NUL"),
        ({"id": "2", "title_en": "x" * 501}, "title_en", "at most 500"),
        ({"id": "2", "title_en": "x", "fields": {"a": 1}}, "fields", "a list"),
        ({"id": True, "title_en": "x"}, "id", "received bool"),
        (
            {"id": "2", "title_en": "-", "title_th": "\u200b"},
            "title_th",
            "is no title, nor is title_en",
        ),
        ('{"id": "2", "title_en": "Sales \\ud83d"}', "title_en", "half a character"),
        ('{"id": ' + "9" * 5000 + "}", "line", "not JSON"),
    ],
)
def test_a_bad_row_is_rejected_with_line_field_and_reason(tmp_path, bad, field, reason):
    path = write(tmp_path / "a.jsonl", GOOD, bad, {**GOOD, "id": 3})
    rejects_file = tmp_path / "rejects.jsonl"
    result = read_postings([path], rejects_file=rejects_file)
    assert [posting.id for posting in result.postings] == ["1", "3"]
    (reject,) = [json.loads(x) for x in rejects_file.read_text("utf-8").splitlines()]
    assert (reject["file"], reject["line"], reject["field"]) == (str(path), 2, field)
    assert reason in reject["reason"]


def test_rejects_do_not_repeat_the_rows_text(tmp_path):
    path = write(
        tmp_path / "a.jsonl", GOOD, {"id": "2", "description": "โทร 0812345678"}
    )
    read_postings([path], rejects_file=tmp_path / "r.jsonl")
    assert "0812345678" not in (tmp_path / "r.jsonl").read_text("utf-8")


def test_a_bad_first_row_does_not_cost_the_file(tmp_path):
    path = write(tmp_path / "a.jsonl", {"title_th": "ไม่มีรหัส"}, GOOD)
    result = read_postings([path])
    assert len(result.postings) == len(result.rejects) == 1


def test_a_column_without_a_name_is_kept_apart(tmp_path):
    """pandas writes its index so."""
    (tmp_path / "a.csv").write_text(",id,title_en\n0,7,Cook\n", "utf-8")
    (posting,) = read_postings([tmp_path / "a.csv"]).postings
    assert (posting.id, posting.extra) == ("7", {"": "0"})


def test_no_rejects_file_without_rejects(tmp_path):
    read_postings([write(tmp_path / "a.jsonl", GOOD)], rejects_file=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_a_row_with_too_many_cells_is_rejected(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,title_en\n1,Cook,extra\n2,Chef\n", encoding="utf-8")
    result = read_postings([path])
    assert [posting.id for posting in result.postings] == ["2"]
    assert result.rejects[0].line == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"", "not one usable posting.*empty"),
        ("a.csv", b"", "not one usable posting.*empty"),
        ("a.csv", b"id,title_en\n", "not one usable posting.*empty"),
        ("a.csv", b"nr,name\n1,Cook\n", "expected columns id, title_th.*nr, name"),
        ("a.jsonl", b'{"nr": 1, "name": "x"}\n', "expected columns.*nr, name"),
        ("a.jsonl", b'{"id": 1, "title_en": ""}\n', "first reject: line 1, title_th"),
        ("a.jsonl", "พ่อครัว".encode("cp874"), "not UTF-8.*iconv -f cp874"),
        ("a.csv", "id,title_th\n1,กุ๊ก".encode("utf-16"), "UTF-16: iconv -f utf-16"),
        ("a.csv", b"id;title_en\n1;Cook\n", "semicolons.*save it with commas"),
        ("a.csv", b"id\ttitle_en\n1\tCook\n", "tabs.*save it with commas"),
        ("a.xlsx", b"PK", "ends in .jsonl, .csv, .tsv"),
        ("a.csv", b'id,title_en\n1,"open', "after line 1: unexpected end"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_error(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        read_postings([tmp_path / name])
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere.jsonl: no such file"):
        read_postings([tmp_path / "nowhere.jsonl"])


@pytest.mark.parametrize("placeholder", ["-", "N/A", "null", "ไม่ระบุ", "\u200b", " "])
def test_what_exports_write_for_no_title_is_none(placeholder):
    row = {"id": "1", "title_th": placeholder, "title_en": "Cook"}
    assert parse_posting(row).titles == ("Cook",)
    with pytest.raises(BadPosting, match="is no title, nor is title_en"):
        parse_posting({**row, "title_en": placeholder})
