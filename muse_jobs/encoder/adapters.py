"""Any encoder as one function from texts to unit vectors, for evaluation."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

import numpy as np

from muse_jobs.errors import InputError

Encode = Callable[[Sequence[str]], np.ndarray]
# texts -> (texts, fields) scores, and the names of the fields
FieldScores = Callable[[Sequence[str]], tuple[np.ndarray, tuple[str, ...]]]

BATCH_SIZE = 256
NAMES = ("auto", "tfhub", "packaged")
PYTHON_OBJECT = re.compile(r"[^\W\d]\w*(\.\w+)*:[^\W\d]\w*(\.\w+)*")


@dataclass(frozen=True, slots=True)
class Adapter:
    """An encoder that can be evaluated.

    Attributes:
        name: short, for tables.
        source: where the vectors come from, for reports.
        encode: texts -> (texts, dim) float32 of unit norm; a row of zeros stays one.
        field_scores: the job fields by the model's own head, if it has one.
    """

    name: str
    source: str
    encode: Encode
    field_scores: FieldScores | None = None


def open_encoder(spec: str) -> Adapter:
    """The encoder that a command line names.

    Args:
        spec: what `load_encoder` takes; a SavedModel folder whose ``serving_default``
            makes ``outputs`` (batch, dim) of ``inputs``, strings; a
            sentence-transformers folder; ``package.module:function``, a Python function
            from a list of texts to an array, or an object with such an ``encode``; or
            ``vectors.npy``, an array beside ``vectors.jsonl`` with the text of each row
            as a JSON string on a line of its own.

    Returns:
        The encoder. Its name is the last two parts of the path.

    Raises:
        InputError: nothing of this kind is there, or it cannot be loaded.
    """
    path = Path(spec)
    if path.suffix == ".npy":
        return adapt(_stored_vectors(path), name=_short(spec), source=spec)
    if (path / "modules.json").is_file():
        return adapt(_sentence_transformer(spec), name=_short(spec), source=spec)
    if PYTHON_OBJECT.fullmatch(spec):
        return adapt(_python_object(spec), name=spec)
    if spec in NAMES or ":" in spec or path.is_file() or _has_saved_model(spec):
        encode, source = _saved_model(spec)
        adapter = adapt(encode, name=_short(spec), source=source)
        if _has_saved_model(spec):
            adapter = replace(adapter, field_scores=_field_scores(spec))
        return adapter
    raise InputError(
        f"encoder {spec}: expected {', '.join(NAMES)}, a TF-Hub URL, kaggle: and a "
        "handle, a .tar.gz of a module, a folder with a saved_model.pb or (sentence-"
        "transformers) a modules.json, package.module:function, or the path of a "
        "vectors.npy; received a path where none of them is"
    )


def adapt(encoder: object, *, name: str, source: str | None = None) -> Adapter:
    """An encoder of Python: its output is checked and brought to unit norm.

    Args:
        encoder: a function from a list of texts to (texts, dim) numbers, or an object
            with such a function as ``encode``: a SentenceTransformer, say.
        name: short, for tables.
        source: for reports; the name by default.

    Raises:
        InputError: it is neither. ``encode`` raises it for an output of another shape
            or with numbers that are not finite.
    """
    function = getattr(encoder, "encode", encoder)
    if not callable(function):
        raise InputError(
            f"encoder {name}: expected a function of texts or an object with an "
            f"encode(texts), received {type(encoder).__name__}"
        )

    def encode(texts: Sequence[str]) -> np.ndarray:
        texts = list(texts)
        if not texts:  # of which many an encoder makes no (0, dim)
            return np.zeros((0, 0), np.float32)
        return _unit_rows(function(texts), len(texts), name)

    return Adapter(name, source or name, encode)


def _unit_rows(output: object, count: int, name: str) -> np.ndarray:
    expected = f"encoder {name}: expected numbers of shape ({count}, dim), received"
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused below
            vectors = np.asarray(output, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{expected} {type(output).__name__}: {error}") from error
    if vectors.ndim != 2 or len(vectors) != count or vectors.size == 0:
        raise InputError(f"{expected} shape {vectors.shape}")
    bad = count - int(np.isfinite(vectors).all(axis=1).sum())
    if bad:
        raise InputError(f"{expected} NaN or infinity in {bad} of {count} rows")
    # In float64: the squares of small numbers are not 0 there, those of large finite.
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return vectors / np.where(norms > 0, norms, 1)[:, None].astype(np.float32)


def _short(spec: str) -> str:
    full = os.path.abspath(spec) if Path(spec).exists() else spec
    return "/".join(full.replace(os.sep, "/").split("/")[-2:])


def _has_saved_model(folder: str) -> bool:
    return Path(folder, "saved_model.pb").is_file()


def _saved_model(spec: str) -> tuple[Encode, str]:
    from muse_jobs.encoder.encode import text_encoder
    from muse_jobs.encoder.sources import load_encoder

    try:
        encoder = load_encoder(spec, trainable=False)
    except InputError:
        # Training wants variables, 512 numbers and a callable; a signature is enough
        # for evaluation.
        encode = _signature(spec) if _has_saved_model(spec) else None
        if encode is None:
            raise
        return encode, spec
    return text_encoder(encoder), encoder.source


def _signature(folder: str) -> Encode | None:
    """The ``serving_default`` of a SavedModel, or None if it is not our contract's."""
    import tensorflow as tf

    try:
        model = tf.saved_model.load(folder)
    except Exception:  # tensorflow lets anything through; load_encoder has said why
        return None
    serve = model.signatures.get("serving_default")
    if serve is None or "outputs" not in serve.structured_outputs:
        return None
    inputs = serve.structured_input_signature[1]
    if list(inputs) != ["inputs"] or inputs["inputs"].dtype != tf.string:
        return None

    def encode(texts: Sequence[str]) -> np.ndarray:
        # By way of the model: a signature alone does not keep its variables alive.
        serve = model.signatures["serving_default"]
        batches = [
            serve(inputs=tf.constant(texts[start : start + BATCH_SIZE]))["outputs"]
            for start in range(0, len(texts), BATCH_SIZE)
        ]
        return np.concatenate(batches)

    return encode


def _field_scores(folder: str) -> FieldScores | None:
    """The signature ``fields`` of our contract, or None where there is none."""
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    with Path(folder, "saved_model.pb").open("rb") as file:
        saved = saved_model_pb2.SavedModel.FromString(file.read())
    if "fields" not in saved.meta_graphs[0].signature_def:
        return None

    def scores(texts: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
        model = tf.saved_model.load(folder)
        batches = [
            model.signatures["fields"](
                inputs=tf.constant(texts[start : start + BATCH_SIZE])
            )
            for start in range(0, len(texts), BATCH_SIZE)
        ]
        labels = batches[0]["labels"][0].numpy()
        return (
            np.concatenate([batch["probabilities"] for batch in batches]),
            tuple(label.decode() for label in labels),
        )

    return scores


def _sentence_transformer(folder: str) -> object:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise InputError(
            f"encoder {folder}: its library is missing: run "
            '`pip install "muse-jobs[sentence-transformers]"`'
        ) from error
    try:
        return SentenceTransformer(folder)
    except Exception as error:  # so many libraries below it
        raise InputError(
            f"encoder {folder}: cannot be loaded: {_first_line(error)}"
        ) from error


def _python_object(spec: str) -> object:
    module, _, name = spec.partition(":")
    try:
        return attrgetter(name)(importlib.import_module(module))
    except Exception as error:  # the module is the user's: anything may come up
        raise InputError(
            f"encoder {spec}: cannot be imported: {_first_line(error)}; see what "
            f'`python -c "import {module}"` says'
        ) from error


def _stored_vectors(path: Path) -> Encode:
    texts_path = path.with_suffix(".jsonl")
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"encoder {path}: expected an array of numbers as numpy.save writes it, "
            f"received a file that cannot be read: {_first_line(error)}"
        ) from error
    texts = _read_texts(texts_path)
    shape: tuple[int, ...] = getattr(vectors, "shape", ())  # a zip of arrays has none
    if len(shape) != 2 or shape[0] != len(texts):
        raise InputError(
            f"encoder {path}: expected shape ({len(texts)}, dim), a row for each line "
            f"of {texts_path.name}, received {shape}"
        )
    place = {text: number for number, text in enumerate(texts)}

    def encode(asked: Sequence[str]) -> np.ndarray:
        missing = len(set(asked).difference(place))
        if missing:
            raise InputError(
                f"encoder {path}: expected a vector for each of {len(set(asked))} "
                f"texts, received none for {missing}: write the texts with `python -m "
                "muse_jobs.evaluate --write-texts FILE` and encode that file"
            )
        return vectors[[place[text] for text in asked]]

    return encode


def _read_texts(path: Path) -> list[str]:
    texts = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                text = json.loads(line)
                if not isinstance(text, str):
                    raise ValueError(f"line {number} is {type(text).__name__}")
                texts.append(text)
    except (OSError, ValueError) as error:  # bad UTF-8 and bad JSON are ValueErrors
        raise InputError(
            f"{path}: expected a text of each vector as a JSON string a line, received "
            f"{_first_line(error)}"
        ) from error
    return texts


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
