"""The losses of the three tasks, as functions of tensors."""

from __future__ import annotations

import tensorflow as tf

# Added to the logit of a candidate that is no negative: exp() of it is 0 in float32.
_LEFT_OUT = -1e9


def ranking_loss(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    *,
    temperature: float,
    left_out: tf.Tensor | None = None,
) -> tf.Tensor:
    """Contrastive loss with in-batch negatives (the paper's Task A).

    ``L_i = -log exp(s_ii / T) / sum_j exp(s_ij / T)`` with ``s`` the cosine.

    Args:
        queries: (batch, dim) unit vectors.
        candidates: (candidates, dim) unit vectors; the first ``batch`` of them are the
            positives of the queries, row by row.
        temperature: T.
        left_out: (batch, candidates) bool, candidates that are no negatives of a query.
            A query's positive always counts.

    Returns:
        The mean over the queries, a scalar.
    """
    logits = tf.matmul(queries, candidates, transpose_b=True) / temperature
    positive = tf.linalg.diag_part(logits)
    if left_out is not None:
        left_out = tf.linalg.set_diag(
            left_out, tf.zeros(tf.shape(left_out)[0], tf.bool)
        )
        logits += _LEFT_OUT * tf.cast(left_out, logits.dtype)
    return tf.reduce_mean(tf.reduce_logsumexp(logits, axis=1) - positive)


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
