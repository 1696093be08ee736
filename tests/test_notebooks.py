"""The notebooks run from top to bottom and still find what they show."""

import ast
import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
SECONDS = 600  # for a whole notebook; two idle cores need up to three minutes
LARGEST = 400_000  # bytes of a file with its outputs
CODE_CELLS = 12  # beside the one that installs
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|tmp|root|home|usr)\b")
NOISE = re.compile(r"cudart|oneDNN|absl::InitializeLog|\x1b\[|\x08")

notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def texts_of(cell):
    """All texts of a cell's outputs, drawings as well; the bytes of pictures are none.

    A value of JSON is a text too where it is shown as one.
    """
    for output in cell.outputs:
        yield output.get("text", "")
        for kind, value in output.get("data", {}).items():
            if kind not in ("image/png", "image/jpeg"):
                yield value if isinstance(value, str) else json.dumps(value)


def outside(found, expected):
    """The headline figures that are not where they are expected, by name."""
    assert set(found) == set(expected)
    return {
        name: found[name]
        for name, (low, high) in expected.items()
        if not low <= found[name] <= high
    }


def test_there_are_six():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"0{n}" for n in range(1, 7)]


@notebooks
def test_it_opens_in_colab_and_installs_first(path):
    first, install, *_ = read(path).cells
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    (repository,) = re.findall(r'^REPOSITORY = "(\S+)"', install.source, re.M)
    assert (
        f"colab.research.google.com/github/{repository}/blob/main/notebooks/{path.name}"
        in first.source
    )
    assert "pip install" in install.source
    assert "git+https://github.com/{REPOSITORY}" in install.source
    assert re.search(r"^FULL = False\b", install.source, re.M)


@notebooks
def test_every_code_cell_compiles_and_is_introduced(path):
    from IPython.core.inputtransformer2 import TransformerManager

    cells = read(path).cells
    for before, cell in zip(cells, cells[1:], strict=False):
        if cell.cell_type == "code":
            python = TransformerManager().transform_cell(cell.source)
            compile(python, path.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            assert before.cell_type == "markdown", cell.source
    assert len(code_cells(path)) <= CODE_CELLS + 1


@notebooks
def test_outputs_are_kept_and_name_no_machine(path):
    code = code_cells(path)
    assert sum(bool(cell.outputs) for cell in code) >= len(code) / 2
    for cell in code:
        assert all(output.output_type != "error" for output in cell.outputs)
        for text in texts_of(cell):
            assert not MACHINE_PATH.search(text), text[:300]
            assert not NOISE.search(text), text[:300]
    assert path.stat().st_size < LARGEST


@notebooks
def test_the_kept_headline_is_the_expected_one(path):
    expected = read(path).metadata["muse_jobs"]["headline"]
    last = code_cells(path)[-1]
    assert last.source.startswith("headline = ") or "\nheadline = " in last.source
    assert expected and last.outputs
    kept = ast.literal_eval(last.outputs[-1]["data"]["text/plain"])
    assert not outside(kept, expected)


@notebooks
def test_only_public_names_are_imported(path):
    """What starts with an underscore is the package's own."""
    for cell in code_cells(path):
        assert not re.search(r"muse_jobs(\.\w+)*\._|import _", cell.source)


@pytest.mark.slow
@notebooks
def test_it_runs_and_its_headline_holds(path, tmp_path, public_data, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("MUSE_JOBS_DATA", os.fspath(public_data.resolve()))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    copy = Path(shutil.copy(path, tmp_path))
    content = read(copy)
    content.cells.append(
        nbformat.v4.new_code_cell("import json as _j; print(_j.dumps(headline))")
    )
    client = NotebookClient(
        content,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": os.fspath(tmp_path)}},
    )
    # nbclient's own limit is one of a cell.
    asyncio.run(asyncio.wait_for(client.async_execute(), SECONDS))
    found = json.loads(content.cells[-1].outputs[-1].text)
    assert not outside(found, content.metadata["muse_jobs"]["headline"])


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
