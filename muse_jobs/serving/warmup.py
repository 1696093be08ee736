"""Warm-up requests: TensorFlow Serving replays them before a version takes traffic.

Without them the first requests of each signature pay for what TensorFlow does once.
The server reads ``assets.extra/tf_serving_warmup_requests``: a TFRecord file of
``PredictionLog`` messages, 1,000 at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
# A query, a few together, what the client sends of a long list.
BATCH_SIZES = (1, 8, 64)
TEXTS = (
    "พนักงานขายประจำสาขา",
    "Software Engineer",
    "เจ้าหน้าที่บัญชี (ด่วน) เงินเดือน 18,000 - 25,000 บาท",
    "Prepare monthly accounts and tax returns, and answer to the finance manager.",
)


def write_warmup(folder: str | Path, *, model_name: str = "muse_jobs") -> Path:
    """Writes requests for each signature of a version folder, at each batch size.

    Args:
        folder: holds a SavedModel whose signatures take strings (batch,).
        model_name: in the requests; the server takes them whatever it serves as.

    Returns:
        The file.
    """
    path = Path(folder, WARMUP_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, names in signature_inputs(folder).items():
            for size in BATCH_SIZES:
                texts = [TEXTS[row % len(TEXTS)] for row in range(size)]
                inputs = dict.fromkeys(names, texts)
                writer.write(prediction_log(model_name, signature, inputs))
    return path


def signature_inputs(folder: str | Path) -> dict[str, tuple[str, ...]]:
    """The signatures of a SavedModel, and the names of what each takes."""
    path = Path(folder, "saved_model.pb")
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    return {
        name: tuple(sorted(signature.inputs))
        for name, signature in sorted(saved.meta_graphs[0].signature_def.items())
        if signature.inputs
    }


def prediction_log(
    model_name: str, signature: str, inputs: Mapping[str, list[str]]
) -> bytes:
    """A request as ``tensorflow.serving.PredictionLog``, serialised.

    The few fields are written as they stand on the wire, because the message classes
    are in tensorflow-serving-api, which an export should not need; the tests read the
    result with them.

    Args:
        model_name: the served model's.
        signature: its signature.
        inputs: input name to texts.
    """
    # ModelSpec: name = 1, signature_name = 3
    spec = _field(1, model_name.encode()) + _field(3, signature.encode())
    # PredictRequest: model_spec = 1, inputs = 2, a map: key = 1, value = 2
    request = _field(1, spec)
    for name, texts in inputs.items():
        tensor = tf.make_tensor_proto(texts, tf.string).SerializeToString()
        request += _field(2, _field(1, name.encode()) + _field(2, tensor))
    # PredictionLog: predict_log = 6; PredictLog: request = 1
    return _field(6, _field(1, request))


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes: its number and type, its length, itself."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    return bytes(_sevens(value))


def _sevens(value: int) -> Iterator[int]:
    while value > 127:
        yield value & 127 | 128
        value >>= 7
    yield value
