import json
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from muse_jobs import train
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.errors import InputError
from muse_jobs.training.config import TrainConfig


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "muse_jobs.train", *map(str, arguments)],
        capture_output=True,
        text=True,
        **options,
    )


def write_postings(path, postings):
    columns = ("id", "title_th", "title_en", "description", "fields", "role")
    rows = [{name: getattr(p, name) for name in columns} for p in postings]
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8"
    )
    return path


def test_help_answers_within_a_second_without_tensorflow():
    code = (
        "import sys\n"
        "from muse_jobs import train\n"
        "try: train.main(['--help'])\n"
        "finally: print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert time.monotonic() - started < 1
    assert done.stdout.endswith("False False\n")
    for field in TrainConfig.__dataclass_fields__:
        assert "--" + field.replace("_", "-") in done.stdout


def test_defaults_are_the_recipes_and_the_papers():
    config = TrainConfig()
    assert (config.batch_size, config.learning_rate) == (512, 2e-4)
    paper = TrainConfig(recipe="paper")
    assert (paper.learning_rate, paper.temperature) == (3e-5, 0.05)
    assert TrainConfig(recipe="paper", learning_rate=1e-3).learning_rate == 1e-3
    assert (config.temperature, config.iou_threshold) == (0.07, 0.5)
    assert config.task_names == ("jt", "jd", "jf")
    assert config.weights == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--postings", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["--postings", "empty.jsonl"], "empty.jsonl: not one usable posting"),
        (["--tasks", "jt,jx"], "--tasks: expected some of jt,jd,jf.*jt,jx"),
        (["--tasks", "jt,jt"], "each once"),
        (["--task-weights", "jd=-1"], "--task-weights"),
        (["--task-weights", "jd"], "--task-weights"),
        (["--batch-size", "0"], "--batch-size: expected 1 or more, received 0"),
        (["--learning-rate", "nan"], "--learning-rate"),
        (["--learning-rate", "inf"], "--learning-rate"),
        (["--task-weights", "jt=nan"], "--task-weights"),
        (["--seed", "-1"], "--seed: expected 0 to"),
        (["--max-tokens", "2"], "--max-tokens"),
        (["--output", "empty.jsonl/models"], "cannot be written"),
        (["--run-dir", "empty.jsonl/run"], "cannot be written"),
        (["--resume"], "--resume needs the --run-dir"),
        (["--resume", "--run-dir", "nothing"], "--resume needs the --run-dir"),
        (["--postings", "few.jsonl"], "too few different jobs"),
        (["--columns", "x"], "--columns"),
        (["--translations", "no.csv"], "no.csv: no such file"),
    ],
)
def test_bad_input_is_one_error(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    write_postings(tmp_path / "few.jsonl", sample_postings()[:3])
    with pytest.raises(InputError, match=message) as raised:
        train.main(arguments)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.glob("savedmodels/muse_jobs/[0-9]*"))


def test_an_error_is_one_line_and_status_2(tmp_path):
    done = run("--postings", "nowhere.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: nowhere.jsonl: no such file\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--encoder", "tfhub"], "error: encoder https://tfhub.dev/google/universal"),
        (["--postings", "english.jsonl", "--tasks", "jt"], "error: task jt needs"),
    ],
)
def test_late_errors_are_one_line_too(tmp_path, arguments, message):
    english = [p for p in sample_postings(postings_per_role=1) if not p.title_th]
    write_postings(tmp_path / "english.jsonl", english)
    done = run(
        *arguments,
        cwd=tmp_path,
        env={
            "PATH": "",
            "TFHUB_CACHE_DIR": str(tmp_path),
            "https_proxy": "127.0.0.1:9",
        },
    )
    assert done.returncode == 2
    *warnings, line = done.stderr.splitlines()
    assert line.startswith(message)
    assert all(line.startswith("encoder: TF-Hub's") for line in warnings)
    assert not list(tmp_path.glob("savedmodels/muse_jobs/[0-9]*"))


def test_a_run_that_exists_is_not_overwritten(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"batch_size": 8, "postings": []}')
    with pytest.raises(InputError, match="continue it with --resume"):
        train.main(["--run-dir", str(tmp_path / "run")])
    with pytest.raises(InputError, match="--batch-size: the run was started with 8"):
        train.main(
            ["--resume", "--run-dir", str(tmp_path / "run"), "--batch-size", "4"]
        )


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    """Own postings with a bad row among them, 4 cycles, killed after 2, resumed."""
    folder = tmp_path_factory.mktemp("work")
    postings = sample_postings(postings_per_role=1)[::3]
    path = write_postings(folder / "postings.jsonl", postings)
    path.write_text(path.read_text("utf-8") + '{"id": "bad"}\n', "utf-8")
    common = ["--postings", "postings.jsonl", "--encoder", "packaged", "--max-tokens"]
    common += ["32", "--batch-size", "16", "--validate-every", "2"]
    runs = {
        "whole": run(*common, "--cycles", "4", "--run-dir", "whole", cwd=folder),
        "part": run(*common, "--cycles", "2", "--run-dir", "part", cwd=folder),
        "rest": run("--resume", "--cycles", "4", "--run-dir", "part", cwd=folder),
    }
    for name, done in runs.items():
        assert done.returncode == 0, (name, done.stderr)
    return folder, runs


@pytest.mark.slow
def test_the_command_leaves_a_model_and_a_report(small_run):
    folder, runs = small_run
    output = runs["whole"].stdout
    assert "rejected rows: whole/rejects.jsonl" in output
    assert "title Recall@10, combined pool" in output
    assert "LBKL@10 above blind" in output
    assert runs["whole"].stderr == ""
    version = folder / "savedmodels" / "muse_jobs" / "1"
    assert (version / "saved_model.pb").is_file()
    report = json.loads((folder / "whole" / "report.json").read_text("utf-8"))
    assert {**report, "exported": None} == {
        **json.loads((version / "report.json").read_text("utf-8")),
        "exported": None,
    }
    assert report["encoder"].startswith("packaged (fast-universal")
    assert report["config"]["batch_size"] == 16
    assert report["data"]["rejects"] == 1
    assert len(report["data"]["sha256"]["postings.jsonl"]) == 64
    assert report["versions"]["tensorflow"] == tf.__version__
    figure = report["test"]["recall_at_10_combined"]
    assert figure["difference"]["low"] <= figure["tuned"] - figure["base"]
    assert set(tf.saved_model.load(str(version)).signatures) == {
        "serving_default",
        "embed",
        "match",
        "fields",
    }


@pytest.mark.slow
def test_a_run_is_exported_again_with_its_heads(small_run):
    """What `export` makes of a run's folder answers as the run's own export does."""
    folder, _ = small_run
    done = subprocess.run(
        [sys.executable, "-m", "muse_jobs.export", "whole", "--output", "again"],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    texts = tf.constant(["พนักงานขาย", "Software Engineer"])
    one, other = (
        tf.saved_model.load(str(folder / name / "1")).signatures
        for name in ("savedmodels/muse_jobs", "again")
    )
    assert set(one) == set(other)
    for name in ("embed", "fields"):
        values = {k: v for k, v in one[name](inputs=texts).items() if k != "labels"}
        for key, own in values.items():
            tf.debugging.assert_near(own, other[name](inputs=texts)[key], atol=1e-5)
    card = (folder / "again" / "1" / "model_card.md").read_text("utf-8")
    assert "## Figures on held-out jobs" in card and "recall_at_10_combined" in card
    assert (
        card.split("## Data")[1]
        == (
            (folder / "savedmodels/muse_jobs/1/model_card.md").read_text("utf-8")
        ).split("## Data")[1]
    )


@pytest.mark.slow
def test_a_run_is_not_continued_with_other_data(small_run):
    folder, _ = small_run
    path = folder / "postings.jsonl"
    before = path.read_text("utf-8")
    try:
        path.write_text(before.replace("Manager", "manager", 1), "utf-8")
        done = run("--resume", "--cycles", "6", "--run-dir", "part", cwd=folder)
    finally:
        path.write_text(before, "utf-8")
    assert done.returncode == 2
    assert "the run was started with other input: postings.jsonl was" in done.stderr


@pytest.mark.slow
def test_a_resumed_command_equals_an_unbroken_one(small_run):
    folder, _ = small_run
    whole, rest = (
        list(map(json.loads, (folder / name / "cycles.jsonl").read_text().splitlines()))
        for name in ("whole", "part")
    )
    assert [line["cycle"] for line in rest] == [1, 2, 3, 4]
    for one, other in zip(whole, rest, strict=True):
        for task in ("jt", "jd", "jf"):
            assert other[task] == pytest.approx(one[task], abs=1e-4)
