import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from muse_jobs.serving.savedmodel import export_savedmodel
from muse_jobs.serving.warmup import BATCH_SIZES, WARMUP_FILE, prediction_log
from muse_jobs.training.heads import FieldHead, MatchingHead


def test_a_request_is_the_servers_own_message():
    texts = ["พนักงานขาย", "x" * 300, ""]
    found = prediction_log_pb2.PredictionLog.FromString(
        prediction_log("muse_jobs", "match", {"titles": texts, "descriptions": ["a"]})
    )
    expected = prediction_log_pb2.PredictionLog()
    request = expected.predict_log.request
    request.model_spec.name = "muse_jobs"
    request.model_spec.signature_name = "match"
    request.inputs["titles"].CopyFrom(tf.make_tensor_proto(texts))
    request.inputs["descriptions"].CopyFrom(tf.make_tensor_proto(["a"]))
    assert found == expected


def test_an_export_warms_every_signature_at_every_batch_size(encoder, tmp_path):
    folder = export_savedmodel(
        encoder, tmp_path, matching=MatchingHead(512), fields=FieldHead(512, ["a", "b"])
    )
    found = set()
    for record in tf.data.TFRecordDataset(str(folder / WARMUP_FILE)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        for name, tensor in request.inputs.items():
            assert tensor.dtype == tf.string.as_datatype_enum
            (rows,) = tf.make_ndarray(tensor).shape
            found.add((request.model_spec.signature_name, name, rows))
    inputs = {
        "serving_default": ["inputs"],
        "embed": ["inputs"],
        "fields": ["inputs"],
        "match": ["titles", "descriptions"],
    }
    assert found == {
        (signature, name, size)
        for signature, names in inputs.items()
        for name in names
        for size in BATCH_SIZES
    }


@pytest.mark.parametrize("length", [0, 127, 128, 16383, 16384, 3_000_000])
def test_lengths_of_one_to_four_bytes(length):
    found = prediction_log_pb2.PredictionLog.FromString(
        prediction_log("m", "s", {"inputs": ["x" * length]})
    )
    (text,) = tf.make_ndarray(found.predict_log.request.inputs["inputs"])
    assert len(text) == length
