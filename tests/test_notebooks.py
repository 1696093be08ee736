"""The notebooks run from top to bottom and still find what they show."""

import json
import os
import re
import subprocess
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
SECONDS = 600  # of one cell; a whole notebook takes up to three minutes on two cores
MACHINE_PATH = re.compile(r"/(?:work|tmp|root|home|usr)/")

notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def texts_of(cell):
    """All texts of a cell's outputs, pictures as well."""
    for output in cell.get("outputs", ()):
        yield output.get("text", "")
        yield from (v for v in output.get("data", {}).values() if isinstance(v, str))


def test_there_are_six():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"0{n}" for n in range(1, 7)]


@notebooks
def test_it_opens_in_colab_and_installs_first(path):
    first, install, *_ = read(path).cells
    assert first.cell_type == "markdown"
    assert (
        f"colab.research.google.com/github/muse-jobs/muse_jobs/blob/main/notebooks/{path.name}"
        in first.source
    )
    assert "pip install" in install.source and "REPOSITORY" in install.source


@notebooks
def test_outputs_are_kept_and_name_no_machine(path):
    content = read(path)
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    assert sum(bool(cell.outputs) for cell in code) >= len(code) / 2
    for cell in code:
        assert all(output.output_type != "error" for output in cell.outputs)
        for text in texts_of(cell):
            assert not MACHINE_PATH.search(text), text[:300]
            assert "cudart" not in text and "oneDNN" not in text


@notebooks
def test_only_public_names_are_imported(path):
    """What starts with an underscore is the package's own."""
    for cell in read(path).cells:
        if cell.cell_type == "code":
            assert not re.search(r"muse_jobs(\.\w+)*\._|import _", cell.source)


@pytest.mark.slow
@notebooks
def test_it_runs_and_its_headline_holds(path, tmp_path, public_data, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("MUSE_JOBS_DATA", os.fspath(public_data.resolve()))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    content = read(path)
    content.cells.append(
        nbformat.v4.new_code_cell("import json as _j; print(_j.dumps(headline))")
    )
    client = NotebookClient(
        content,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": os.fspath(tmp_path)}},
    )
    client.execute()
    found = json.loads(content.cells[-1].outputs[-1].text)
    expected = content.metadata["muse_jobs"]["headline"]
    assert set(found) == set(expected)
    for name, (low, high) in expected.items():
        assert low <= found[name] <= high, (name, found[name])


@pytest.mark.slow
def test_the_main_job_runs_on_colabs_tensorflow(tmp_path):
    """In an environment with TensorFlow 2.20, which .ci/run makes."""
    python = os.environ.get("MUSE_JOBS_TF_2_20_PYTHON")
    if not python:
        pytest.skip("no environment with TensorFlow 2.20: MUSE_JOBS_TF_2_20_PYTHON")
    command = [
        python,
        "-m",
        "muse_jobs.train",
        "--encoder",
        "packaged",
        "--tasks",
        "jt",
    ]
    command += ["--cycles", "2", "--validate-every", "2", "--batch-size", "32"]
    command += ["--max-tokens", "16", "--run-dir", "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    assert report["versions"]["tensorflow"].startswith("2.20.")
