"""One run of the study: trained, measured on every benchmark, and kept.

A run's folder is named by a digest of all that it depends on. What is finished there is
not done again; a run that was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from muse_jobs.encoder.encode import text_encoder
from muse_jobs.evaluation.benchmarks import Benchmark
from muse_jobs.evaluation.sets import Evaluation
from muse_jobs.files import replacing, write_json
from muse_jobs.study.centring import centred
from muse_jobs.study.corpus import StudyData
from muse_jobs.study.knob import knob
from muse_jobs.study.settings import RunSettings
from muse_jobs.training.assembly import build_examples, build_model
from muse_jobs.training.config import TrainConfig
from muse_jobs.training.model import MultiTaskEncoder
from muse_jobs.training.optimizers import FusedAdam
from muse_jobs.training.run import CHECKPOINTS, read_state, train
from muse_jobs.training.tasks import cycle_batches

DONE_FILE = "done.json"


@dataclass(slots=True)
class Measured:
    """A finished run.

    Attributes:
        run: its settings.
        seed: its seed.
        evaluations: the study's name of a benchmark to its evaluation.
        training: cycles, best cycle and validation; empty without training.
        knob: see `muse_jobs.study.knob.knob`.
    """

    run: RunSettings
    seed: int
    evaluations: dict[str, Evaluation]
    training: dict[str, object]
    knob: list[dict[str, float]]


class Workshop:
    """Trains and measures runs with one encoder, whose weights are put back each time.

    Args:
        encoder: the base.
        data: the study's.
        benchmarks: what the runs are measured on.
        validation: what the best weights of a run are chosen by.
        output: gets a folder for each run.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        data: StudyData,
        benchmarks: Mapping[str, Benchmark],
        *,
        validation: Benchmark,
        output: Path,
    ):
        self.encoder = encoder
        self.encode = text_encoder(encoder)
        self.data = data
        self.benchmarks = benchmarks
        self.output = output
        self.validation = validation
        self._base = [variable.numpy() for variable in encoder.trainable_variables]
        self._data_digest = _digest_of_data(data, benchmarks)

    def folder(self, run: RunSettings, seed: int) -> Path:
        """Where a run is kept: its name, its seed, a digest of what it depends on."""
        parts = {
            "training": run.training and dict(run.training),
            "recipe": dataclasses.asdict(run.recipe),
            "general": run.general,
            "centred": run.centred,
            "encoder": self.encoder.source,
            "data": self._data_digest,
        }
        text = json.dumps(parts, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        return self.output / "runs" / f"{run.name}-{seed}-{digest}"

    def measured(self, run: RunSettings, seed: int) -> Measured:
        """The run, done now or before.

        Args:
            run: its settings.
            seed: of batches and heads.
        """
        folder = self.folder(run, seed)
        if not (folder / DONE_FILE).exists():
            training = {}
            self.reset()
            if run.training is not None:
                training = self._train(run, seed, folder)
            encode = self.encode
            if run.centred:
                encode = centred(encode, self.data.inputs.split.train)
            for name, benchmark in self.benchmarks.items():
                save_evaluation(
                    folder / f"{name}.npz", benchmark.evaluate(encode, None)
                )
            titles = self.benchmarks["titles"].retrieval
            steps = knob(encode, titles) if titles else []
            write_json(folder / DONE_FILE, {"training": training, "knob": steps})
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        return Measured(
            run,
            seed,
            {name: load_evaluation(folder / f"{name}.npz") for name in self.benchmarks},
            **json.loads((folder / DONE_FILE).read_text("utf-8")),
        )

    def kept(
        self, name: str, run: RunSettings, work: Callable[[RunSettings], dict]
    ) -> dict:
        """What a piece of work on a run finds, done now or before."""
        path = self.folder(run, 0) / f"{name}.json"
        if not path.exists():
            write_json(path, work(run))
        return json.loads(path.read_text("utf-8"))

    def reset(self) -> None:
        """Gives the encoder its base weights."""
        pairs = zip(self.encoder.trainable_variables, self._base, strict=True)
        for variable, value in pairs:
            variable.assign(value)

    def model(self, run: RunSettings, seed: int) -> tuple[MultiTaskEncoder, dict]:
        """A run's model, compiled and not trained, and its examples.

        Args:
            run: one that is trained.
            seed: of the heads.
        """
        config = TrainConfig(**(run.training or {}), seed=seed)
        keras.utils.set_random_seed(seed)
        inputs = self.data.inputs
        if not run.general:
            inputs = dataclasses.replace(inputs, translations=[])
        examples = build_examples(config, run.recipe, inputs, self.encoder.pieces)
        model = build_model(config, run.recipe, self.encoder, inputs.labels)
        rate = run.recipe.head_learning_rate
        model.compile(
            FusedAdam(config.learning_rate),
            keras.optimizers.Adam(rate) if rate else None,
        )
        return model, examples

    def _train(self, run: RunSettings, seed: int, folder: Path) -> dict[str, object]:
        config = TrainConfig(**(run.training or {}), seed=seed)
        model, examples = self.model(run, seed)
        state = train(
            model,
            lambda first: cycle_batches(
                examples, batch_size=config.batch_size, seed=seed, start=first
            ),
            lambda: self.validation.evaluate(self.encode, None).figures,
            folder,
            cycles=config.cycles,
            validate_every=config.validate_every,
            patience=config.patience,
        )
        return {
            "cycles": state.cycle,
            "best_cycle": state.best_cycle,
            "validation": read_state(folder).history,
        }


def save_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Writes an evaluation as arrays; nothing in it is pickled."""
    arrays: dict[str, Any] = {
        f"query/{name}": v for name, v in evaluation.per_query.items()
    }
    arrays["clusters"] = np.array(evaluation.clusters, str)
    arrays["figures"] = np.array(json.dumps(evaluation.figures))
    if evaluation.top is not None:
        arrays["top"] = evaluation.top
    with replacing(path) as beside:
        np.savez_compressed(beside, **arrays)


def load_evaluation(path: Path) -> Evaluation:
    """Reads what `save_evaluation` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        prefix = "query/"
        return Evaluation(
            figures=json.loads(str(arrays["figures"])),
            per_query={
                name.removeprefix(prefix): arrays[name]
                for name in arrays.files
                if name.startswith(prefix)
            },
            clusters=arrays["clusters"].tolist(),
            top=arrays["top"] if "top" in arrays.files else None,
        )


def _digest_of_data(data: StudyData, benchmarks: Mapping[str, Benchmark]) -> str:
    digest = hashlib.sha256()
    inputs = data.inputs
    for part in (inputs.split.train, inputs.split.validation, inputs.translations):
        for posting in part:
            digest.update(repr(posting).encode())
    for name, benchmark in benchmarks.items():
        digest.update(repr((name, benchmark.texts)).encode())
    return digest.hexdigest()
