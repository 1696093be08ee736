import json
import subprocess
import sys

import pytest

from muse_jobs.errors import InputError
from muse_jobs.study.__main__ import main

COMMAND = [sys.executable, "-m", "muse_jobs.study"]


def test_help_names_every_choice_and_imports_no_tensorflow():
    code = (
        "import sys\nfrom muse_jobs.study.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for word in ("--quick", "--smallest", "--config", "--only", "--output"):
        assert word in done.stdout


def test_without_data_it_says_what_to_give(monkeypatch, tmp_path):
    monkeypatch.delenv("MUSE_JOBS_DATA", raising=False)
    with pytest.raises(InputError, match="docs/study.md"):
        main([])
    with pytest.raises(InputError, match="no such folder"):
        main([str(tmp_path / "nothing")])


def test_a_folder_without_the_files_is_one_line_and_status_2(tmp_path):
    (tmp_path / "data").mkdir()
    done = subprocess.run(
        [*COMMAND, str(tmp_path / "data"), "--output", str(tmp_path / "study")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "no such file" in done.stderr


@pytest.mark.slow
def test_the_smallest_study_from_end_to_end_and_again(public_data, tmp_path):
    command = [*COMMAND, str(public_data), "--smallest", "--encoder", "packaged"]
    command += ["--output", str(tmp_path)]
    first = subprocess.run(command, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    report = json.loads((tmp_path / "study.json").read_text("utf-8"))
    assert set(report["checks"].values()) == {0}
    plain = report["benchmarks"]["titles"]["figures"]["recall_at_10_combined"]["plain"]
    # Plain mUSE on the 92 held-out units: no training, so it hardly moves.
    assert plain["mean"] == pytest.approx(0.519, abs=0.01)
    assert {run["run"] for run in report["runs"]} == {"plain", "paper", "ours"}
    page = (tmp_path / "study.md").read_text("utf-8")
    assert page.rstrip() in first.stdout
    for name in ("histograms", "frontier", "knob"):
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    # Nothing is trained again.
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0 and "s/cycle" not in again.stdout
    assert (tmp_path / "study.md").read_text("utf-8") == page
