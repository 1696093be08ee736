"""The study's configuration: one TOML file, read into frozen dataclasses."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from muse_jobs.errors import InputError
from muse_jobs.training.config import TrainConfig
from muse_jobs.training.recipes import RECIPES, Recipe

SIZES = ("full", "quick", "smallest")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """One line of the study's tables.

    Attributes:
        name: the key in the file.
        title: for people.
        seeds: of its runs; (0,) without training.
        training: the `TrainConfig` fields that it sets; None: the base encoder alone.
        recipe: what the run does.
        general: whether the general parallel text is mixed into jt.
        centred: whether the vectors lack the mean of their language when measured.
    """

    name: str
    title: str
    seeds: tuple[int, ...]
    training: Mapping[str, Any] | None
    recipe: Recipe
    general: bool
    centred: bool = False


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """How the public data is taken.

    Attributes:
        validation_share: of the ISCO units that have titles in both languages.
        test_share: as well.
        general_pairs: of the general parallel text.
        out_of_domain: whether encoders are measured outside the domain too.
    """

    validation_share: float = 0.1
    test_share: float = 0.3
    general_pairs: int = 12000
    out_of_domain: bool = True


@dataclass(frozen=True, slots=True)
class StudySettings:
    """The whole configuration.

    Attributes:
        corpus: how the data is taken.
        runs: in the order of the tables.
        baseline: name of the run without training.
        recipe: name of the run that follows the paper.
        ours: name of the run that is compared with the two.
    """

    corpus: CorpusSettings
    runs: tuple[RunSettings, ...]
    baseline: str
    recipe: str
    ours: str

    def run(self, name: str) -> RunSettings:
        """The run of a name."""
        return next(run for run in self.runs if run.name == name)


def load_settings(
    path: str | Path | None = None, *, size: str = "full"
) -> StudySettings:
    """Reads the configuration.

    Args:
        path: the file; None: the shipped ``study.toml``.
        size: ``full``; ``quick`` and ``smallest`` put that table of the file over the
            rest: fewer seeds, cycles and runs.

    Returns:
        `StudySettings`.

    Raises:
        InputError: the file has what the study does not know, or lacks a run.
    """
    if path is None:
        text = resources.files(__package__).joinpath("study.toml").read_text("utf-8")
    elif Path(path).is_file():
        text = Path(path).read_text("utf-8")
    else:
        raise InputError(f"--config: {path}: no such file")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"--config: {path}: {error}") from error
    smaller = {name: content.pop(name, {}) for name in SIZES[1:]}
    if size != "full":
        content = _over(content, smaller[size])
    kept = content.pop("only", list(content.get("runs", {})))
    try:
        settings = StudySettings(
            corpus=CorpusSettings(**content.pop("corpus", {})),
            runs=tuple(
                _run(name, run, content["seeds"], content["training"])
                for name, run in content.pop("runs").items()
                if name in kept
            ),
            **{name: content[name] for name in ("baseline", "recipe", "ours")},
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"--config: {path or 'study.toml'}: {error}") from error
    missing = {settings.baseline, settings.recipe, settings.ours} - {
        run.name for run in settings.runs
    }
    if missing:
        raise InputError(f"--config: no [runs.{min(missing)}] in it")
    return settings


def _run(
    name: str,
    run: Mapping[str, Any],
    seeds: list[int],
    training: Mapping[str, Any],
) -> RunSettings:
    own = dict(run)
    title = own.pop("title", name)
    own_seeds = own.pop("seeds", seeds)
    general = own.pop("general", False)
    is_centred = own.pop("centred", False)
    recipe = RECIPES[own.get("recipe", "default")]
    of_training = {"name", *(field.name for field in dataclasses.fields(TrainConfig))}
    names = {field.name for field in dataclasses.fields(Recipe)} - of_training
    changed = {key: own.pop(key) for key in list(own) if key in names}
    if "tasks" not in own:
        return RunSettings(name, title, (0,), None, recipe, False, is_centred)
    config = {**training, **own}
    TrainConfig(**config)  # the same checks as the command's
    return RunSettings(
        name,
        title,
        tuple(seed for seed in own_seeds if seed in seeds) or tuple(seeds[:1]),
        config,
        dataclasses.replace(recipe, **changed),
        general,
        is_centred,
    )


def _over(content: dict, changes: Mapping) -> dict:
    """The content with the changes put over it, table by table."""
    merged = dict(content)
    for key, value in changes.items():
        is_table = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _over(merged[key], value) if is_table else value
    return merged
