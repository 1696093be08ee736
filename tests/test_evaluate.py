import json
import subprocess
import sys

import numpy as np
import pytest

from muse_jobs import evaluate
from muse_jobs.errors import InputError

ROWS = [
    {"query": "ครู", "relevant": ["Teacher", "อาจารย์"]},
    {"query": "Teacher", "relevant": ["ครู", "อาจารย์"]},
    {"query": "พ่อครัว", "relevant": ["Cook", "Chef"]},
    {"query": "<b>Cook</b>", "relevant": ["พ่อครัว"]},
]


@pytest.fixture
def queries(tmp_path):
    path = tmp_path / "queries.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS), "utf-8")
    return path


@pytest.fixture
def vectors(queries, tmp_path):
    """Texts written by the command, vectors made outside of it."""
    texts_file = tmp_path / "vectors.jsonl"
    argv = ["--benchmark", f"queries={queries}", "--write-texts", str(texts_file)]
    assert evaluate.main(argv) == 0
    texts = [json.loads(line) for line in texts_file.read_text("utf-8").splitlines()]
    assert len(texts) == len(set(texts)) == 7
    rows = np.random.default_rng(0).normal(size=(len(texts), 16))
    np.save(tmp_path / "vectors.npy", rows.astype(np.float32))
    return tmp_path / "vectors.npy"


def test_stored_vectors_against_plain_muse(queries, vectors, tmp_path, capsys):
    output = tmp_path / "out"
    argv = ["--encoder", "packaged", "--against", str(vectors)]
    argv += ["--benchmark", f"queries={queries}", "--output", str(output)]
    assert evaluate.main(argv) == 0
    table = capsys.readouterr().out
    assert "Recall@10, combined pool" in table and "report.html" in table
    report = json.loads((output / "report.json").read_text("utf-8"))
    names = [encoder["name"] for encoder in report["encoders"]]
    assert names[0] == "packaged" and len(names) == 2
    (benchmark,) = report["benchmarks"]
    assert set(benchmark["figures"]["mrr"]) == set(names)
    assert benchmark["differences"]["mrr"][names[1]]["p_value"] <= 1
    page = (output / "report.html").read_text("utf-8")
    assert "&lt;b&gt;Cook" in page and "<b>Cook" not in page
    assert "พ่อครัว" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--benchmark", "titles"], "expected NAME=PATH, received titles"),
        (["--benchmark", "x=y"], "expected one of titles"),
        (["--benchmark", "titles=nowhere"], "nowhere.*no such file"),
        (["--benchmark", "queries=nowhere.jsonl"], "no such file"),
        (["--benchmark", "titles=a", "--units", "none"], "--units: none: no such"),
    ],
)
def test_bad_input_is_one_error(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message) as raised:
        evaluate.main(arguments)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "evaluation").exists()


def test_missing_vectors_are_named_by_number(queries, vectors, tmp_path):
    other = tmp_path / "more.jsonl"
    other.write_text('{"query": "นักบิน", "relevant": ["Pilot"]}', "utf-8")
    with pytest.raises(InputError, match="2 .*--write-texts"):
        evaluate.main(["--encoder", str(vectors), "--benchmark", f"queries={other}"])


def test_units_keep_to_held_out_ones(public_data, tmp_path, capsys):
    (tmp_path / "units.txt").write_text("2512\nisco:2611\n")
    argv = ["--benchmark", f"titles={public_data}", "--units"]
    argv += [str(tmp_path / "units.txt"), "--write-texts", str(tmp_path / "t.jsonl")]
    assert evaluate.main(argv) == 0
    texts = (tmp_path / "t.jsonl").read_text("utf-8")
    assert "lawyer" in texts and len(texts.splitlines()) == 8


def test_help_answers_without_tensorflow():
    code = (
        "import sys\n"
        "from muse_jobs import evaluate\n"
        "try: evaluate.main(['--help'])\n"
        "finally: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("False\n")
    assert "sentence-transformers" in done.stdout
