"""``python -m muse_jobs.encoder``: check an encoder, or list what a module holds."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from muse_jobs.commandline import quiet_tensorflow, run_command
from muse_jobs.errors import InputError

# Against the cosines that Google published for the float module.
EXACT = 1e-4
QUANTISED_MEAN, QUANTISED_CORRELATION = 0.016, 0.998
TITLES = ("พนักงานขาย", "เจ้าหน้าที่ HR (ด่วน!)", "Software Engineer", "Sous-chef", "")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    parser = argparse.ArgumentParser("python -m muse_jobs.encoder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser(
        "check",
        help="parameters, tokens, and its cosines beside those published for mUSE",
    )
    check.add_argument("--all", action="store_true", help="show every pair")
    listing = commands.add_parser(
        "list", help="a module's variables and what each feeds, for a bug report"
    )
    for command in (check, listing):
        command.add_argument(
            "source", help="auto, tfhub, packaged, a URL, a folder, a .tar.gz"
        )
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("absl").setLevel(logging.ERROR)
    if arguments.command == "check":
        return _check(arguments.source, arguments.all)
    return _list(arguments.source)


def _check(source: str, show_all: bool) -> int:
    """Prints the check; 0 if the encoder agrees with the published values, else 1."""
    with quiet_tensorflow():
        from muse_jobs.encoder.encode import text_encoder
        from muse_jobs.encoder.reference import compare_with_published
        from muse_jobs.encoder.sources import load_encoder
    encoder = load_encoder(source)
    print(f"encoder:     {encoder.source} ({type(encoder).__name__})")
    print(f"parameters:  {encoder.count_params():,}")
    ids = getattr(encoder, "tokenize", None)
    if ids is not None:
        for title, row in zip(TITLES, ids(list(TITLES)).to_list(), strict=True):
            print(f"tokens:      {title!r}: {row}")
    agreement = compare_with_published(text_encoder(encoder))
    rows = agreement.rows if show_all else agreement.rows[:5]
    for first, second, published, found in rows:
        print(f"cosine:      {published:+.4f} published, {found:+.4f} here: ", end="")
        print(f"{first[:40]!r}, {second[:40]!r}")
    print(
        f"{agreement.pairs} pairs:   |difference| {agreement.mean_difference:.5f} on "
        f"average, {agreement.max_difference:.5f} at most; correlation "
        f"{agreement.correlation:.5f}"
    )
    if agreement.max_difference < EXACT:
        print(f"verdict:     the float module's values (within {EXACT})")
    elif (
        agreement.mean_difference <= QUANTISED_MEAN
        and agreement.correlation >= QUANTISED_CORRELATION
    ):
        print(
            f"verdict:     mUSE with quantised weights (mean within {QUANTISED_MEAN}, "
            f"correlation from {QUANTISED_CORRELATION}), not the float module"
        )
    else:
        print("verdict:     other vectors than plain mUSE's (a fine-tuned model, say)")
        return 1
    return 0


def _list(source: str) -> int:
    with quiet_tensorflow():
        from muse_jobs.encoder.graph import UnknownGraph, weight_flow
        from muse_jobs.encoder.hub import HubEncoder
        from muse_jobs.encoder.sources import load_encoder
    layer = load_encoder(source, convert=False)
    if not isinstance(layer, HubEncoder):
        raise InputError(f"{source}: is no module, there is nothing to list")
    print(f"{len(layer.module_variables)} variables of {layer.source}")
    for variable in layer.module_variables:
        print(f"  {variable.name}  {tuple(variable.shape)}  {variable.dtype.name}")
    try:
        weights = weight_flow(layer.concrete_function(), layer.module_variables)
    except UnknownGraph as unknown:
        print(f"their way through the graph was not understood: {unknown}")
        return 1
    print(f"{len(weights)} weights in its graph, each with the weights before it")
    for number, weight in enumerate(weights):
        before = " ".join(map(str, sorted(weight.upstream))) or "none"
        print(f"  {number}: {weight.name}  {weight.shape}  after {before}")
    return 0


if __name__ == "__main__":
    run_command(main)
