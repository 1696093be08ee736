"""A training run: cycles, validation, the best weights, checkpoints, resuming.

A run lives in a folder: ``checkpoints/`` has the weights that it began with, the newest
whole checkpoint and the best weights so far, ``state.json`` names them,
``cycles.jsonl`` has the losses of each cycle and ``tensorboard/`` the same figures for
TensorBoard.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import tensorflow as tf

from muse_jobs.errors import InputError
from muse_jobs.files import write_json, write_lines
from muse_jobs.training.model import MultiTaskEncoder

STATE_FILE = "state.json"
CYCLES_FILE = "cycles.jsonl"
CHECKPOINTS = "checkpoints"
BASE = "base"
CHOSEN_BY = "recall_at_10_combined"

Validate = Callable[[], dict[str, float]]


@dataclass(slots=True)
class RunState:
    """Where a run stands.

    Attributes:
        cycle: cycles that are done.
        best_cycle: the cycle after which validation was best.
        best_value: its `CHOSEN_BY`; None before the first, or where it is not defined.
        waited: validations since then.
        history: each validation's cycle and figures.
        checkpoint: name of the newest whole checkpoint; empty before the first.
    """

    cycle: int = 0
    best_cycle: int = 0
    best_value: float | None = None
    waited: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    checkpoint: str = ""


def train(
    model: MultiTaskEncoder,
    batches: Callable[[int], tf.data.Dataset],
    validate: Validate,
    folder: Path,
    *,
    cycles: int,
    validate_every: int,
    patience: int,
) -> RunState:
    """Trains a compiled model until the cycles are done or validation stops improving.

    Continues where the folder's state stands, if there is one. At the end the model has
    the best weights.

    Args:
        model: compiled.
        batches: the number of the first cycle -> the dataset of cycles from there.
        validate: gives the figures, `CHOSEN_BY` among them.
        folder: the run's.
        cycles: at most.
        validate_every: cycles between validations.
        patience: validations without a better one before it stops.

    Returns:
        The state at the end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = _restore(model, folder)
    writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
    validation = Validation(validate, state, folder, writer, patience)
    if state.history and not Path(_path(folder, BASE)).parent.is_dir():
        raise InputError(
            f"{folder}: an earlier version of muse_jobs made its checkpoints, and did "
            "not keep the weights that the run began with; start a new run"
        )
    if not state.history:
        _weights(model).write(_path(folder, BASE))
        validation.run(model)

    def is_due(cycle: int) -> bool:
        return cycle % validate_every == 0 or cycle == cycles

    if state.cycle < cycles and state.waited < patience:
        model.fit(
            batches(state.cycle),
            steps_per_epoch=cycles - state.cycle,
            shuffle=False,
            verbose=0,
            callbacks=[
                CycleLog(state, folder, writer, cycles),
                _When(is_due, validation.run, state),
                _When(is_due, lambda model: _save(model, state, folder), state),
            ],
        )
    load_best(model, folder, state)
    return state


def load_best(model: MultiTaskEncoder, folder: Path, state: RunState) -> None:
    """Gives a model the best weights of a run."""
    _weights(model).read(_path(folder, _best_name(state))).assert_consumed()


def load_base(model: MultiTaskEncoder, folder: Path) -> None:
    """Gives a model the weights that a run began with."""
    _weights(model).read(_path(folder, BASE)).assert_consumed()


def read_state(folder: Path) -> RunState:
    """Where the run in a folder stands."""
    path = folder / STATE_FILE
    if not path.exists():
        return RunState()
    return RunState(**json.loads(path.read_text(encoding="utf-8")))


class CycleLog(keras.callbacks.Callback):
    """Progress bar with time left, a line a cycle in a file, TensorBoard scalars."""

    def __init__(self, state: RunState, folder: Path, writer, cycles: int):
        super().__init__()
        self.state = state
        self.path = folder / CYCLES_FILE
        self.writer = writer
        self.bar = keras.utils.Progbar(cycles, unit_name="cycle")

    def on_train_begin(self, logs=None):
        kept = []
        if self.path.exists():  # cycles after the checkpoint are trained again
            kept = self.path.read_text(encoding="utf-8").splitlines()
        write_lines(self.path, kept[: self.state.cycle])
        self.bar.update(self.state.cycle)

    def on_train_batch_begin(self, batch, logs=None):
        self.model.reset_metrics()  # the figures of a cycle, not of all before it

    def on_train_batch_end(self, batch, logs=None):
        self.state.cycle += 1
        losses = {task: float(logs[f"{task}_loss"]) for task in self.model.tasks}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"cycle": self.state.cycle, **losses}) + "\n")
        write_scalars(self.writer, self.state.cycle, losses, prefix="loss/")
        shown = self.state.history[-1:] and self.state.history[-1][CHOSEN_BY]
        self.bar.stateful_metrics = {*losses, "valid"}
        self.bar.update(self.state.cycle, [*losses.items(), ("valid", shown)])

    def on_train_end(self, logs=None):
        if self.state.cycle < self.bar.target:
            print()  # an unfinished bar leaves the cursor on its line


class Validation:
    """Validates, keeps the best weights, stops when they no longer improve."""

    def __init__(
        self,
        validate: Validate,
        state: RunState,
        folder: Path,
        writer,
        patience: int,
    ):
        self.validate = validate
        self.state = state
        self.folder = folder
        self.patience = patience
        self.writer = writer

    def run(self, model: MultiTaskEncoder) -> None:
        state = self.state
        figures = self.validate()
        state.history.append({"cycle": state.cycle, **figures})
        write_scalars(self.writer, state.cycle, figures, prefix="validation/")
        if state.cycle == 0:
            return  # the base encoder is no candidate: its heads are untrained
        value = figures[CHOSEN_BY]
        # Where the figure is not defined (NaN) the newest weights are the best.
        if state.best_value is None or not value <= state.best_value:
            state.best_value = None if math.isnan(value) else value
            state.best_cycle, state.waited = state.cycle, 0
            _weights(model).write(_path(self.folder, _best_name(state)))
        else:
            state.waited += 1
            model.stop_training = state.waited >= self.patience


class _When(keras.callbacks.Callback):
    """Runs an action on the model after the cycles that are due."""

    def __init__(self, is_due, action, state: RunState):
        super().__init__()
        self.is_due = is_due
        self.action = action
        self.state = state

    def on_train_batch_end(self, batch, logs=None):
        if self.is_due(self.state.cycle):
            self.action(self.model)


def write_scalars(writer, step: int, values: dict[str, float], *, prefix: str) -> None:
    """Writes TensorBoard scalars without the tensorboard package.

    ``tf.summary.scalar`` imports it only to describe the plug-in: one constant message.
    """
    metadata = tf.compat.v1.SummaryMetadata(
        plugin_data={"plugin_name": "scalars"}, data_class="DATA_CLASS_SCALAR"
    )
    with writer.as_default():
        for name, value in values.items():
            tf.summary.write(
                prefix + name,
                tf.constant(value, tf.float32),
                step=step,
                metadata=metadata,
            )
    writer.flush()


def _weights(model: MultiTaskEncoder) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(weights=[v.value for v in model.variables])


def _everything(model: MultiTaskEncoder) -> tf.train.Checkpoint:
    optimizers = {id(o): o for o in (model.optimizer, model.head_optimizer)}
    return tf.train.Checkpoint(
        weights=[v.value for v in model.variables],
        optimizers=[v.value for o in optimizers.values() for v in o.variables],
    )


def _best_name(state: RunState) -> str:
    return f"best-{state.best_cycle:06d}"


def _path(folder: Path, name: str) -> str:
    return str(folder / CHECKPOINTS / name / "variables")


def _save(model: MultiTaskEncoder, state: RunState, folder: Path) -> None:
    """A checkpoint, then the state that names it, then what it no longer names goes."""
    state.checkpoint = f"cycle-{state.cycle:06d}"
    _everything(model).write(_path(folder, state.checkpoint))
    write_json(folder / STATE_FILE, dataclasses.asdict(state))
    for entry in (folder / CHECKPOINTS).iterdir():
        if entry.name not in (BASE, state.checkpoint, _best_name(state)):
            shutil.rmtree(entry)


def _restore(model: MultiTaskEncoder, folder: Path) -> RunState:
    state = read_state(folder)
    if state.checkpoint:
        _everything(model).read(_path(folder, state.checkpoint)).assert_consumed()
    return state
