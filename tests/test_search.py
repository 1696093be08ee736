import io
import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from muse_jobs import search
from muse_jobs.errors import InputError
from muse_jobs.serving.index import SearchIndex
from tests import hash_encoder

ENCODER = "tests.hash_encoder:encode"
ROWS = [
    {"id": 1, "title_th": "ครู โทร 081-234-5678", "title_en": "Teacher"},
    {"id": 2, "title_th": "พนักงานขาย", "title_en": "Sales"},
    {"id": 3, "title_en": "Sales"},
    {"id": 4, "title_th": "กุ๊ก \x1b[31m"},
    {"id": 4, "title_th": "used"},
]


@pytest.fixture
def postings(tmp_path):
    path = tmp_path / "postings.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture
def folder(tmp_path, postings, capsys):
    folder = tmp_path / "index"
    run("build", postings, "--encoder", ENCODER, "--index", folder)
    capsys.readouterr()
    return folder


def run(*arguments):
    assert search.main([*map(str, arguments)]) == 0


def test_both_titles_of_a_posting_are_entries(tmp_path, postings, capsys):
    run("build", postings, "--encoder", ENCODER, "--index", tmp_path / "index")
    assert capsys.readouterr().out.splitlines() == [
        "postings: 4, 5 distinct titles; rejected: 1",
        f"index: {tmp_path / 'index'}, 5 titles, encoder {ENCODER}",
    ]
    index = SearchIndex.load(tmp_path / "index")
    assert [*zip(index.titles, index.languages, index.ids, strict=True)] == [
        ("ครู โทร [phone]", "mixed", ["1"]),
        ("Teacher", "en", ["1"]),
        ("พนักงานขาย", "th", ["2"]),
        ("Sales", "en", ["2", "3"]),
        ("กุ๊ก \x1b[31m", "mixed", ["4"]),
    ]


def test_personal_data_is_kept_when_asked(tmp_path, postings):
    arguments = ["--encoder", ENCODER, "--index", tmp_path, "--keep-personal-data"]
    run("build", postings, *arguments)
    assert "081-234-5678" in SearchIndex.load(tmp_path).titles[0]


def test_columns_have_other_names(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,job\n1,Cook\n")
    index = tmp_path / "index"
    run("build", path, "--encoder", ENCODER, "--index", index,
        "--columns", "title_en=job")  # fmt: skip
    assert list(SearchIndex.load(index).titles) == ["Cook"]


def test_query_prints_a_table(folder, capsys):
    run("query", "--index", folder, "-k", 5, "Sales")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Sales"
    assert lines[1].split() == ["1", "1.000", "en", "Sales", "2", "+", "1"]
    assert [line.split()[0] for line in lines[1:6]] == list("12345")
    # 1 Thai and 2 English titles; two are in both.
    assert lines[6].startswith("Thai among the results: 33%; ")
    assert lines[6].endswith(" ms")
    assert "\x1b" not in "".join(lines)


def test_the_columns_of_thai_titles_stand_below_one_another():
    result = {"score": 0.5, "language": "th", "title": "กุ๊ก", "ids": ["x"]}
    other = {"score": 0.25, "language": "en", "title": "Cook", "ids": ["y", "z"]}
    # The marks above and below take no column: 2 of them in 4 characters.
    assert search.format_results([result, other]) == (
        "   1   0.500  th     กุ๊ก    x\n   2   0.250  en     Cook  y + 1"
    )


def test_queries_from_standard_input(folder, capsys, monkeypatch):
    text = "พนักงานขาย\n\n".encode() + b"Cook \xff\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    run("query", "--index", folder, "-k", 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "พนักงานขาย" and lines[4] == "Cook \ufffd"
    assert len(lines) == 8


def test_only_the_model_of_the_index_may_ask(folder):
    other = "tests.hash_encoder:encode_otherwise"
    with pytest.raises(InputError, match=f"another model .{ENCODER}"):
        search.main(["query", "--index", str(folder), "--encoder", other, "Cook"])


def test_each_distinct_title_is_encoded_once(tmp_path, postings, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("HASH_ENCODER_LOG", str(log))
    run("build", postings, "--encoder", ENCODER, "--index", tmp_path / "index")
    assert log.read_text("utf-8").splitlines().count("Sales") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["query", "--index", "{tmp}/none", "Cook"], "no index there"),
        (["query", "--index", "{tmp}/index", ""], "received an empty one"),
        (["query", "--index", "{tmp}/index", "Cook", " "], "received an empty one"),
        (["query", "--index", "{tmp}/index"], "received none"),
        (["query", "--index", "{tmp}/index", "-k", "0", "Cook"], "-k: expected"),
        (["build", "{tmp}/no.jsonl", "--index", "{tmp}/i"], "no such file"),
        (["build", "{tmp}/empty.jsonl", "--index", "{tmp}/i"], "not one usable"),
        (["build", "{tmp}/postings.jsonl", "--encoder", "no", "--index", "{tmp}/i"],
         "encoder no: expected"),
        (["page", "{tmp}/postings.jsonl", "--plain", "no"], "encoder no: expected"),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(tmp_path, folder, monkeypatch, arguments, message):
    (tmp_path / "empty.jsonl").touch()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(InputError, match=message):
        search.main([argument.format(tmp=tmp_path) for argument in arguments])


def test_page_without_its_extra(postings, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(InputError, match=r'pip install "muse-jobs\[page\]"'):
        search.main(["page", str(postings)])


def test_a_taken_port_is_told_before_the_work(postings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(InputError, match=f"--port {port}: .*in use"):
            search.main(["page", str(postings), "--port", port])


def test_the_page_is_served_until_it_is_stopped(postings):
    command = [sys.executable, "-m", "muse_jobs.search", "page", str(postings)]
    command += ["--plain", ENCODER, "--tuned", f"{ENCODER}_otherwise", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as page:
        assert page.stdout.readline().startswith("postings: 4")
        address = page.stdout.readline().split()[1]
        pool = httpx.get(f"{address}api/pool", trust_env=False).json()
        names = [engine["name"] for engine in pool["engines"]]
        assert names == [f"Plain: {ENCODER}", f"Tuned: {ENCODER}_otherwise"]
        os.kill(page.pid, signal.SIGINT)
        assert page.wait(10) == 130


def test_an_error_is_one_line_and_status_2(tmp_path):
    command = [sys.executable, "-m", "muse_jobs.search"]
    command += ["query", "--index", str(tmp_path), "Cook"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("action", [[], ["build"], ["query"], ["page"]])
def test_help_needs_no_tensorflow(action):
    code = (
        "import sys; from muse_jobs import search\n"
        f"try: search.main({[*action, '--help']})\n"
        "except SystemExit: print({'tensorflow', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("set()\n"), done


def test_the_encoder_of_the_index_is_the_default(folder):
    assert SearchIndex.load(folder).source == ENCODER
    assert len(SearchIndex.load(folder).probes[0]) == hash_encoder.DIM
