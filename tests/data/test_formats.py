import gzip
import json

import pytest

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.readers import parse_columns, read_postings, scan_postings
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.writers import write_postings
from muse_jobs.errors import InputError

POSTINGS = [
    JobPosting(
        "1",
        "พ่อครัว",
        None,
        'ทำอาหาร "ไทย"\tและ\nขนม',
        ("food", "hospitality"),
        "cook",
        ("a", "b"),
    ),
    JobPosting("2", "ครู", "Teacher", "", ()),
]
NAMES = ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.csv", "a.csv.gz", "a.tsv"]
NAMES += ["a.parquet", "a.tfrecord"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_again(tmp_path, name):
    assert write_postings(tmp_path / name, POSTINGS) == 2
    found = read_postings([tmp_path / name]).postings
    for posting, expected in zip(found, POSTINGS, strict=True):
        for column in JobPosting.__slots__[:-1]:
            assert getattr(posting, column) == getattr(expected, column), column
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_extra_columns_survive_jsonl(tmp_path):
    posting = JobPosting("1", "ครู", extra={"สาขา": "บางนา", "n": 3})
    write_postings(tmp_path / "a.jsonl", [posting])
    assert read_postings([tmp_path / "a.jsonl"]).postings == [posting]


def test_globs_and_folders_are_read_sorted(tmp_path):
    for name in ("b", "a", "c"):
        posting = JobPosting(name, None, f"Job {name}")
        write_postings(tmp_path / "in" / f"{name}.jsonl", [posting])
    (tmp_path / "in" / "notes.txt").write_text("not read from a folder")
    for path in (tmp_path / "in", tmp_path / "in" / "*.jsonl"):
        assert [p.id for p in read_postings([path]).postings] == ["a", "b", "c"]
    with pytest.raises(InputError, match="no such file"):
        read_postings([tmp_path / "in" / "*.csv"])


def test_columns_are_renamed(tmp_path):
    (tmp_path / "a.csv").write_text("nr,ชื่อ,note\n7,ครู,x\n", "utf-8")
    columns = parse_columns("id=nr,title_th=ชื่อ")
    (posting,) = read_postings([tmp_path / "a.csv"], columns=columns).postings
    assert (posting.id, posting.title_th, posting.extra) == ("7", "ครู", {"note": "x"})


@pytest.mark.parametrize("text", ["title_th", "title_th=", "=x"])
def test_a_bad_column_mapping_is_one_error(text):
    with pytest.raises(InputError, match="--columns: expected title_th=YOURS"):
        parse_columns(text)


def test_an_unknown_column_name_is_one_error(tmp_path):
    write_postings(tmp_path / "a.jsonl", POSTINGS)
    with pytest.raises(InputError, match="expected names of id.*received titel"):
        read_postings([tmp_path / "a.jsonl"], columns={"titel": "x"})


@pytest.mark.parametrize(
    "name", ["a.jsonl.gz", "a.jsonl.zst", "a.parquet", "a.tfrecord"]
)
@pytest.mark.parametrize("fault", ["cut", "garbled"])
def test_a_damaged_file_is_one_error(tmp_path, name, fault):
    path = tmp_path / name
    write_postings(path, sample_postings(postings_per_role=1))
    content = path.read_bytes()
    half = len(content) // 2
    if fault == "garbled":
        path.write_bytes(content[:half] + bytes(64) + content[half + 64 :])
    else:
        path.write_bytes(content[:half])
    with pytest.raises(InputError) as raised:
        read_postings([path])
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_a_ten_megabyte_description_is_a_reject(tmp_path):
    rows = [{"id": 1, "title_en": "a", "description": "x" * 10_000_000}]
    rows.append({"id": 2, "title_en": "b"})
    for name, text in {
        "a.jsonl": "\n".join(map(json.dumps, rows)),
        "a.csv": f"id,title_en,description\n1,a,{'x' * 10_000_000}\n2,b,\n",
    }.items():
        (tmp_path / name).write_text(text)
        result = read_postings([tmp_path / name])
        assert [p.id for p in result.postings] == ["2"]
        assert result.rejects[0].field == "description"


def test_too_many_rejects_stop_the_run(tmp_path):
    rows = [{"id": n, "title_en": "a" if n else ""} for n in range(4)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert len(read_postings([path], max_rejects=0.25).postings) == 3
    rejects = tmp_path / "rejects.jsonl"
    with pytest.raises(InputError, match="1 rows were rejected beside 3 good ones"):
        read_postings([path], max_rejects=0.2, rejects_file=rejects)
    assert len(rejects.read_text().splitlines()) == 1


def test_reading_streams(tmp_path):
    """The first posting comes before the damage at the file's end is seen."""
    path = tmp_path / "a.jsonl.gz"
    write_postings(path, sample_postings(postings_per_role=2))
    path.write_bytes(path.read_bytes()[:-100])
    scanned = scan_postings([path])
    assert isinstance(next(scanned), JobPosting)
    with pytest.raises(InputError, match="cut off"):
        list(scanned)


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    import sys

    (tmp_path / "a.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r'pip install "muse-jobs\[parquet\]"'):
        read_postings([tmp_path / "a.parquet"])


def test_a_gzip_of_nothing_is_empty(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(InputError, match="the file is empty"):
        read_postings([tmp_path / "a.jsonl.gz"])
