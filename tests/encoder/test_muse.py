import keras
import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.encoder import muse
from muse_jobs.encoder.encode import text_encoder
from muse_jobs.encoder.muse import NgramBranch, TextBounds
from muse_jobs.encoder.reference import compare_with_published
from muse_jobs.encoder.weights import _packaged_files
from tests.numpy_muse import forward, layer_norm

TEXTS = [
    "dog",
    "",
    "พนักงานขายประจำสาขา (ด่วน!)",
    "Senior Software Engineer",
    "нет",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
]


@pytest.fixture(scope="module")
def arrays():
    with np.load(_packaged_files()["weights.npz"]) as archive:
        return {name: archive[name] for name in archive.files}


def test_parameter_count_is_exact(encoder):
    assert encoder.count_params() == 68_927_232
    assert sum(v.value.shape.num_elements() for v in encoder.trainable_variables) == (
        # embedding + branches (projections, norms, convolutions) + norm + pooling + dnn
        65_541_120 + 1_707_776 + 2_560 + 655_872 + 1_019_904
    )


def test_tokens_are_those_of_the_module(encoder):
    ids = encoder.tokenize(tf.constant(["dog", ""])).to_list()
    assert ids == [[1, 2042, 2], [1, 2]]


def test_cut_keeps_begin_and_end(encoder):
    (whole,) = encoder.tokenize(tf.constant(TEXTS[5:])).to_list()
    (cut,) = encoder.tokenize(tf.constant(TEXTS[5:]), max_tokens=10).to_list()
    assert cut == whole[:9] + [2]


def test_agrees_with_googles_published_values(encoder):
    agreement = compare_with_published(text_encoder(encoder))
    assert agreement.pairs == 136
    assert agreement.mean_difference <= 0.016
    assert agreement.correlation >= 0.998


def test_agrees_with_a_padded_numpy_forward(encoder, arrays):
    embedding = encoder.embedding.numpy()
    expected = [
        forward(ids, embedding, arrays) for ids in encoder.tokenize(TEXTS).to_list()
    ]
    np.testing.assert_allclose(encoder(tf.constant(TEXTS)), expected, atol=2e-6)


@pytest.mark.parametrize(
    "left", [{2: 1, 3: 1, 5: 2}, {2: 0, 3: 0, 5: 2}, {2: 0, 3: 1, 5: 0}]
)
def test_other_offsets_are_seen_by_that_comparison(encoder, arrays, left):
    ids = encoder.tokenize(TEXTS[3:4]).to_list()[0]
    other = forward(ids, encoder.embedding.numpy(), arrays, left=left)
    assert np.abs(encoder(tf.constant(TEXTS[3:4]))[0] - other).max() > 1e-3


def test_without_begin_and_end_the_published_values_are_missed(encoder, monkeypatch):
    def bare(texts, max_tokens=None):
        ids = encoder._tokenizer.tokenize(tf.convert_to_tensor(texts, tf.string))
        return ids

    monkeypatch.setattr(encoder, "tokenize", bare)
    assert compare_with_published(text_encoder(encoder)).correlation < 0.99


def test_layer_norm_epsilon_is_1e_12():
    """The published cosines would not notice 1e-3: small inputs do."""
    branch = NgramBranch(2)
    branch.build((None, muse.EMBEDDING_DIM))
    for convolution in (branch.convolution_1, branch.convolution_2):
        convolution.kernel.assign(tf.zeros_like(convolution.kernel))
    x = np.random.default_rng(0).normal(0, 1e-4, (3, 512)).astype(np.float32)
    kernel, bias = branch.projection.get_weights()
    expected = layer_norm(x @ kernel + bias, 1.0, 0.0, epsilon=1e-12)
    found = branch(tf.constant(x), bounds=TextBounds(tf.constant([0, 3], tf.int64)))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert abs(layer_norm(x @ kernel + bias, 1.0, 0.0, epsilon=1e-3)).max() < 0.1


def test_final_norm_epsilon_is_1e_12(encoder):
    norms = [encoder.norm, *(branch.norm for branch in encoder.branches)]
    assert [norm.epsilon for norm in norms] == [1e-12] * 4


@pytest.mark.parametrize("offset", [-5, -2, -1, 0, 1, 2, 5])
def test_shift_stops_at_the_texts_edges(offset):
    tokens = np.arange(1, 8, dtype=np.float32)[:, np.newaxis]
    bounds = TextBounds(tf.constant([0, 3, 3, 4, 7], tf.int64))
    expected = []
    for text in ([1, 2, 3], [], [4], [5, 6, 7]):
        for place in range(len(text)):
            there = place + offset
            expected.append(text[there] if 0 <= there < len(text) else 0)
    found = bounds.shift(tf.constant(tokens), offset)
    np.testing.assert_array_equal(found[:, 0], expected)


def test_a_texts_vector_does_not_depend_on_its_neighbours(encoder):
    alone = np.concatenate([encoder(tf.constant([text])) for text in TEXTS])
    np.testing.assert_allclose(encoder(tf.constant(TEXTS)), alone, atol=1e-6)


def test_vectors_have_unit_norm_and_awkward_texts_pass(encoder):
    texts = tf.constant([b"\xff\xfe", b"", b"\x00", "ก" * 100_000, "x " * 5_000])
    vectors = encoder(texts).numpy()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_an_empty_batch_gives_an_empty_matrix(encoder):
    assert encoder(tf.constant([], tf.string)).shape == (0, 512)


def test_gradients_reach_every_variable(encoder):
    with tf.GradientTape() as tape:
        vectors = encoder(tf.constant(TEXTS))
        loss = tf.reduce_sum(vectors * tf.random.normal(vectors.shape))
    gradients = tape.gradient(loss, [v.value for v in encoder.trainable_variables])
    assert isinstance(gradients[0], tf.IndexedSlices)
    for variable, gradient in zip(encoder.trainable_variables, gradients, strict=True):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.path


def test_a_new_layer_has_the_same_shape(encoder):
    other = muse.MuseEncoder(encoder.sentencepiece_model, encoder.embedding.numpy())
    assert other.count_params() == encoder.count_params()
    assert other.source == "untrained"
    assert isinstance(other, keras.layers.Layer)
