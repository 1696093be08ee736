import json

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.training import run
from tests.training.test_model import batches, make, weights_of


def go(folder, *, cycles=12, values=None, stop_at=None, patience=10):
    """A run of the tiny model, its validation giving the next of ``values``."""
    model = make()
    values = iter(values or range(100))

    def validate():
        if stop_at is not None and len(state_cycles(folder)) >= stop_at:
            raise KeyboardInterrupt
        return {"recall_at_10_combined": float(next(values)), "lbkl": 0.5}

    state = run.train(
        model,
        lambda first: batches().skip(first),
        validate,
        folder,
        cycles=cycles,
        validate_every=3,
        patience=patience,
    )
    return model, state


def state_cycles(folder):
    path = folder / run.CYCLES_FILE
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def test_every_cycle_has_its_own_losses_in_the_log(tmp_path):
    go(tmp_path)
    lines = state_cycles(tmp_path)
    assert [line["cycle"] for line in lines] == list(range(1, 13))
    model = make()
    first = model.train_on_batch(next(iter(batches())), return_dict=True)
    assert lines[0]["jd"] == pytest.approx(float(first["jd_loss"]), rel=1e-5)
    assert all(set(line) == {"cycle", "jt", "jd", "jf"} for line in lines)


def test_a_stopped_run_continues_as_an_unbroken_one(tmp_path):
    whole, whole_state = go(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "stopped", stop_at=9)
    assert len(state_cycles(tmp_path / "stopped")) == 9
    saved = json.loads((tmp_path / "stopped" / run.STATE_FILE).read_text("utf-8"))
    assert saved["cycle"] == 6  # cycles 7 to 9 are lost and trained again

    resumed, state = go(tmp_path / "stopped", values=range(3, 100))
    assert state == whole_state
    for one, other in zip(
        state_cycles(tmp_path / "whole"),
        state_cycles(tmp_path / "stopped"),
        strict=True,
    ):
        assert one["cycle"] == other["cycle"]
        for task in ("jt", "jd", "jf"):
            assert other[task] == pytest.approx(one[task], abs=1e-4)
    for one, other in zip(weights_of(whole), weights_of(resumed), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_finished_run_is_not_trained_again(tmp_path):
    model, state = go(tmp_path)
    again, same = go(tmp_path, values=[0.0])
    assert same == state
    for one, other in zip(weights_of(model), weights_of(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_best_weights_are_kept(tmp_path):
    model, state = go(tmp_path / "long", values=[0.1, 0.9, 0.2, 0.3, 0.4])
    assert (state.cycle, state.best_cycle, state.best_value) == (12, 3, 0.9)
    short, _ = go(tmp_path / "short", cycles=3, values=[0.1, 0.9])
    for one, other in zip(weights_of(model), weights_of(short), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_training_stops_when_validation_no_longer_improves(tmp_path):
    _, state = go(tmp_path, cycles=60, values=[0.1, 0.5, 0.4, 0.4, 0.9], patience=2)
    assert (state.cycle, state.best_cycle) == (9, 3)
    assert len(state_cycles(tmp_path)) == 9


def test_the_base_encoder_is_no_candidate_its_heads_are_untrained(tmp_path):
    model, state = go(tmp_path, values=[0.9, 0.1, 0.2, 0.1, 0.1])
    assert state.best_cycle == 6
    assert len(state.history) == 5
    untrained = weights_of(make().head("jf"))
    for one, other in zip(weights_of(model.head("jf")), untrained, strict=True):
        assert not np.array_equal(one, other)


def test_where_the_figure_is_not_defined_the_newest_weights_are_the_best(tmp_path):
    _, state = go(tmp_path, values=[float("nan")] * 5, patience=1)
    assert (state.cycle, state.best_cycle, state.best_value) == (12, 12, None)


def test_the_first_the_newest_and_the_best_checkpoint_are_kept(tmp_path):
    go(tmp_path, values=[0.1, 0.9, 0.2, 0.3, 0.4])
    names = {entry.name for entry in (tmp_path / run.CHECKPOINTS).iterdir()}
    assert names == {"base", "best-000003", "cycle-000012"}


def test_the_weights_that_a_run_began_with_come_back(tmp_path):
    model, state = go(tmp_path, values=[0.1, 0.9, 0.2, 0.3, 0.4])
    best = [v.numpy() for v in model.variables]
    run.load_base(model, tmp_path)
    for one, other in zip(model.variables, make().variables, strict=True):
        np.testing.assert_array_equal(one, other)
    run.load_best(model, tmp_path, state)
    for one, other in zip(model.variables, best, strict=True):
        np.testing.assert_array_equal(one, other)


def test_tensorboard_reads_the_scalars(tmp_path):
    go(tmp_path, cycles=3)
    found = {}
    for file in sorted((tmp_path / "tensorboard").iterdir()):
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                scalar = float(tf.make_ndarray(value.tensor))
                found.setdefault(value.tag, []).append((event.step, scalar))
    assert [step for step, _ in found["loss/jd"]] == [1, 2, 3]
    assert found["validation/lbkl"] == [(0, 0.5), (3, 0.5)]
    lines = state_cycles(tmp_path)
    assert found["loss/jt"][2][1] == pytest.approx(lines[2]["jt"])
