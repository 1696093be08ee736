"""``python -m benchmarks SUBJECT``: prints a table and writes its JSON beside it."""

import argparse
import importlib
import json
import os
import platform
from pathlib import Path

from muse_jobs.commandline import quiet_tensorflow, run_command

SUBJECTS = (
    "training_cycle",
    "training_memory",
    "platform_scale",
    "input_pipeline",
    "retrieval",
    "embedding",
    "encoding",
    "peers",
    "serving",
)


def main(argv=None) -> int:
    """Runs the chosen subjects."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("subject", nargs="*", help=f"of {', '.join(SUBJECTS)}; all")
    parser.add_argument(
        "--output", default="runs/benchmarks", help="folder of the JSON"
    )
    arguments = parser.parse_args(argv)
    unknown = set(arguments.subject) - set(SUBJECTS)
    if unknown:
        parser.error(f"unknown subject: {', '.join(sorted(unknown))}")
    with quiet_tensorflow():
        import tensorflow as tf
    for subject in arguments.subject or SUBJECTS:
        module = importlib.import_module(f"benchmarks.{subject}")
        print(f"{subject}: {module.__doc__.splitlines()[0]}")
        figures = module.measure()
        for name, value in figures.items():
            print(f"  {name:<48} {value:10.3f}")
        path = Path(arguments.output, f"{subject}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        machine = {
            "cores": os.cpu_count(),
            "processor": platform.processor() or platform.machine(),
            "tensorflow": tf.__version__,
        }
        path.write_text(json.dumps({"figures": figures, "machine": machine}, indent=2))
    return 0


if __name__ == "__main__":
    run_command(main)
