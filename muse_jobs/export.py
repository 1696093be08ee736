"""``python -m muse_jobs.export``: a model as a version folder, and a look at one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from muse_jobs.commandline import quiet_tensorflow, run_command
from muse_jobs.errors import InputError
from muse_jobs.files import to_json
from muse_jobs.training.config import (
    CONFIG_FILE,
    FIELDS_FILE,
    INPUTS_FILE,
    REPORT_FILE,
    TrainConfig,
)

DESCRIPTION = """\
Writes a model as the next version of a model folder, for TensorFlow Serving: a training
run's best weights with their heads, or an encoder alone. With --int8 the embedding
table, 95 % of the model, is stored in 8 bits: less than a third of the size, for
inference only. With --check it looks at a version folder as the server would."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    parser = argparse.ArgumentParser(
        "python -m muse_jobs.export", description=DESCRIPTION
    )
    parser.add_argument(
        "source",
        nargs="?",
        help="a run's folder (runs/...), auto, tfhub, packaged, a TF-Hub URL, "
        "kaggle:HANDLE, or a SavedModel folder such as savedmodels/muse_jobs/1",
    )
    parser.add_argument(
        "--output",
        default="savedmodels/muse_jobs",
        metavar="FOLDER",
        help="folder of the versions [savedmodels/muse_jobs]",
    )
    parser.add_argument(
        "--int8", action="store_true", help="store the embedding table in 8 bits"
    )
    parser.add_argument(
        "--check",
        metavar="DIR",
        help="look at this version folder instead; needs the extra client",
    )
    arguments = parser.parse_args(argv)
    if (arguments.source is None) == (arguments.check is None):
        raise InputError(
            "expected a source to export, or --check and a version folder; received "
            f"{'both' if arguments.check else 'neither'}"
        )
    return _check(arguments.check) if arguments.check else _export(arguments)


def _export(arguments) -> int:
    run_config = Path(arguments.source, CONFIG_FILE)
    with quiet_tensorflow():
        from muse_jobs.encoder.quantized import quantize
        from muse_jobs.encoder.sources import load_encoder
        from muse_jobs.serving.model_card import CARD_FILE, model_card
        from muse_jobs.serving.savedmodel import export_savedmodel

    if run_config.is_file():
        encoder, heads, report = _of_run(Path(arguments.source))
    else:
        encoder, heads, report = load_encoder(arguments.source), {}, {}
    if arguments.int8:
        encoder = quantize(encoder)
    # What the run's report says holds for the int8 form too, within what is lost by it.
    report |= {"encoder": encoder.source}
    report.setdefault("versions", {"muse-jobs": version("muse-jobs")})
    folder = export_savedmodel(
        encoder,
        arguments.output,
        **heads,
        files={REPORT_FILE: to_json(report) + "\n", CARD_FILE: model_card(report)},
    )
    size = sum(file.stat().st_size for file in folder.rglob("*")) / 1e6
    print(f"{encoder.source}\n{folder}, {size:.0f} MB")
    return 0


def _of_run(run_dir: Path):
    """The encoder, heads and report of a training run, at its best weights."""
    import json

    from muse_jobs.encoder.sources import load_encoder
    from muse_jobs.training.assembly import build_model
    from muse_jobs.training.recipes import RECIPES
    from muse_jobs.training.run import load_best, read_state

    state = read_state(run_dir)
    if not state.best_cycle:
        raise InputError(
            f"{run_dir}: the run has no best weights yet: continue it with `python -m "
            f"muse_jobs.train --resume --run-dir {run_dir}`"
        )
    config = TrainConfig.load(run_dir)
    files = {name: run_dir / name for name in (FIELDS_FILE, INPUTS_FILE, REPORT_FILE)}
    missing = [name for name, path in files.items() if not path.is_file()]
    if missing:
        raise InputError(
            f"{run_dir}: {', '.join(missing)} missing: the run has not ended; go on "
            f"with `python -m muse_jobs.train --resume --run-dir {run_dir}`"
        )
    labels, inputs, report = (
        json.loads(path.read_text("utf-8")) for path in files.values()
    )
    if report["training"]["best_cycle"] != state.best_cycle:
        raise InputError(
            f"{run_dir}: the run has better weights than its report speaks of; go on "
            f"with `python -m muse_jobs.train --resume --run-dir {run_dir}`"
        )
    encoder = load_encoder(config.encoder)
    if encoder.source != inputs["encoder"]:
        raise InputError(
            f"{run_dir}: the run began with {inputs['encoder']}; {config.encoder} is "
            f"now {encoder.source}"
        )
    model = build_model(config, RECIPES[config.recipe], encoder, labels)
    load_best(model, run_dir, state)
    encoder.source = f"{encoder.source}, fine-tuned: {run_dir}"
    return encoder, {"matching": model.head("jd"), "fields": model.head("jf")}, report


def _check(folder: str) -> int:
    with quiet_tensorflow():
        from muse_jobs.serving.checking import check_version

    problems = 0
    for name, problem in check_version(folder):
        problems += bool(problem)
        print(
            f"{'FAILS' if problem else 'ok':<6} {name}{': ' * bool(problem)}{problem}"
        )
    if problems:
        raise InputError(f"{folder}: {problems} of the above must be mended")
    return 0


if __name__ == "__main__":
    run_command(main)
