"""``python -m muse_jobs.export``: an encoder as a version folder for TF Serving."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from muse_jobs.commandline import quiet_tensorflow, run_command

DESCRIPTION = """\
Writes an encoder as the next version of a model folder, with the signatures
serving_default and embed. With --int8 the embedding table, 95 % of the model, is stored
in 8 bits: less than a third of the size, for inference only. The heads of a training
run stay with the export that the run itself made."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    parser = argparse.ArgumentParser(
        "python -m muse_jobs.export", description=DESCRIPTION
    )
    parser.add_argument(
        "encoder",
        help="auto, tfhub, packaged, a TF-Hub URL, kaggle:HANDLE, or a SavedModel "
        "folder such as savedmodels/muse_jobs/1",
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
    arguments = parser.parse_args(argv)
    with quiet_tensorflow():
        from muse_jobs.encoder.quantized import quantize
        from muse_jobs.encoder.sources import load_encoder
        from muse_jobs.serving.savedmodel import export_savedmodel

    encoder = load_encoder(arguments.encoder)
    if arguments.int8:
        encoder = quantize(encoder)
    folder = export_savedmodel(encoder, arguments.output)
    size = sum(file.stat().st_size for file in Path(folder).rglob("*")) / 1e6
    print(f"{encoder.source}\n{folder}, {size:.0f} MB")
    return 0


if __name__ == "__main__":
    run_command(main)
