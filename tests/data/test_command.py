import json
import subprocess
import sys

import pytest

from muse_jobs.data.__main__ import main
from muse_jobs.data.readers import read_postings
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.writers import write_postings


@pytest.fixture
def jobs(tmp_path):
    path = tmp_path / "jobs.jsonl"
    write_postings(path, sample_postings(postings_per_role=2))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"id": "bad"}\n')
        file.write('{"id": "tel", "title_th": "ครู โทร 0812345678"}\n')
    return path


def test_inspect(jobs, tmp_path, capsys):
    assert main(["inspect", str(jobs), "--json", str(tmp_path / "f.json")]) == 0
    out = capsys.readouterr().out
    assert "0812345678" not in out and "examples" in out
    figures = json.loads((tmp_path / "f.json").read_text("utf-8"))
    assert figures["postings"] == 785 and figures["rejects"] == 1
    assert figures["fields"] == 28 and figures["masked"] == {"phone": 1}
    assert set(figures["description languages"]) == {"th", "en", "mixed"}


def test_validate_lists_rejects_and_fails(jobs, tmp_path, capsys):
    rejects = tmp_path / "rejects.jsonl"
    assert main(["validate", str(jobs), "--rejects", str(rejects)]) == 1
    out = capsys.readouterr().out
    assert f"{jobs}:785: title_th is no title" in out
    assert "785 postings, 1 rejects" in out
    assert len(rejects.read_text().splitlines()) == 1


@pytest.mark.parametrize("duplicates", ["keep", "exact", "near"])
def test_convert(jobs, tmp_path, capsys, duplicates):
    output = tmp_path / "jobs.parquet"
    argv = ["convert", str(jobs), "--output", str(output), "--duplicates", duplicates]
    assert main(argv) == 0
    assert 600 < len(read_postings([output]).postings) <= 785


def test_split_is_the_same_for_any_order_of_files(jobs, tmp_path):
    postings = read_postings([jobs]).postings
    parts = [postings[::2], postings[1::2]]
    for number, part in enumerate(parts):
        write_postings(tmp_path / f"part{number}.jsonl", part)
    one, other = tmp_path / "one", tmp_path / "other"
    files = [str(tmp_path / f"part{number}.jsonl") for number in (0, 1)]
    assert main(["split", *files, "--output", str(one)]) == 0
    assert main(["split", *files[::-1], "--output", str(other)]) == 0
    assert main(["split", str(jobs), "--output", str(tmp_path / "whole")]) == 0
    for name in ("train", "validation", "test"):
        content = (one / f"{name}.jsonl").read_bytes()
        assert content
        for folder in (other, tmp_path / "whole"):
            assert content == (folder / f"{name}.jsonl").read_bytes()


def test_help_is_quick_and_needs_no_tensorflow():
    code = (
        "import sys\n"
        "from muse_jobs.data.__main__ import main\n"
        "try: main(['--help'])\n"
        "finally: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("False\n")
    for command in ("inspect", "validate", "convert", "split", "recipe"):
        assert command in done.stdout
