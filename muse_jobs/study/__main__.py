"""``python -m muse_jobs.study``: the paper's experiments on public data."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from muse_jobs.commandline import quiet_tensorflow, run_command, track
from muse_jobs.data.formats import import_extra
from muse_jobs.errors import InputError
from muse_jobs.files import check_writable, write_json, write_lines

DESCRIPTION = """\
Trains mUSE on public Thai-English data in the ways that the configuration names, each
with several seeds, and measures all of them on ISCO units that no training saw and on
general text: the paper's ablation and its tables of language bias, this project's own
way beside it. A study that was stopped goes on where it was."""

SAMPLE = "sample"
UNITS_FILE = "test-units.txt"  # for `muse_jobs.evaluate --units`
# Batches that the heads are trained on first, and that gradients are averaged over.
GRADIENTS = {"full": (40, 8), "quick": (10, 2), "smallest": (2, 1)}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    parser = argparse.ArgumentParser(
        "python -m muse_jobs.study", description=DESCRIPTION
    )
    parser.add_argument(
        "data",
        nargs="?",
        default=os.environ.get("MUSE_JOBS_DATA"),
        help=f"folder of the public data, or `{SAMPLE}`: the shipped sample corpus "
        "[the variable MUSE_JOBS_DATA]",
    )
    parser.add_argument("--config", help="a file like the shipped study.toml")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="one seed, fewer cycles")
    sizes.add_argument(
        "--smallest", action="store_true", help="a check of the machinery"
    )
    parser.add_argument("--encoder", default="auto", help="the base [auto]")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="RUN", help="train and stop at these"
    )
    parser.add_argument("--output", default="study", help="folder [study]")
    arguments = parser.parse_args(argv)
    size = next((s for s in ("quick", "smallest") if getattr(arguments, s)), "full")
    if not arguments.data:
        raise InputError(
            f"expected the folder of the public data, or `{SAMPLE}`: name it, or set "
            "MUSE_JOBS_DATA; docs/study.md says what is in it"
        )
    if arguments.data != SAMPLE and not Path(arguments.data).is_dir():
        raise InputError(f"{arguments.data}: no such folder")
    _study(arguments, size)
    return 0


def _study(arguments, size: str) -> None:
    from muse_jobs.study.settings import load_settings

    settings = load_settings(arguments.config, size=size)
    output, folder = Path(arguments.output), Path(arguments.data)
    check_writable(output)
    import_extra("matplotlib", "plots", output / "frontier.png")
    with quiet_tensorflow():
        from muse_jobs.encoder.sources import load_encoder
        from muse_jobs.study.benchmarks import (
            open_benchmarks,
            sample_benchmarks,
            validation_benchmark,
        )
        from muse_jobs.study.corpus import read_sample_data, read_study_data
        from muse_jobs.study.gradients import gradient_cosines
        from muse_jobs.study.page import draw_study, render_study
        from muse_jobs.study.runs import Workshop
        from muse_jobs.study.tables import study_tables

    started = time.monotonic()
    on_sample = arguments.data == SAMPLE
    data = read_sample_data() if on_sample else read_study_data(folder, settings.corpus)
    for name, count in (data.counts | data.checks).items():
        print(f"{name}: {count:,}")
    if any(data.checks.values()):
        raise InputError("held-out units are in the training data; see above")
    write_lines(output / UNITS_FILE, data.units.test)
    if on_sample:
        benchmarks = sample_benchmarks(data.inputs.split.test)
        validation = sample_benchmarks(data.inputs.split.validation)["titles"]
    else:
        benchmarks = open_benchmarks(folder, data, settings.corpus)
        validation = validation_benchmark(folder, data)
    workshop = Workshop(
        load_encoder(arguments.encoder),
        data,
        benchmarks,
        validation=validation,
        output=output,
    )
    jobs = [(run, seed) for run in settings.runs for seed in run.seeds]
    # The first seed of every run first: a study that is stopped has a whole table.
    jobs.sort(key=lambda job: job[0].seeds.index(job[1]))
    if arguments.only:
        jobs = [job for job in jobs if job[0].name in arguments.only]
    measured = []
    for run, seed in track(jobs, "runs"):
        print(f"{run.title}, seed {seed}", flush=True)
        measured.append(workshop.measured(run, seed))
        print(f"  {_line(measured[-1])}", flush=True)
    if arguments.only:
        return
    gradients = workshop.kept(
        "gradients",
        settings.run(settings.recipe),
        lambda run: gradient_cosines(
            workshop,
            run,
            head_steps=GRADIENTS[size][0],
            batches=GRADIENTS[size][1],
        ),
    )
    first = {m.run.name: m for m in measured if m.seed == m.run.seeds[0]}
    names = {
        "baseline": settings.baseline,
        "recipe": settings.recipe,
        "ours": settings.ours,
    }
    report = {
        "size": size,
        "encoder": workshop.encoder.source,
        "counts": data.counts,
        "checks": data.checks,
        "names": names,
        "titles": {run.name: run.title for run in settings.runs},
        **study_tables(settings, measured, benchmarks),
        "gradients": gradients,
        "knob": {name: first[name].knob for name in names.values()},
        "runs": [{"run": m.run.name, "seed": m.seed, **m.training} for m in measured],
        "versions": {"muse-jobs": version("muse-jobs")},
        "seconds": round(time.monotonic() - started, 1),
    }
    write_json(output / "study.json", report)
    files = draw_study(report, output)
    page = render_study(report)
    write_lines(output / "study.md", [page.rstrip()])
    print(f"\n{page}")
    print(f"report: {', '.join(map(str, [output / 'study.md', *files]))}")


def _line(measured) -> str:
    figures = measured.evaluations["titles"].figures
    return (
        f"Recall@10 {figures['recall_at_10_combined']:.3f}, LBKL above blind "
        f"{figures['lbkl_excess']:.3f}, best cycle "
        f"{measured.training.get('best_cycle', '-')} of "
        f"{measured.training.get('cycles', '-')}"
    )


if __name__ == "__main__":
    run_command(main)
