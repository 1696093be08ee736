"""The README's commands parse, and its long ones are those that CI runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
README = (CHECKOUT / "README.md").read_text("utf-8").replace("\\\n", " ")
COMMANDS = re.findall(
    r"^\S*python (-m (?:muse_jobs\S*|benchmarks)[^\n#]*)", README, re.M
)


def test_ci_finds_both_commands():
    for end in ("python -m muse_jobs.train", "python -m pytest"):
        found = re.findall(rf"^.*{end}$", README, re.M)
        assert len(found) == 1 and found[0].startswith("python3 -m venv .venv && ")


@pytest.mark.parametrize("command", COMMANDS)
def test_flags_of_a_command_exist(command):
    words = shlex.split(command)
    has_subcommands = words[1].removeprefix("muse_jobs.") in (
        "data",
        "encoder",
        "search",
        "versions",
    )
    module = words[: 3 if has_subcommands else 2]
    done = subprocess.run(
        [sys.executable, *module, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for flag in (word for word in words if word.startswith("--")):
        assert flag in done.stdout


def test_files_that_it_links_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (CHECKOUT / target).exists(), target
