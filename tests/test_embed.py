import json
import os
import signal
import subprocess
import sys

import numpy as np
import pyarrow.parquet
import pytest

from muse_jobs import embed
from muse_jobs.commandline import track
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.writers import write_postings
from muse_jobs.errors import InputError
from tests import hash_encoder

ENCODER = "tests.hash_encoder:encode"
FORMATS = [f"a{end}{packed}" for end in (".jsonl", ".csv", ".tsv") for packed in
           ("", ".gz", ".zst")]  # fmt: skip
FORMATS += ["a.parquet", "a.tfrecord"]


@pytest.fixture(scope="module")
def postings():
    return sample_postings(postings_per_role=1)


def unit(text):
    vector = hash_encoder.vector(text)
    return vector / np.sqrt((vector**2).sum())


def run(*arguments, encoder=ENCODER):
    assert embed.main([*map(str, arguments), "--encoder", encoder]) == 0


def read(output):
    ids_file = output.with_suffix(".ids.jsonl")
    ids = [json.loads(line) for line in ids_file.read_text("utf-8").splitlines()]
    return ids, np.load(output)


def write_texts(path, count):
    path.write_text("".join(f"text {n % (count // 2)}\n" for n in range(count)))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same(tmp_path, capsys, postings, name):
    write_postings(tmp_path / name, postings)
    output = tmp_path / "new" / "v.npy"
    run(tmp_path / name, "--output", output)
    ids, vectors = read(output)
    assert ids == [posting.id for posting in postings]
    expected = [unit(posting.titles[0]) for posting in postings]
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert vectors.dtype == np.float32
    assert sorted(p.name for p in output.parent.iterdir()) == ["v.ids.jsonl", "v.npy"]
    assert "rows: 392 with 3" in capsys.readouterr().out


def test_parquet_has_what_npy_has(tmp_path, postings):
    write_postings(tmp_path / "a.jsonl", postings)
    run(tmp_path / "a.jsonl", "--output", tmp_path / "v.npy")
    run(tmp_path / "a.jsonl", "--output", tmp_path / "v.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "v.parquet")
    ids, vectors = read(tmp_path / "v.npy")
    assert table["id"].to_pylist() == ids
    assert str(table.schema.field("vector").type).startswith("fixed_size_list<")
    np.testing.assert_array_equal(np.stack(table["vector"].to_numpy()), vectors)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("title", {"1": "ครู", "2": "Nurse", "3": "กุ๊ก"}),
        ("title_th", {"1": "ครู", "3": "กุ๊ก"}),
        ("title_en", {"1": "Teacher", "2": "Nurse"}),
        ("description", {"1": "สอนเด็ก"}),
    ],
)
def test_columns(tmp_path, capsys, column, expected):
    rows = [
        {"id": 1, "job": "ครู", "title_en": "Teacher", "description": "สอนเด็ก"},
        {"id": 2, "title_en": "Nurse"},
        {"id": 3, "job": "กุ๊ก"},
        {"id": 3, "job": "used"},
        {"id": 4},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    output = tmp_path / "v.npy"
    run(path, "--columns", "title_th=job", "--column", column, "--output", output)
    ids, vectors = read(output)
    assert ids == list(expected)
    np.testing.assert_allclose(
        vectors, [unit(text) for text in expected.values()], atol=1e-6
    )
    out = capsys.readouterr().out
    assert "2 rejected" in out
    if len(expected) < 3:
        assert f"{3 - len(expected)} without {column}" in out


def test_texts_a_line(tmp_path, capsys):
    (tmp_path / "a.txt").write_bytes("\ufeffครู\r\n\r\nNurse\r\n".encode())
    (tmp_path / "b.txt").write_text("ครู\nid 0812345678")
    output = tmp_path / "v.npy"
    run(tmp_path / "?.txt", "--output", output)
    ids, vectors = read(output)
    assert ids == ["1", "3", "4", "5"]  # the second line is empty
    np.testing.assert_array_equal(vectors[0], vectors[2])
    expected = [unit(text) for text in ("ครู", "Nurse", "ครู", "id [phone]")]
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert "rows: 4 with 3 distinct texts; left out: 1 empty" in capsys.readouterr().out


@pytest.mark.parametrize(("flags", "text"), [([], "ครู [phone]"),
    (["--keep-personal-data"], "ครู 081-234-5678")])  # fmt: skip
def test_personal_data_is_masked_by_default(tmp_path, flags, text):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": "a", "title_th": "ครู 081-234-5678"}))
    run(path, "--output", tmp_path / "v.npy", *flags)
    _, vectors = read(tmp_path / "v.npy")
    np.testing.assert_allclose(vectors, [unit(text)], atol=1e-6)


KILLED = """
import os, signal, sys
from muse_jobs import embed
from muse_jobs.encoder import embedding
embedding.SAVE_SECONDS, embedding.BLOCK_TEXTS, embedding.BLOCK_ROWS = 0, 50, 50
moment, number, *arguments = sys.argv[1:]
def track(items, description, **options):
    for place, item in enumerate(items):
        if (description, place) == (moment, int(number)):
            os.kill(os.getpid(), signal.SIGKILL)
        yield item
embed.track = track
sys.exit(embed.main(arguments))
"""


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
@pytest.mark.parametrize(
    ("moment", "number", "left"),
    [("read", 700, 500), ("embed", 120, 400), ("embed", 499, 50), ("write", 5, 0)],
)
def test_a_killed_run_goes_on(tmp_path, suffix, moment, number, left):
    """``left``: of 500 texts in blocks of 50, those that were not saved."""
    write_texts(tmp_path / "a.txt", 1000)
    outputs = {}
    for name, moments in {"unbroken": [""], "broken": [moment, ""]}.items():
        (tmp_path / name).mkdir()
        log = tmp_path / name / "log"
        output = tmp_path / name / f"v{suffix}"
        for when in moments:
            log.unlink(missing_ok=True)
            done = subprocess.run(
                [sys.executable, "-c", KILLED, when, str(number)]
                + [str(tmp_path / "a.txt"), "--encoder", ENCODER]
                + ["--output", str(output)],
                env={**os.environ, "HASH_ENCODER_LOG": str(log)},
                capture_output=True,
                text=True,
            )
            assert done.returncode == (-signal.SIGKILL if when else 0), done.stderr
            assert output.exists() == (not when)
        encoded = log.read_text().splitlines()[8:]  # behind the probes
        assert len(encoded) == (500 if name == "unbroken" else left)
        log.unlink()
        outputs[name] = {p.name: p.read_bytes() for p in output.parent.iterdir()}
        assert ("continued: " in done.stdout) == (name == "broken" and left < 500)
    assert outputs["broken"] == outputs["unbroken"]
    assert len(outputs["broken"]) == (2 if suffix == ".npy" else 1)


def test_a_kept_run_refuses_other_input_and_another_encoder(tmp_path):
    texts, output = tmp_path / "a.txt", tmp_path / "v.npy"
    write_texts(texts, 1000)
    arguments = [str(texts), "--output", str(output), "--encoder", ENCODER]
    killed = [sys.executable, "-c", KILLED, "embed", "120", *arguments]
    assert subprocess.run(killed).returncode == -signal.SIGKILL
    with pytest.raises(InputError, match="encoder was .*:encode and is .*otherwise"):
        run(texts, "--output", output, encoder="tests.hash_encoder:encode_otherwise")
    with pytest.raises(InputError, match="--keep-personal-data was False and is True"):
        run(texts, "--output", output, "--keep-personal-data")
    texts.write_text("another")
    with pytest.raises(InputError, match="v.npy.work: .*file 1 was .*remove"):
        run(texts, "--output", output)
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jsonl"], "none.jsonl: no such file"),
        (["none.txt"], "none.txt: no such file"),
        (["a.txt", "a.jsonl"], "files of postings or .txt files, received both"),
        (["a.txt", "--column", "title_th"], "--column and --columns are for postings"),
        (["a.md"], "a.md: expected a name that ends in .jsonl"),
        (["a.jsonl", "--output", "v.bin"], ".npy or .parquet, received v.bin"),
        (["a.parquet", "--output", "a.parquet"], "a.parquet is an input; choose"),
        (["a.jsonl", "--output", "a.txt/v.npy"], "a.txt: cannot be written"),
        (["a.jsonl", "--column", "description"], "received none .1 without descr"),
        (["empty.txt"], "received none .no line"),
        (["thai.txt"], "thai.txt: not UTF-8 .*iconv -f cp874"),
        (["bad.jsonl"], "bad.jsonl: not one usable posting"),
        (["a.jsonl", "--columns", "x=y"], "--columns: expected names of id"),
        (["a.jsonl", "--encoder", "nowhere"], "encoder nowhere: expected auto"),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("ครู")
    (tmp_path / "a.md").write_text("ครู")
    (tmp_path / "a.parquet").write_text("ครู")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "thai.txt").write_bytes("ครู".encode("cp874"))
    (tmp_path / "a.jsonl").write_text('{"id": "1", "title_th": "ครู"}')
    (tmp_path / "bad.jsonl").write_text('{"id": "1", "title_th": 3}')
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message) as raised:
        embed.main(["--output", "v.npy", "--encoder", ENCODER, *arguments])
    assert "\n" not in str(raised.value)
    assert sorted(tmp_path.iterdir()) == before


def test_an_error_is_status_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "muse_jobs.embed", "none.txt", "--output", "v.npy"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: none.txt: no such file\n"


def test_plain_muse(tmp_path, encoder, string_batch):
    texts = ["พยาบาลวิชาชีพ", "registered nurse", "nurse", "registered nurse"]
    (tmp_path / "a.txt").write_text("\n".join(texts), "utf-8")
    run(tmp_path / "a.txt", "--output", tmp_path / "v.npy", encoder="packaged")
    _, vectors = read(tmp_path / "v.npy")
    np.testing.assert_allclose(vectors, encoder(string_batch(*texts)), atol=1e-6)
    np.testing.assert_array_equal(vectors[1], vectors[3])


def test_help_answers_without_tensorflow():
    code = (
        "import sys\n"
        "from muse_jobs import embed\n"
        "try: embed.main(['--help'])\n"
        "finally: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("False\n")
    assert "--keep-personal-data" in done.stdout


def test_the_bar_shows_the_rate(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # takes the output for a terminal
    assert list(track(range(20_000), "embed")) == list(range(20_000))
    shown = capsys.readouterr().err
    assert "embed" in shown and "20000/20000" in shown and "/s" in shown


@pytest.mark.slow
def test_memory_stays_below_the_vectors(tmp_path):
    """150,000 vectors of 512 numbers are 307 MB."""
    with (tmp_path / "a.txt").open("w") as file:
        file.writelines(f"text {number}\n" for number in range(150_000))
    code = (
        "import sys\n"
        "from muse_jobs import embed\n"
        "embed.main(sys.argv[1:])\n"
        "print(open('/proc/self/status').read())"
    )
    arguments = [str(tmp_path / "a.txt"), "--output", str(tmp_path / "v.npy")]
    arguments += ["--encoder", "tests.hash_encoder:encode_wide"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert (tmp_path / "v.npy").stat().st_size > 307e6
    (peak,) = (line for line in done.stdout.splitlines() if "VmHWM" in line)
    assert int(peak.split()[1]) * 1024 < 200e6
