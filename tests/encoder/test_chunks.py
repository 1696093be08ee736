import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.encoder import muse
from muse_jobs.encoder.chunks import in_chunks

KERNEL = tf.Variable(tf.random.stateless_normal((3, 2), seed=[1, 2]))
LENGTHS = [3, 1, 4, 1, 5, 9, 2, 6]
SPLITS = tf.constant(np.cumsum([0, *LENGTHS]), tf.int64)
TOKENS = tf.random.stateless_normal((sum(LENGTHS), 3), seed=[3, 4])


def network(embedded, row_splits):
    """Not linear, and each text by itself."""
    rows = tf.RaggedTensor.from_row_splits(embedded, row_splits).value_rowids()
    summed = tf.math.segment_sum(tf.tanh(embedded @ KERNEL), rows)
    return tf.math.l2_normalize(summed, axis=-1)


def values_and_gradients(encode, tokens=TOKENS):
    with tf.GradientTape() as tape:
        tape.watch(tokens)
        vectors = encode(tokens)
        loss = tf.reduce_sum(tf.exp(vectors @ tf.transpose(vectors)))
    return vectors, *tape.gradient(loss, [tokens, KERNEL])


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("size", [1, 4, 9, 10, 30, 31, 1000])
def test_values_and_gradients_are_those_of_the_whole(size, compiled, recompute):
    def chunked(tokens):
        return in_chunks(
            network, tokens, SPLITS, tokens=size, output_dim=2, recompute=recompute
        )

    expected = values_and_gradients(lambda tokens: network(tokens, SPLITS))
    steps = values_and_gradients
    if compiled:
        steps = tf.function(values_and_gradients, autograph=False)
    for one, other in zip(steps(chunked), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_no_more_than_a_chunk_is_in_the_network():
    seen = []

    def watched(embedded, row_splits):
        seen.append((int(row_splits[-1]), len(row_splits) - 1))
        return network(embedded, row_splits)

    in_chunks(watched, TOKENS, SPLITS, tokens=8, output_dim=2)
    # 3 + 1 + 4, 1 + 5, a text of 9 by itself, 2 + 6
    assert seen == [(8, 3), (6, 2), (9, 1), (8, 2)]


def test_a_batch_without_texts(encoder):
    assert encoder(tf.constant([], tf.string)).shape == (0, 512)


def test_the_encoder_in_chunks_is_the_encoder(encoder, monkeypatch):
    texts = tf.constant(["พนักงานขาย " * n for n in range(1, 40)] + ["", "Sales"])

    def losses_and_gradients():
        @tf.function
        def run():
            with tf.GradientTape() as tape:
                vectors = encoder(texts, training=True)
                similar = tf.matmul(vectors, vectors, transpose_b=True)
                loss = tf.reduce_mean(tf.exp(similar))
            variables = [v.value for v in encoder.trainable_variables]
            gradients = tape.gradient(loss, variables)
            return vectors, [tf.convert_to_tensor(g) for g in gradients]

        return run()

    vectors, gradients = losses_and_gradients()
    monkeypatch.setattr(muse, "TOKENS_AT_ONCE", 300)
    in_parts, of_parts = losses_and_gradients()
    np.testing.assert_allclose(in_parts, vectors, atol=1e-6)
    for one, other in zip(of_parts, gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
