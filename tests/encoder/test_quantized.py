import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.encoder.encode import text_encoder
from muse_jobs.encoder.muse import MuseEncoder
from muse_jobs.encoder.quantized import WidenedWeight, quantize, quantize_table
from muse_jobs.encoder.sources import load_encoder
from muse_jobs.encoder.weights import _packaged_files
from muse_jobs.errors import InputError
from muse_jobs.serving.savedmodel import export_savedmodel
from tests.numpy_muse import forward
from tests.tiny import TinyEncoder

TEXTS = ["dog", "", "พนักงานขายประจำสาขา (ด่วน!)", "Senior Software Engineer"]

# As TensorFlow's server loads it: a session, by signature, nothing of this project.
SERVER = """
import json, sys
import tensorflow as tf
import tensorflow_text
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    model = tf.compat.v1.saved_model.load(session, ["serve"], sys.argv[1])
    signature = model.signature_def["serving_default"]
    vectors = session.run(
        signature.outputs["outputs"].name,
        {signature.inputs["inputs"].name: json.loads(sys.argv[2])},
    )
print(json.dumps(vectors.tolist()))
"""


@pytest.fixture(scope="module")
def quantized(encoder):
    return quantize(encoder)


@pytest.fixture(scope="module")
def exported(quantized, tmp_path_factory):
    return export_savedmodel(quantized, tmp_path_factory.mktemp("models") / "small")


def copied(encoder):
    """An encoder of its own, with that table and an untrained network."""
    return MuseEncoder(encoder.sentencepiece_model, encoder.embedding.numpy())


def test_each_group_is_rounded_to_its_own_multiples():
    table = np.zeros((2, 128), np.float32)
    table[0, :4] = [-254, 2.9, 3.1, 0.9]  # multiples of 2
    table[0, 64:67] = [0.127, 0.0014, -0.0016]  # multiples of 0.001
    rounded, steps = quantize_table(table)
    np.testing.assert_allclose(steps, [[2, 0.001], [0, 0]], rtol=1e-6)
    assert rounded.dtype == np.int8
    assert rounded[0, :4].tolist() == [-127, 1, 2, 0]
    assert rounded[0, 64:67].tolist() == [127, 1, -2]
    assert not rounded[1].any()


def test_no_number_moves_by_more_than_half_a_step():
    table = np.random.default_rng(0).normal(size=(5000, 512)).astype(np.float32)
    rounded, steps = quantize_table(table)
    steps = np.repeat(steps, 64, axis=1)
    assert (np.abs(rounded * steps - table) <= steps * 0.5001).all()


def test_agrees_with_a_padded_numpy_forward(encoder, quantized):
    with np.load(_packaged_files()["weights.npz"]) as archive:
        arrays = {
            name: archive[name].astype(np.float16).astype(np.float64)
            for name in archive.files
        }
    rounded, steps = quantize_table(encoder.embedding.numpy())
    table = rounded * np.repeat(steps, 64, axis=1)
    expected = [
        forward(ids, table, arrays) for ids in encoder.tokenize(TEXTS).to_list()
    ]
    np.testing.assert_allclose(quantized(tf.constant(TEXTS)), expected, atol=2e-6)


def test_vectors_are_those_of_the_encoder(encoder, quantized):
    titles = [title for p in sample_postings()[::5] for title in p.titles]
    floats, small = (text_encoder(layer)(titles) for layer in (encoder, quantized))
    assert (floats * small).sum(axis=1).min() > 0.9995
    long = tf.constant(["accounting " * 400])
    cut = (encoder(long, max_tokens=9) * quantized(long, max_tokens=9)).numpy()
    assert cut.sum() > 0.9995


def test_a_large_number_costs_its_own_group_alone():
    """With one scale a row the others would all be rounded to nothing."""
    table = np.random.default_rng(0).normal(0, 0.001, (100, 512)).astype(np.float32)
    table[:, 3] = 1.0
    rounded, steps = quantize_table(table)
    found = (rounded * np.repeat(steps, 64, axis=1))[:, 64:]
    assert np.linalg.norm(found - table[:, 64:]) < 0.01 * np.linalg.norm(found)


def test_nothing_is_trained_and_the_encoder_is_left_alone(encoder):
    own = copied(encoder)
    small = quantize(own)
    assert small.trainable_variables == []
    assert len(own.trainable_variables) == 35
    before = small(tf.constant(TEXTS)).numpy()
    for variable in own.variables:
        variable.assign(2 * variable + 1)
    np.testing.assert_array_equal(small(tf.constant(TEXTS)), before)


def test_an_export_has_85_megabytes_at_most(exported):
    files = [path for path in exported.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 85e6


def test_the_server_gets_the_same(exported, quantized):
    done = subprocess.run(
        [sys.executable, "-c", SERVER, str(exported), json.dumps(TEXTS)],
        capture_output=True,
        text=True,
        check=True,
    )
    served = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(served, quantized(tf.constant(TEXTS)), atol=1e-6)


def test_an_export_can_be_evaluated_and_not_trained(exported, quantized):
    again = load_encoder(str(exported), trainable=False)
    texts = tf.constant(TEXTS)
    np.testing.assert_allclose(again(texts), quantized(texts), atol=1e-6)
    with pytest.raises(InputError, match="no variables to train"):
        load_encoder(str(exported))


def test_weights_of_two_models_stay_apart():
    one, other = (
        WidenedWeight(tf.Variable(np.array(values, np.float16)))
        for values in ([1.5, -2], [3, 4])
    )
    np.testing.assert_array_equal(one.read(), np.float32([1.5, -2]))
    np.testing.assert_array_equal(other.read(), np.float32([3, 4]))
    again = WidenedWeight(tf.Variable(np.array([1.5, -2], np.float16)))
    np.testing.assert_array_equal(again.read(), one.read())


def test_another_layer_is_refused():
    with pytest.raises(InputError, match="native mUSE encoder, received a TinyEnc"):
        quantize(TinyEncoder())


@pytest.mark.parametrize("value", [np.nan, np.inf, -70_000.0])
def test_a_weight_that_float16_cannot_hold_is_refused(encoder, value):
    own = copied(encoder)
    own.pooling.bias.assign(np.full(512, value, np.float32))
    with pytest.raises(InputError, match="65504 at most.*pooling/bias"):
        quantize(own)
