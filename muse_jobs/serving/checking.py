"""A version folder looked at as the server would: what is missing, what fails.

It is loaded by its signatures through TensorFlow's C++ loader and a session, which is
the closest to the server that can be had from Python, and its warm-up is replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  its ops are in the server too
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from muse_jobs.errors import InputError
from muse_jobs.serving.model_card import CARD_FILE
from muse_jobs.serving.warmup import WARMUP_FILE

STRING, FLOAT = tf.string.as_datatype_enum, tf.float32.as_datatype_enum
# signature -> (inputs, outputs): name to type
CONTRACT = {
    "serving_default": ({"inputs": STRING}, {"outputs": FLOAT}),
    "embed": ({"inputs": STRING}, {"outputs": FLOAT}),
    "match": (
        {"titles": STRING, "descriptions": STRING},
        {"probabilities": FLOAT},
    ),
    "fields": ({"inputs": STRING}, {"probabilities": FLOAT, "labels": STRING}),
}
REQUIRED = ("serving_default", "embed")
MOST_WARMUP_RECORDS = 1000  # the server refuses more
AWKWARD = (b"", b"\xff\xfe\x00", "ก".encode() * 100_000, b" ")
UNIT_NORM = 1e-4
UNREADABLE = (tf.errors.OpError, DecodeError)


def check_version(folder: str | Path) -> Iterator[tuple[str, str]]:
    """Looks at a version folder.

    Args:
        folder: ``<base>/<integer>``.

    Yields:
        What was looked at, and what is wrong with it: empty where nothing is.

    Raises:
        InputError: there is no such folder, or tensorflow-serving-api, which reads the
            warm-up, is not installed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    proper = folder.resolve().name.isdigit()
    yield "version number", "" if proper else "the folder's name is no integer"
    looks: dict[str, Callable[[Path], str]] = {
        "saved_model.pb": _graph,
        "variables": _variables,
        "signatures": _signatures,
        "fingerprint": _fingerprint,
        "warm-up": _warmup,
        "report and model card": _papers,
        "loads, answers its warm-up and awkward texts": _session,
    }
    for name, look in looks.items():
        problem = look(folder)
        yield name, problem
        if problem and name == "saved_model.pb":
            return


def _graph(folder: Path) -> str:
    path = folder / "saved_model.pb"
    if not path.is_file():
        return "there is none"
    try:
        saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except Exception as error:  # protobuf's own error class differs by its back end
        return f"cannot be read ({type(error).__name__}): export it again"
    tags = [list(graph.meta_info_def.tags) for graph in saved.meta_graphs]
    return "" if ["serve"] in tags else f"expected the tag serve, received {tags}"


def _variables(folder: Path) -> str:
    found = sorted(path.name for path in folder.glob("variables/variables.*"))
    if "variables.index" in found and len(found) > 1:
        return ""
    return f"expected variables.index and its data, received {', '.join(found)}"


def _signatures(folder: Path) -> str:
    found = _signature_defs(folder)
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        return f"missing: {', '.join(missing)}"
    for name in set(found) & set(CONTRACT):
        own = tuple(
            {key: info.dtype for key, info in side.items()}
            for side in (found[name].inputs, found[name].outputs)
        )
        if own != CONTRACT[name]:
            return f"{name}: other names or types than the contract's"
    return ""


def _fingerprint(folder: Path) -> str:
    return "" if (folder / "fingerprint.pb").is_file() else "no fingerprint.pb"


def _warmup(folder: Path) -> str:
    if not (folder / WARMUP_FILE).is_file():
        return f"no {WARMUP_FILE}: the first requests will be slow"
    try:
        records = list(_warmup_requests(folder))
    except UNREADABLE:
        return f"{WARMUP_FILE} cannot be read: export the version again"
    if not 0 < len(records) <= MOST_WARMUP_RECORDS:
        return f"expected 1 to {MOST_WARMUP_RECORDS} records, received {len(records)}"
    asked = {signature for signature, _ in records}
    missing = set(_signature_defs(folder)) & set(CONTRACT) - asked
    return f"no request for {', '.join(sorted(missing))}" if missing else ""


def _papers(folder: Path) -> str:
    missing = [n for n in ("report.json", CARD_FILE) if not (folder / n).is_file()]
    return f"missing: {', '.join(missing)}" if missing else ""


def _session(folder: Path) -> str:
    definitions = _signature_defs(folder)
    try:
        requests = list(_warmup_requests(folder))
    except UNREADABLE:  # which `_warmup` says
        requests = []
    for name, definition in definitions.items():
        if definition.inputs:
            texts = np.array(AWKWARD, object)
            requests.append((name, dict.fromkeys(definition.inputs, texts)))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        try:
            tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        except Exception as error:  # tensorflow lets anything through
            return f"cannot be loaded: {str(error).splitlines()[0]}"
        for name, inputs in requests:
            if name not in definitions:
                return f"the warm-up asks {name}, which is no signature"
            definition = definitions[name]
            given = {definition.inputs[k].name: v for k, v in inputs.items()}
            wanted = {k: info.name for k, info in definition.outputs.items()}
            try:
                answer = session.run(wanted, given)
            except Exception as error:
                return f"{name} fails: {str(error).splitlines()[0]}"
            rows = len(next(iter(inputs.values())))
            if any(len(values) != rows for values in answer.values()):
                return f"{name}: expected {rows} rows for {rows} texts"
            vectors = answer.get("outputs")
            if vectors is not None:
                norms = np.linalg.norm(vectors, axis=1)
                if not (np.abs(norms - 1) < UNIT_NORM).all():
                    return f"{name}: the vectors are not of unit norm"
    return ""


def _signature_defs(folder: Path) -> dict:
    content = (folder / "saved_model.pb").read_bytes()
    graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]
    return {
        name: definition
        for name, definition in graph.signature_def.items()
        if not name.startswith("__")
    }


def _warmup_requests(folder: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Signature and inputs of each request, read with the server's own messages."""
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError as error:
        raise InputError(
            "warm-up requests are read with the server's own messages: run "
            '`pip install "muse-jobs[client]"`'
        ) from error
    for record in tf.data.TFRecordDataset(str(folder / WARMUP_FILE)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        yield (
            request.model_spec.signature_name,
            {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()},
        )
