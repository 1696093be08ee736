"""Every command in the README and in docs/ is run, or named here and why it is not.

The long ones are run in a shortened form. All pages are run in one folder, in the order
of `PAGES`: what a page makes, the next one may use, so a page is not run alone. A line
of a block without a language is a command, unless the block is one of `DRAWINGS`.
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
    "python3 -m venv": "sets up an environment: .ci/run runs the tests' line, "
    ".ci/release the main job, shortened and from the wheel",
    "pytest": "the tests themselves",
    "muse_jobs.encoder check tfhub": "TF-Hub; `pytest -m hub` where it can be reached",
    "muse_jobs.encoder list tfhub": "TF-Hub",
    "muse_jobs.search page": "serves until it is stopped: tests/serving/test_page.py",
    "muse_jobs.evaluate --encoder BGE_M3_FOLDER": "weights that cannot be had here",
    "docker": "no Docker engine",
    "kubectl": "no cluster",
    "curl": "asks a server: tests/serving/test_client.py",
}
# A name in a block of Python -> why the block is not run here.
PYTHON_NOT_RUN = {
    "JobEncoderClient": "asks a server: tests/serving/test_client.py",
}
# The start of a command -> what is put behind it (later flags win), and why.
SHORTENED = {
    "muse_jobs.train --resume": ("--cycles 3", "goes on with a shortened run"),
    "muse_jobs.train --postings esco.jsonl": (
        SHORT + " --tasks jt",
        "40 cycles of batch 256",
    ),
    "muse_jobs.train": (SHORT, "60 cycles of batch 512"),
    "muse_jobs.study": ("--smallest --encoder packaged", "hours"),
}
# What begins a block without a language that holds no commands.
DRAWINGS = ("files of postings, or data/sample",)
INTERPRETER = re.compile(r"^(?:\.venv/bin/)?(?:python3? -m )?")


def blocks(page):
    """The language and the text of each code block of a page."""
    text = (CHECKOUT / page).read_text("utf-8")
    return re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.M | re.S)


def commands(page):
    """The commands of a page, without the interpreter and the comment."""
    for language, body in blocks(page):
        if language == "python" or body.strip().startswith(DRAWINGS):
            continue
        for line in body.replace("\\\n", " ").splitlines():
            line = re.sub(r"(^|\s+)#.*$", "", line).strip()
            is_setup = line.startswith("python3 -m venv")
            if line:
                yield line if is_setup else INTERPRETER.sub("", line)


def python_blocks(page):
    return [body for language, body in blocks(page) if language == "python"]


def first_words(command, table):
    """The entry of a table that a command begins with, if there is one."""
    return next((key for key in table if f"{command} ".startswith(f"{key} ")), None)


def python(words, folder):
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.fspath(CHECKOUT)},
    )
    assert done.returncode == 0, (words, done.stderr[-2000:])
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory, public_data):
    """Where the pages are run, with stand-ins for the files that they name."""
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
    yield folder
    shutil.rmtree(folder)  # gigabytes of checkpoints; links are not followed


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
def test_every_command_is_run_or_named(page):
    for command in commands(page):
        assert first_words(command, NOT_RUN) or command.startswith("muse_jobs."), (
            f"neither run nor in NOT_RUN or DRAWINGS: {command}"
        )


@pytest.mark.parametrize("page", PAGES)
def test_flags_of_a_command_exist(page):
    for command in commands(page):
        if not command.startswith("muse_jobs."):
            continue
        words = shlex.split(command)
        room = words[0].removeprefix("muse_jobs.")
        has_parts = room in ("data", "encoder", "search", "versions")
        told = python(["-m", *words[: 1 + has_parts], "--help"], CHECKOUT)
        known = set(re.findall(r"--[\w-]+", told))
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert flags <= known, command


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_compile(page):
    for body in python_blocks(page):
        compile(body, page, "exec")


def test_what_is_not_run_is_there():
    """A reason without a command is a left-over."""
    every = [command for page in PAGES for command in commands(page)]
    for key in (*NOT_RUN, *SHORTENED):
        assert any(first_words(command, [key]) for command in every), key
    python_text = "".join(body for page in PAGES for body in python_blocks(page))
    assert all(name in python_text for name in PYTHON_NOT_RUN)


def test_training_options_are_all_told():
    text = (CHECKOUT / "docs/training.md").read_text("utf-8")
    told = set(re.findall(r"--[\w-]+", text))
    for field in fields(TrainConfig):
        assert "--" + field.name.replace("_", "-") in told


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_commands_and_python_run(page, folder):
    for command in commands(page):
        if first_words(command, NOT_RUN):
            continue
        shorter, _ = SHORTENED.get(first_words(command, SHORTENED), ("", ""))
        python(["-m", *shlex.split(command), *shlex.split(shorter)], folder)
    for body in python_blocks(page):
        if not any(name in body for name in PYTHON_NOT_RUN):
            (folder / "block.py").write_text(body, "utf-8")
            python(["block.py"], folder)
