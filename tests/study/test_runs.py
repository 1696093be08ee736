import json

import numpy as np
import pytest

from muse_jobs.data.postings import JobPosting, field_labels
from muse_jobs.data.splits import Split
from muse_jobs.evaluation.benchmarks import Benchmark
from muse_jobs.evaluation.evaluators import title_pool
from muse_jobs.evaluation.sets import Evaluation, evaluate_retrieval
from muse_jobs.study import runs as study_runs
from muse_jobs.study.corpus import StudyData, Units
from muse_jobs.study.knob import STRENGTHS
from muse_jobs.study.runs import Workshop, load_evaluation, save_evaluation
from muse_jobs.study.settings import RunSettings
from muse_jobs.training.inputs import Inputs
from muse_jobs.training.recipes import RECIPES
from tests.tiny import TinyEncoder


def posting(number):
    job = number % 12
    return JobPosting(
        id=str(number),
        title_th=f"งาน {job} แบบ {number}",
        title_en=f"job {job} kind {number}",
        description=f"does {job} and {number}",
        fields=(f"field {job % 2}",),
        role=f"role {job}",
    )


POSTINGS = [posting(number) for number in range(60)]


def of_jobs(*jobs):
    return [p for p in POSTINGS if int(p.role.split()[-1]) in jobs]


def benchmark(postings):
    data = title_pool(postings).retrieval_set()
    return Benchmark(
        name="titles",
        title="titles",
        about="",
        evaluate=lambda encode, field_scores=None: evaluate_retrieval(encode, data),
        texts=data.texts,
        retrieval=data,
    )


@pytest.fixture
def workshop(tmp_path):
    split = Split(of_jobs(*range(6)), of_jobs(6, 7), of_jobs(8, 9, 10, 11))
    labels = field_labels(split.train)
    general = [
        JobPosting(f"g{n}", title_th=f"คำ {n}", title_en=f"word {n}") for n in range(9)
    ]
    data = StudyData(
        Units((), (), ()), Inputs(split, general, labels, {}, {}), {"leaks": 0}, {}
    )
    encoder = TinyEncoder()
    encoder.pieces = encoder.rows
    return Workshop(
        encoder,
        data,
        {"titles": benchmark(split.test)},
        validation=benchmark(split.validation),
        output=tmp_path,
    )


def settings(name="ours", *, recipe="default", tasks="jt,jd,jf", cycles=4, **more):
    training = {
        "tasks": tasks,
        "cycles": cycles,
        "batch_size": 8,
        "validate_every": 2,
        "learning_rate": 0.05,
    }
    return RunSettings(
        name, name, (0,), training, RECIPES[recipe], **more or {"general": True}
    )


def test_a_run_is_trained_measured_and_kept(workshop, tmp_path):
    plain = workshop.measured(
        RunSettings("plain", "plain", (0,), None, RECIPES["paper"], False), 0
    )
    tuned = workshop.measured(settings(), 0)
    assert plain.training == {}
    assert tuned.training["cycles"] == 4
    assert [v["cycle"] for v in tuned.training["validation"]] == [0, 2, 4]
    one, other = (m.evaluations["titles"].figures for m in (plain, tuned))
    assert one["map"] != other["map"]
    assert [step["strength"] for step in tuned.knob] == list(STRENGTHS)
    # The weights went when the figures were there.
    assert not list(tmp_path.rglob("checkpoints"))


def test_a_finished_run_is_not_done_again(workshop):
    first = workshop.measured(settings(), 0)
    workshop.model = None  # training would need it
    again = workshop.measured(settings(), 0)
    assert again.evaluations["titles"].figures == first.evaluations["titles"].figures
    assert again.training == first.training


def test_every_setting_that_counts_names_another_folder(workshop):
    names = {
        workshop.folder(run, seed)
        for run, seed in [
            (settings(), 0),
            (settings(), 1),
            (settings(cycles=5), 0),
            (settings(recipe="paper"), 0),
            (settings(general=False), 0),
        ]
    }
    assert len(names) == 5
    assert workshop.folder(settings(), 0) in names


def test_a_run_does_not_depend_on_the_runs_before_it(workshop, tmp_path):
    alone = workshop.measured(settings(), 0)
    workshop.output = tmp_path / "again"
    workshop.measured(settings("other", recipe="paper", tasks="jd"), 0)
    after = workshop.measured(settings(), 0)
    assert after.evaluations["titles"].figures == alone.evaluations["titles"].figures


def test_a_run_that_was_stopped_ends_like_an_unbroken_one(
    workshop, tmp_path, monkeypatch
):
    unbroken = workshop.measured(settings(), 0)
    workshop.output = tmp_path / "stopped"
    train = study_runs.train

    def stops(*arguments, **options):
        train(*arguments, **{**options, "cycles": 2})
        raise KeyboardInterrupt

    monkeypatch.setattr(study_runs, "train", stops)
    with pytest.raises(KeyboardInterrupt):
        workshop.measured(settings(), 0)
    monkeypatch.setattr(study_runs, "train", train)
    resumed = workshop.measured(settings(), 0)
    assert resumed.training["cycles"] == 4
    np.testing.assert_allclose(
        resumed.evaluations["titles"].per_query["mrr"],
        unbroken.evaluations["titles"].per_query["mrr"],
    )


def test_work_on_a_run_is_kept_too(workshop):
    done = []

    def work(run):
        done.append(run.name)
        return {"found": 1.5}

    for _ in range(2):
        assert workshop.kept("work", settings(), work) == {"found": 1.5}
    assert done == ["ours"]


def test_evaluations_are_kept_without_pickle(tmp_path):
    evaluation = Evaluation(
        {"mrr": 0.5, "lbkl_blind": 0.1},
        {"mrr": np.array([0.25, np.nan, 0.75])},
        ("ก", "a", "b"),
        np.arange(6).reshape(3, 2),
    )
    save_evaluation(tmp_path / "one.npz", evaluation)
    found = load_evaluation(tmp_path / "one.npz")
    assert found.figures == json.loads(json.dumps(evaluation.figures))
    assert found.clusters == ["ก", "a", "b"]
    np.testing.assert_array_equal(found.per_query["mrr"], evaluation.per_query["mrr"])
    np.testing.assert_array_equal(found.top, evaluation.top)
