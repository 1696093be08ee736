"""The exported model: signatures, a version folder that is whole or not there.

Contract (``<base>/<integer>/``): ``serving_default`` and ``embed`` take ``inputs``, a
string (batch,), and give ``outputs``, float32 (batch, dim) of unit norm. ``match``
takes ``titles`` and ``descriptions`` and gives ``probabilities`` (batch,). ``fields``
takes ``inputs`` and gives ``probabilities`` (batch, fields) and ``labels`` (batch,
fields). Signatures of heads that are not there are absent. The loaded object can be
called on a string tensor and has ``trainable_variables``, so it can be fine-tuned
again.

No request can exhaust the memory: a text is cut at `MAX_BYTES` bytes and then at
`MAX_TOKENS` tokens, and of all texts of a request the encoder holds one chunk at a
time. Beside the model stand warm-up requests for every signature
(`muse_jobs.serving.warmup`), TensorFlow's ``fingerprint.pb``, and the files that the
export was given.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from muse_jobs.files import check_writable
from muse_jobs.serving.versions import list_versions
from muse_jobs.serving.warmup import write_warmup

# Texts that the read-back compares, in both languages and of every awkward kind.
PROBES = (
    b"Software Engineer",
    "พนักงานขายประจำสาขา".encode(),
    "เจ้าหน้าที่ HR (ด่วน!)".encode(),
    b"",
    b"\xff\xfe\x00 not UTF-8",
    b"accounting " * 400,
)
TOLERANCE = 1e-5
# A Thai page is about 1,000 tokens. The bytes are cut first, so that the tokeniser
# does not walk through megabytes; no piece of mUSE's is longer than 48 bytes.
MAX_TOKENS = 2048
MAX_BYTES = 48 * MAX_TOKENS


class ExportedModel(tf.Module):
    """What is saved. A plain object: Keras' own tracking would save weights twice
    (keras-team/keras#23553)."""

    # They shadow tf.Module's properties, so that the loaded object has them too.
    variables = ()
    trainable_variables = ()


def export_savedmodel(
    encoder: keras.layers.Layer,
    base: str | Path,
    *,
    matching: keras.layers.Layer | None = None,
    fields: keras.layers.Layer | None = None,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Writes the next version folder below ``base``, reads it back and compares.

    The folder is written beside and renamed into place. An existing version is never
    touched.

    Args:
        encoder: texts to vectors.
        base: the model's folder; versions are integers below it.
        matching: head with ``matching(descriptions=, titles=)`` -> logits.
        fields: head with ``fields(vectors)`` -> logits, and ``labels``.
        files: text files to put beside the model: name to content.

    Returns:
        The version folder.

    Raises:
        InputError: ``base`` cannot be written.
        RuntimeError: the export, read back, gives other vectors than the encoder.
    """
    base = Path(base)
    check_writable(base)
    beside = base / f".export-{os.getpid()}"
    try:
        _save(encoder, matching, fields, beside)
        write_warmup(beside)
        _read_back(encoder, beside)
        for name, content in (files or {}).items():
            (beside / name).write_text(content, encoding="utf-8")
        return _rename_to_next(beside, base)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _rename_to_next(beside: Path, base: Path) -> Path:
    number = (list_versions(base) or [0])[-1] + 1
    while True:
        target = base / str(number)
        try:
            # Onto a folder with content a rename fails: another export was faster.
            os.rename(beside, target)
            return target
        except OSError:
            if not target.exists():
                raise
            number += 1


def _save(
    encoder: keras.layers.Layer,
    matching: keras.layers.Layer | None,
    fields: keras.layers.Layer | None,
    folder: Path,
) -> None:
    heads = [head for head in (matching, fields) if head is not None]
    texts = tf.TensorSpec((None,), tf.string, name="inputs")
    # A module whose tokens are not known can be cut by bytes alone.
    max_tokens = MAX_TOKENS if encoder.sentencepiece_model else None

    @tf.function(input_signature=[texts])
    def embed(inputs):
        inputs = tf.strings.substr(inputs, 0, MAX_BYTES)
        return encoder(inputs, max_tokens=max_tokens)

    @tf.function(input_signature=[texts])
    def serve_embed(inputs):
        return {"outputs": embed(inputs)}

    @tf.function(
        input_signature=[
            tf.TensorSpec((None,), tf.string, name="titles"),
            tf.TensorSpec((None,), tf.string, name="descriptions"),
        ]
    )
    def serve_match(titles, descriptions):
        logits = matching(descriptions=embed(descriptions), titles=embed(titles))
        return {"probabilities": tf.sigmoid(logits)}

    @tf.function(input_signature=[texts])
    def serve_fields(inputs):
        probabilities = tf.sigmoid(fields(embed(inputs)))
        labels = tf.constant(fields.labels)[tf.newaxis, :]
        return {
            "probabilities": probabilities,
            "labels": tf.repeat(labels, tf.shape(inputs)[0], axis=0),
        }

    model: Any = ExportedModel()
    model.__call__ = embed
    model.resources = encoder.resources
    # The encoder's alone: the heads belong to the training that made them.
    model.variables = [v.value for v in encoder.variables]
    model.trainable_variables = [v.value for v in encoder.variables if v.trainable]
    model.head_variables = [v.value for head in heads for v in head.variables]
    signatures: dict[str, Callable] = {
        "serving_default": serve_embed,
        "embed": serve_embed,
    }
    if matching is not None:
        signatures["match"] = serve_match
    if fields is not None:
        signatures["fields"] = serve_fields
    tf.saved_model.save(model, str(folder), signatures=signatures)


def _read_back(encoder: keras.layers.Layer, folder: Path) -> None:
    loaded = tf.saved_model.load(str(folder))
    probes = tf.constant(PROBES)
    served = loaded.signatures["serving_default"](inputs=probes)["outputs"]
    difference = float(np.abs(served.numpy() - encoder(probes).numpy()).max())
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"the export gives other vectors than the encoder: largest difference "
            f"{difference}, at most {TOLERANCE} is allowed"
        )
