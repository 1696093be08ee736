"""``python -m muse_jobs.train``: fine-tune, compare with the base encoder, export."""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from muse_jobs.commandline import (
    add_flags,
    given_flags,
    quiet_tensorflow,
    run_command,
    track,
)
from muse_jobs.data.splits import job_groups
from muse_jobs.errors import InputError
from muse_jobs.files import check_writable, to_json, write_json
from muse_jobs.serving.model_card import CARD_FILE, model_card
from muse_jobs.training.config import (
    CONFIG_FILE,
    FIELDS_FILE,
    INPUTS_FILE,
    REPORT_FILE,
    TrainConfig,
)
from muse_jobs.training.inputs import REJECTS_FILE, read_inputs
from muse_jobs.training.recipes import RECIPES

DESCRIPTION = """\
Fine-tunes mUSE on job postings, prints how it compares with plain mUSE on postings that
training did not see, and exports it for TF Serving. Without arguments it uses the
shipped sample corpus."""

PACKAGES = (
    "muse-jobs",
    "tensorflow",
    "tensorflow-text",
    "tensorflow-hub",
    "keras",
    "numpy",
    "scikit-learn",
)
FEW_JOBS = 20  # an interval over fewer is wider than what models differ by
# May differ between a run and its continuation.
FREE_ON_RESUME = ("cycles", "patience", "output", "run_dir")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    parser = argparse.ArgumentParser(
        "python -m muse_jobs.train", description=DESCRIPTION
    )
    add_flags(parser, TrainConfig)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in --run-dir from its last checkpoint",
    )
    arguments = parser.parse_args(argv)
    config = _configure(given_flags(arguments, TrainConfig), arguments.resume)
    try:
        _run(config)
    except KeyboardInterrupt:
        if Path(config.run_dir, CONFIG_FILE).exists():
            print(
                f"\nstopped; continue with: python -m muse_jobs.train --resume "
                f"--run-dir {config.run_dir}",
                file=sys.stderr,
            )
        raise
    return 0


def _configure(given: dict[str, Any], resume: bool) -> TrainConfig:
    """The run's configuration, from the flags and, to resume, from the run itself."""
    config = TrainConfig(**given)
    if not resume:
        if not config.run_dir:
            name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            config = dataclasses.replace(config, run_dir=str(Path("runs", name)))
        if Path(config.run_dir, CONFIG_FILE).exists():
            raise InputError(
                f"--run-dir {config.run_dir} holds a run: continue it with --resume, "
                "or choose another folder"
            )
        return config
    saved_file = Path(config.run_dir, CONFIG_FILE)
    if not config.run_dir or not saved_file.is_file():
        raise InputError(
            "--resume needs the --run-dir of a run that was started; "
            f"{config.run_dir or 'none was given'}: no {CONFIG_FILE} there"
        )
    saved = dataclasses.asdict(TrainConfig.load(config.run_dir))
    changed = [
        name
        for name, value in given.items()
        if name not in FREE_ON_RESUME and value != saved[name]
    ]
    if changed:
        flag = "--" + changed[0].replace("_", "-")
        raise InputError(
            f"{flag}: the run was started with {saved[changed[0]]}; leave the flag out "
            "to continue it, or start a new run"
        )
    free = {name: value for name, value in given.items() if name in FREE_ON_RESUME}
    return TrainConfig(**{**saved, **free})


def _run(config: TrainConfig) -> None:
    started = time.monotonic()
    # What the user gave is checked before the slow imports.
    run_dir = Path(config.run_dir)
    check_writable(config.output)
    check_writable(run_dir)
    inputs = read_inputs(config, track=track)
    split, labels = inputs.split, inputs.labels
    recipe = RECIPES[config.recipe]

    with quiet_tensorflow():
        import keras

        from muse_jobs.encoder.encode import text_encoder
        from muse_jobs.encoder.sources import load_encoder
        from muse_jobs.evaluation.comparison import compare, format_table
        from muse_jobs.evaluation.evaluators import evaluate_titles, title_pool
        from muse_jobs.evaluation.postings import evaluate_postings
        from muse_jobs.evaluation.sets import LBKL_SETTINGS
        from muse_jobs.serving.savedmodel import export_savedmodel
        from muse_jobs.training.assembly import build_examples, build_model
        from muse_jobs.training.optimizers import FusedAdam
        from muse_jobs.training.run import load_base, load_best, train
        from muse_jobs.training.tasks import cycle_batches

    keras.utils.set_random_seed(config.seed)
    encoder = load_encoder(config.encoder)
    examples = build_examples(config, recipe, inputs, encoder.pieces)
    write_json(run_dir / FIELDS_FILE, labels)
    write_json(run_dir / CONFIG_FILE, dataclasses.asdict(config))
    _check_inputs(run_dir, {**inputs.checksums, "encoder": encoder.source})
    print(f"encoder: {encoder.source}")
    print(f"data: {_describe(inputs.report)}; recipe: {config.recipe}; run: {run_dir}")
    if inputs.report["rejects"]:
        print(f"rejected rows: {run_dir / REJECTS_FILE}")
    if not split.near_joined:
        print(
            "near duplicates chain into more than a tenth of the data: the split is by "
            "title alone"
        )

    model = build_model(config, recipe, encoder, labels)
    head_rate = recipe.head_learning_rate
    model.compile(
        FusedAdam(config.learning_rate),
        keras.optimizers.Adam(head_rate) if head_rate else None,
    )
    encode = text_encoder(encoder)  # whole texts, as the export takes them
    validation_pool = title_pool(split.validation, seed=config.seed)
    state = train(
        model,
        lambda first: cycle_batches(
            examples, batch_size=config.batch_size, seed=config.seed, start=first
        ),
        lambda: evaluate_titles(encode, validation_pool).figures,
        run_dir,
        cycles=config.cycles,
        validate_every=config.validate_every,
        patience=config.patience,
    )
    load_base(model, run_dir)
    plain = evaluate_postings(encode, split, seed=config.seed)
    load_best(model, run_dir, state)
    tuned = evaluate_postings(encode, split, seed=config.seed, **_head_scores(model))
    rows = compare(plain, tuned)
    figures = plain[0].figures
    report = {
        "config": dataclasses.asdict(config),
        "encoder": encoder.source,
        "data": inputs.report,
        "training": {
            "cycles": state.cycle,
            "best_cycle": state.best_cycle,
            "validation": state.history,
        },
        "test": {row.figure: dataclasses.asdict(row) for row in rows},
        "lbkl": {
            **LBKL_SETTINGS,
            "blind": figures["lbkl_blind"],
            "ceiling": figures["lbkl_ceiling"],
        },
        "versions": _versions(),
        "python": platform.python_version(),
        "seconds": round(time.monotonic() - started, 1),
    }
    exported = export_savedmodel(
        encoder,
        config.output,
        matching=model.head("jd"),
        fields=model.head("jf"),
        files={REPORT_FILE: to_json(report) + "\n", CARD_FILE: model_card(report)},
    )
    write_json(run_dir / REPORT_FILE, {**report, "exported": str(exported)})

    jobs = len(set(job_groups(split.test)))
    print(
        f"\nheld-out postings: {len(split.test)} of {jobs} jobs, none of which was "
        "trained on"
    )
    if jobs < FEW_JOBS:
        print(f"with fewer than {FEW_JOBS} jobs the figures say little: add postings")
    print(f"best weights: after cycle {state.best_cycle} of {state.cycle}\n")
    print(format_table(rows, "plain", "fine-tuned"))
    print(
        "\nLBKL in nats ({direction}, k = {k}, epsilon = {epsilon}); on this pool a "
        "blind ranking has {blind:.3f}, one that lists the query's own language first "
        "{ceiling:.3f}".format(**report["lbkl"])
    )
    print(f"report: {run_dir / REPORT_FILE}\nmodel:  {exported}")


def _check_inputs(run_dir: Path, inputs: dict[str, str]) -> None:
    """Keeps what a run was made of, and refuses to continue it with something else."""
    path = run_dir / INPUTS_FILE
    if not path.exists():
        write_json(path, inputs)
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    for name in sorted({*before, *inputs}):
        if before.get(name) != inputs.get(name):
            raise InputError(
                f"{run_dir}: the run was started with other input: {name} was "
                f"{before.get(name)} and is {inputs.get(name)}; start a new run"
            )


def _versions() -> dict[str, str | None]:
    """Installed versions; None for what runs without being installed under its name."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _describe(data_report: dict) -> str:
    split = data_report["split"]
    return (
        f"{data_report['postings']} postings ({split['train']} train, "
        f"{split['validation']} validation, {split['test']} test), "
        f"{data_report['rejects']} rejected"
    )


def _head_scores(model) -> dict:
    """The trained heads as functions of vectors, for `evaluate_postings`."""
    matching, fields = model.head("jd"), model.head("jf")
    scores: dict[str, Any] = {}
    if matching is not None:
        scores["pair_scores"] = lambda descriptions, titles: matching(
            descriptions=descriptions, titles=titles
        ).numpy()
    if fields is not None:
        scores["field_scores"] = lambda vectors: fields(vectors).numpy()
    return scores


if __name__ == "__main__":
    run_command(main)
