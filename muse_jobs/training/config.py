"""The configuration of a training run. Imports no TensorFlow: --help must be quick."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from muse_jobs.data.duplicates import DUPLICATES
from muse_jobs.errors import InputError
from muse_jobs.training.recipes import RECIPES

CONFIG_FILE = "config.json"
INPUTS_FILE = "inputs.json"
REPORT_FILE = "report.json"
FIELDS_FILE = "fields.json"  # a run's job fields, in the order of the jf head
TASKS = ("jt", "jd", "jf")
PAIR_TITLES = ("any", "same", "other")


def _flag(default, help: str, **metadata):
    return field(default=default, metadata={"help": help, **metadata})


def _of_recipes(name: str) -> str:
    return ", ".join(f"{key} {getattr(own, name):g}" for key, own in RECIPES.items())


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that a run depends on; the command's flags are made of it.

    Defaults are the paper's where it gives a value (arXiv 2502.03220): batch, tasks and
    their equal weight, IoU threshold; with the recipe ``paper`` learning rate and
    temperature too. The others are ours.
    """

    postings: tuple[str, ...] = _flag(
        (),
        "files, patterns or folders of postings (.jsonl, .csv, .tsv, .parquet, "
        ".tfrecord); none: the shipped sample corpus",
    )
    columns: str = _flag("", "your column names: title_th=YOURS,description=YOURS,...")
    max_rejects: float = _flag(1.0, "share of bad rows from which it is an error")
    keep_personal_data: bool = _flag(
        False, "do not mask phone numbers, e-mail addresses, LINE ids and the like"
    )
    duplicates: str = _flag(
        "keep",
        "which duplicates collapse into their first; near duplicates that stay are on "
        "one side of the split",
        choices=DUPLICATES,
    )
    translations: tuple[str, ...] = _flag(
        (),
        "tables of title_th and title_en, titles or general parallel text: further "
        "pairs for jt; pairs with a title of a held-out posting are left out",
    )
    translation_share: float = _flag(
        0.25, "of jt's pairs, where there are --translations; in the default recipe"
    )
    encoder: str = _flag(
        "auto",
        "base encoder: auto (TF-Hub, else the packaged weights), tfhub, packaged, "
        "a TF-Hub URL, or a SavedModel folder",
    )
    recipe: str = _flag(
        "default",
        "default: jt on varied titles of a job, in both directions, with same-language "
        "negatives; paper: the paper to the letter",
        choices=tuple(RECIPES),
    )
    tasks: str = _flag(
        "jt,jd,jf",
        "tasks, in the order of a cycle: jt title translation ranking, jd "
        "description-title matching, jf job field classification",
    )
    task_weights: str = _flag(
        "", "factors of the losses, such as jt=2,jd=0.5; 1 where none is given"
    )
    batch_size: int = _flag(512, "examples in a task's batch; for jd, pairs")
    learning_rate: float = _flag(
        0.0, f"Adam's learning rate; 0: the recipe's [{_of_recipes('learning_rate')}]"
    )
    temperature: float = _flag(
        0.0, f"of the cosine in jt; 0: the recipe's [{_of_recipes('temperature')}]"
    )
    iou_threshold: float = _flag(0.5, "IoU from which a jd negative is a hard one")
    pair_titles: str = _flag(
        "any",
        "title language of a jd pair: any, same as the description's, or other",
        choices=PAIR_TITLES,
    )
    max_tokens: int = _flag(
        128, "texts are cut at so many tokens in training, not in figures or export"
    )
    cycles: int = _flag(60, "cycles at most; a cycle is one batch of each task")
    validate_every: int = _flag(15, "cycles between validations and checkpoints")
    patience: int = _flag(3, "validations without a better one before it stops")
    seed: int = _flag(0, "of the sample, the split, the batches and the heads")
    output: str = _flag("savedmodels/muse_jobs", "folder of the exported versions")
    run_dir: str = _flag(
        "", "folder of checkpoints, logs and report; none: runs/<date and time>"
    )

    def __post_init__(self):
        for name in ("learning_rate", "temperature"):
            if getattr(self, name) == 0 and self.recipe in RECIPES:
                value = getattr(RECIPES[self.recipe], name)
                object.__setattr__(self, name, value)
        unknown = [task for task in self.task_names if task not in TASKS]
        if unknown or len(set(self.task_names)) != len(self.task_names):
            raise InputError(
                f"--tasks: expected some of {','.join(TASKS)}, each once, "
                f"received {self.tasks or 'none'}"
            )
        for name in ("batch_size", "cycles", "validate_every", "patience"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"--{name.replace('_', '-')}: expected 1 or more, "
                    f"received {getattr(self, name)}"
                )
        for name in ("learning_rate", "temperature", "iou_threshold"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(
                    f"--{name.replace('_', '-')}: expected a number above 0, "
                    f"received {getattr(self, name)}"
                )
        if not 0 < self.translation_share < 1:
            raise InputError(
                "--translation-share: expected a share above 0 and below 1, "
                f"received {self.translation_share}"
            )
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed: expected 0 to {2**32 - 1}, received {self.seed}")
        if self.max_tokens < 3:
            raise InputError(
                "--max-tokens: expected 3 or more (two mark begin and end), "
                f"received {self.max_tokens}"
            )
        _ = self.weights

    @classmethod
    def load(cls, run_dir: str | Path) -> TrainConfig:
        """The configuration that a run was started with."""
        saved: dict[str, Any] = json.loads(
            Path(run_dir, CONFIG_FILE).read_text(encoding="utf-8")
        )
        names = {field.name for field in fields(cls)}
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in saved.items()
            if name in names
        }
        return cls(**known)

    @property
    def task_names(self) -> tuple[str, ...]:
        """The chosen tasks, in their order."""
        return tuple(task.strip() for task in self.tasks.split(","))

    @property
    def weights(self) -> dict[str, float]:
        """Task to the factor of its loss."""
        try:
            pairs = [item.split("=") for item in self.task_weights.split(",") if item]
            weights = {task.strip(): float(value) for task, value in pairs}
        except ValueError:
            weights = {"": -1.0}
        if set(weights) - set(self.task_names) or not all(
            0 < weight < float("inf") for weight in weights.values()
        ):
            raise InputError(
                "--task-weights: expected factors above 0 of the chosen tasks, such as "
                f"jt=2,jd=0.5, received {self.task_weights}"
            )
        return weights
