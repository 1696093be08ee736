"""The losses of the three tasks, as functions of tensors."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# The logit of a candidate that is no negative: exp() of it is 0 in float32.
_LEFT_OUT = -1e9
QUERIES_AT_ONCE = 1024

LeftOut = Callable[[tf.Tensor], tf.Tensor]


def ranking_loss(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    *,
    temperature: float,
    left_out: LeftOut | None = None,
) -> tf.Tensor:
    """Contrastive loss with in-batch negatives (the paper's Task A).

    ``L_i = -log exp(s_ii / T) / sum_j exp(s_ij / T)`` with ``s`` the cosine. The
    similarities are never whole in memory: `QUERIES_AT_ONCE` rows of them at a time are
    made, and their gradient with them.

    Args:
        queries: (batch, dim) unit vectors.
        candidates: (candidates, dim) unit vectors; the first ``batch`` of them are the
            positives of the queries, row by row.
        temperature: T.
        left_out: from the numbers (rows,) of some queries to (rows, candidates) bool,
            the candidates that are no negatives of them. A query's positive always
            counts.

    Returns:
        The mean over the queries, a scalar.
    """
    queries, candidates = map(tf.convert_to_tensor, (queries, candidates))
    count = tf.shape(queries)[0]

    def block_loss(queries, candidates, start, end):
        rows = tf.range(start, end)
        logits = tf.matmul(queries[start:end], candidates, transpose_b=True)
        logits /= temperature
        own = rows[:, tf.newaxis] == tf.range(tf.shape(candidates)[0])
        if left_out is not None:
            logits = tf.where(left_out(rows) & ~own, _LEFT_OUT, logits)
        positive = tf.reduce_sum(tf.where(own, logits, 0.0), axis=1)
        return tf.reduce_sum(tf.reduce_logsumexp(logits, axis=1) - positive)

    @tf.custom_gradient
    def total(queries, candidates):
        def add_block(start, loss, of_queries, of_candidates):
            end = tf.minimum(start + QUERIES_AT_ONCE, count)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([queries, candidates])
                own = block_loss(queries, candidates, start, end)
            gradients = tape.gradient(own, [queries, candidates])
            return (
                end,
                loss + own,
                of_queries + gradients[0],
                of_candidates + gradients[1],
            )

        nothing = (0, 0.0, tf.zeros_like(queries), tf.zeros_like(candidates))
        _, loss, *gradients = tf.while_loop(
            lambda start, *_: start < count, add_block, nothing, parallel_iterations=1
        )
        return loss, lambda upstream: [upstream * gradient for gradient in gradients]

    return total(queries, candidates) / tf.cast(count, queries.dtype)


def matching_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Sigmoid cross-entropy of description-title pairs (the paper's Task B).

    Args:
        logits: (pairs,).
        labels: (pairs,) 1 where the title is the description's own.

    Returns:
        The mean over the pairs, a scalar.
    """
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    )


def field_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Sigmoid cross-entropy over the job fields (the paper's Task C).

    Args:
        logits: (batch, fields).
        labels: (batch, fields) 1 for each field that the text belongs to.

    Returns:
        The mean over texts and fields, a scalar.
    """
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    )
