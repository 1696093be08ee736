"""Every command in the README and in docs/ is run, or named here with the reason.

The long ones are run in a shortened form. All pages are run in one folder, in the order
of `PAGES`: what a page makes, the next one may use.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.writers import write_postings
from muse_jobs.training.config import TrainConfig

CHECKOUT = Path(__file__).parent.parent
PAGES = [
    "README.md",
    *sorted(f"docs/{p.name}" for p in (CHECKOUT / "docs").glob("*.md")),
]
SHORT = (
    "--encoder packaged --batch-size 16 --max-tokens 16 --cycles 2 --validate-every 2"
)

# The start of a command, without the interpreter -> why it is not run here.
NOT_RUN = {
    "python3 -m venv": "sets up an environment: .ci/run and .ci/release do",
    "pytest": "the tests themselves",
    "ruff": "CI runs it",
    "muse_jobs.encoder check tfhub": "TF-Hub; `pytest -m hub` where it can be reached",
    "muse_jobs.encoder list tfhub": "TF-Hub",
    "muse_jobs.search page": "serves until it is stopped: tests/serving/test_page.py",
    "muse_jobs.evaluate --encoder BGE_M3_FOLDER": "weights that cannot be had here",
    "docker": "no Docker engine",
    "kubectl": "no cluster",
    "curl": "asks a server: tests/serving/test_client.py",
}
# The start of a command -> what is put behind it: later flags win.
SHORTENED = {
    "muse_jobs.train --resume": "--cycles 3",
    "muse_jobs.train --postings esco.jsonl": SHORT + " --tasks jt",
    "muse_jobs.train": SHORT,
    "muse_jobs.study": "--smallest --encoder packaged",
}
ON_PATH = re.compile(r"^(?:\.venv/bin/)?(?:python3? -m )?")


def blocks(page, *, python):
    text = (CHECKOUT / page).read_text("utf-8")
    for language, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S):
        if (language == "python") == python:
            yield body


def commands(page):
    """The commands of a page, without the interpreter and the comment."""
    for body in blocks(page, python=False):
        for line in body.replace("\\\n", " ").splitlines():
            if re.match(
                r"(\.venv/bin/)?python3? -m |\.venv/bin/|docker|curl|kubectl", line
            ):
                line = re.sub(r"\s+#.*$", "", line)
                is_setup = line.startswith("python3 -m venv")
                yield line if is_setup else ON_PATH.sub("", line)


def starts(command, table):
    return next((key for key in table if command.startswith(key)), None)


def shell(words, folder):
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.fspath(CHECKOUT)},
    )
    assert done.returncode == 0, (words, done.stderr[-2000:])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, public_data):
    folder = tmp_path_factory.mktemp("docs")
    postings = sample_postings(postings_per_role=4)[:400]
    for name, part in (("jobs.jsonl", postings[::2]), ("more.csv", postings[1::2])):
        write_postings(folder / name, part)
    write_postings(folder / "jobs.csv", postings)
    pairs = [f"คำที่ {n}\tword {n}" for n in range(20)]
    (folder / "parallel.tsv").write_text(
        "\n".join(["title_th\ttitle_en", *pairs]), "utf-8"
    )
    (folder / "UNITS").write_text("2411\n2221\n3322\n5120\n", "utf-8")
    for name in ("PUBLIC_DATA", "PUBLIC_FILES"):
        (folder / name).symlink_to(public_data.resolve())
    shutil.copytree(
        CHECKOUT / "savedmodels" / "serving", folder / "savedmodels/serving"
    )
    return folder


def test_the_readme_has_ci_s_two_commands():
    text = (CHECKOUT / "README.md").read_text("utf-8")
    for end in ("python -m muse_jobs.train", "python -m pytest"):
        found = re.findall(rf"^.*{end}$", text, re.M)
        assert len(found) == 1 and found[0].startswith("python3 -m venv .venv && ")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    text = (CHECKOUT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (CHECKOUT / page).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_flags_of_a_command_exist(page):
    for command in commands(page):
        if not command.startswith(("muse_jobs", "benchmarks")):
            assert starts(command, NOT_RUN) or command == "mypy", command
            continue
        words = shlex.split(command)
        room = words[0].removeprefix("muse_jobs.")
        has_parts = room in ("data", "encoder", "search", "versions")
        done = subprocess.run(
            [sys.executable, "-m", *words[: 1 + has_parts], "--help"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        for flag in (word for word in words if word.startswith("--")):
            assert flag in done.stdout, command


def test_what_is_not_run_is_there():
    """A reason without a command is a left-over."""
    every = [command for page in PAGES for command in commands(page)]
    for table in (NOT_RUN, SHORTENED):
        for key in table:
            if key not in ("ruff", "pytest"):
                assert any(command.startswith(key) for command in every), key


def test_training_options_are_all_told():
    text = (CHECKOUT / "docs/training.md").read_text("utf-8")
    for field in fields(TrainConfig):
        assert "--" + field.name.replace("_", "-") in text, field.name


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_commands_and_python_run(page, folder):
    for command in commands(page):
        if starts(command, NOT_RUN) or not command.startswith("muse_jobs"):
            continue
        key = starts(command, SHORTENED)
        shell([*shlex.split(command), *shlex.split(SHORTENED.get(key, ""))], folder)
    for body in blocks(page, python=True):
        if (
            "JobEncoderClient" not in body
        ):  # asks a server: tests/serving/test_client.py
            (folder / "block.py").write_text(body, "utf-8")
            done = subprocess.run(
                [sys.executable, "block.py"],
                cwd=folder,
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONPATH": os.fspath(CHECKOUT)},
            )
            assert done.returncode == 0, done.stderr[-2000:]
