import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.training import losses
from muse_jobs.training.heads import RankingHead
from muse_jobs.training.losses import field_loss, matching_loss, ranking_loss
from muse_jobs.training.recipes import RECIPES

RNG = np.random.default_rng(0)


def unit(rows, dim=5):
    vectors = RNG.normal(size=(rows, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("float32")


def one_way(queries, candidates, counts, temperature):
    """The formula, term by term: counts[i][j] says whether j is in i's sum."""
    total = 0.0
    for i, query in enumerate(queries):
        sims = np.exp(candidates.astype(float) @ query / temperature)
        total -= np.log(
            sims[i] / sum(s for s, c in zip(sims, counts[i], strict=True) if c)
        )
    return total / len(queries)


def test_ranking_loss_is_the_papers_formula():
    thai, english = unit(6), unit(6)
    expected = one_way(thai, english, np.ones((6, 6)), 0.05)
    found = ranking_loss(thai, english, temperature=0.05)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_left_out_candidates_do_not_count_but_the_positive_does():
    thai, english = unit(4), unit(4)
    left_out = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]], bool)
    counts = ~left_out | np.eye(4, dtype=bool)
    found = ranking_loss(
        thai,
        english,
        temperature=0.1,
        left_out=lambda rows: tf.gather(tf.constant(left_out), rows),
    )
    assert float(found) == pytest.approx(one_way(thai, english, counts, 0.1), rel=1e-5)


@pytest.mark.parametrize("at_once", [1, 3, 7, 100])
def test_rows_at_a_time_give_the_loss_and_the_gradient_of_the_whole(
    monkeypatch, at_once
):
    monkeypatch.setattr(losses, "QUERIES_AT_ONCE", at_once)
    queries, candidates = tf.constant(unit(7)), tf.constant(unit(12))
    same = tf.constant(RNG.random((7, 12)) < 0.3)

    def whole(queries, candidates):
        logits = tf.matmul(queries, candidates, transpose_b=True) / 0.05
        logits = tf.where(same & ~tf.eye(7, 12, dtype=tf.bool), -1e9, logits)
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(tf.range(7), logits)
        )

    def in_rows(queries, candidates):
        return ranking_loss(
            queries,
            candidates,
            temperature=0.05,
            left_out=lambda rows: tf.gather(same, rows),
        )

    found = []
    for loss in (whole, in_rows, tf.function(in_rows)):
        with tf.GradientTape() as tape:
            tape.watch([queries, candidates])
            value = 3.0 * loss(queries, candidates)
        found.append([value, *tape.gradient(value, [queries, candidates])])
    for other in found[1:]:
        for one, expected in zip(other, found[0], strict=True):
            np.testing.assert_allclose(one, expected, rtol=1e-5, atol=1e-5)


def table_encoder(thai, english):
    """Encodes the texts t0, t1 ... and e0, e1 ... to given vectors."""
    vectors = tf.constant(np.concatenate([thai, english]))

    def encode(texts):
        rows = [int(t[1:]) + (len(thai) if t[:1] == b"e" else 0) for t in texts.numpy()]
        return tf.gather(vectors, rows)

    return encode


def ranking_batch(groups, query_keys=None):
    return {
        "queries": tf.constant([f"t{n}" for n in range(len(groups))]),
        "targets": tf.constant([f"e{n}" for n in range(len(groups))]),
        "groups": tf.constant(groups),
        "query_keys": tf.constant(query_keys or list(range(len(groups)))),
        "target_keys": 100 + tf.range(len(groups)),
    }


def test_paper_recipe_is_one_way_and_masks_nothing():
    thai, english = unit(5), unit(5)
    head = RankingHead(RECIPES["paper"], temperature=0.05)
    found = head.loss(table_encoder(thai, english), ranking_batch([0, 0, 1, 2, 3]))
    assert float(found) == pytest.approx(
        one_way(thai, english, np.ones((5, 5)), 0.05), rel=1e-5
    )


def test_default_recipe_by_hand():
    groups = np.array([0, 0, 1, 2, 2])
    thai, english = unit(5), unit(5)
    other = groups[:, None] != groups[None, :]
    # Across: all of other jobs, and the positive. Within: all of other jobs.
    counts = np.concatenate([other | np.eye(5, dtype=bool), other], axis=1)
    expected = (
        one_way(thai, np.concatenate([english, thai]), counts, 0.05)
        + one_way(english, np.concatenate([thai, english]), counts, 0.05)
    ) / 2
    head = RankingHead(RECIPES["default"], temperature=0.05)
    found = head.loss(table_encoder(thai, english), ranking_batch(groups))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_a_title_under_two_jobs_is_no_negative_of_itself():
    thai, english = unit(3), unit(3)
    head = RankingHead(RECIPES["default"], temperature=0.05)
    encode = table_encoder(thai, english)
    apart = head.loss(encode, ranking_batch([0, 1, 2], query_keys=[7, 7, 8]))
    joined = head.loss(encode, ranking_batch([0, 0, 2]))
    assert float(apart) == float(joined)
    assert float(apart) != float(head.loss(encode, ranking_batch([0, 1, 2])))


@pytest.mark.parametrize("loss", [matching_loss, field_loss])
def test_cross_entropy_by_hand(loss):
    logits = RNG.normal(size=(7, 3) if loss is field_loss else 7).astype("float32")
    labels = (RNG.random(logits.shape) < 0.4).astype("float32")
    p = 1 / (1 + np.exp(-logits.astype(float)))
    expected = -np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p))
    assert float(loss(logits, labels)) == pytest.approx(expected, rel=1e-5)
