"""What saves memory in training changes no gradient: the real encoder, 1,024 pairs."""

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.encoder import muse
from muse_jobs.training import losses
from muse_jobs.training.heads import RankingHead
from muse_jobs.training.recipes import RECIPES

PAIRS = 1024


def direct_loss(vectors):
    """Both directions, same-language negatives, each title its own job; all at once."""
    thai, english = tf.split(vectors, 2)

    def one_way(queries, targets):
        own = tf.linalg.diag(tf.fill([PAIRS], -1e9))
        across = queries @ tf.transpose(targets) / 0.05
        within = queries @ tf.transpose(queries) / 0.05 + own
        logits = tf.concat([across, within], axis=1)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.range(PAIRS), logits)

    both = one_way(thai, english) + one_way(english, thai)
    return tf.reduce_mean(both) / 2


@pytest.mark.slow
def test_gradients_of_1024_pairs_are_the_direct_ones(encoder, monkeypatch):
    pairs = {}
    for posting in sample_postings():
        if posting.title_th and posting.title_en:
            pairs[posting.title_th] = posting.title_en
    # Numbers make all titles differ, so that no pair masks another.
    rows = [(f"{th} {n}", f"{en} {n}") for n, (th, en) in enumerate(pairs.items())]
    thai, english = map(list, zip(*rows[:PAIRS], strict=True))
    keys = tf.range(PAIRS)
    batch = {"queries": tf.constant(thai), "targets": tf.constant(english)}
    batch |= dict.fromkeys(("groups", "query_keys", "target_keys"), keys)
    monkeypatch.setattr(losses, "QUERIES_AT_ONCE", 300)
    head = RankingHead(RECIPES["default"])
    assert tf.size(encoder.tokenize(thai).values) > 2 * muse.TOKENS_AT_ONCE
    variables = [variable.value for variable in encoder.trainable_variables]

    @tf.function
    def in_parts():
        with tf.GradientTape() as tape:
            loss = head.loss(lambda texts: encoder(texts, training=True), batch)
        return loss, tape.gradient(loss, variables)

    loss, gradients = in_parts()
    monkeypatch.setattr(muse, "TOKENS_AT_ONCE", 10**9)
    with tf.GradientTape() as tape:
        expected = direct_loss(encoder(tf.constant(thai + english)))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    for ours, direct in zip(gradients, tape.gradient(expected, variables), strict=True):
        ours, direct = map(tf.convert_to_tensor, (ours, direct))
        np.testing.assert_allclose(ours, direct, atol=1e-5)
