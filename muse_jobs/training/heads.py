"""The heads: what a task adds to the shared encoder, its loss and its metric.

A head is a Keras layer with ``loss(encode, batch)``, where ``encode`` maps a batch of
strings to vectors. It never holds the encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from muse_jobs.training.losses import field_loss, matching_loss, ranking_loss
from muse_jobs.training.recipes import Recipe

Encode = Callable[[tf.Tensor], tf.Tensor]
HIDDEN_UNITS = 512  # the paper's "two fully connected layers of 512"


def encode_distinct(encode: Encode, texts: tf.Tensor) -> tf.Tensor:
    """Encodes each distinct text of a batch once.

    Args:
        encode: texts to vectors.
        texts: (batch,) strings, repeats among them.

    Returns:
        (batch, dim).
    """
    distinct, place = tf.unique(texts)
    return tf.gather(encode(distinct), place)


class RankingHead(keras.layers.Layer):
    """JT, job title translation ranking. It has no weights of its own.

    Args:
        recipe: which candidates stand against a title.
        temperature: of the cosine.
    """

    def __init__(self, recipe: Recipe, *, temperature: float = 0.05, **kwargs):
        super().__init__(name="jt", **kwargs)
        self.recipe = recipe
        self.temperature = temperature
        self.built = True

    def loss(self, encode: Encode, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """The ranking loss of a batch of title pairs.

        Args:
            encode: texts to vectors.
            batch: ``queries`` and ``targets`` (batch,) titles, in the paper's recipe
                Thai and English ones; ``groups``, ``query_keys`` and ``target_keys``
                (batch,) integers that are equal where two rows name the same job and
                where two titles are the same.

        Returns:
            A scalar.
        """
        titles = tf.concat([batch["queries"], batch["targets"]], axis=0)
        queries, targets = tf.split(encode_distinct(encode, titles), 2)
        loss = self._one_way(queries, targets, batch)
        if self.recipe.bidirectional:
            loss = (loss + self._one_way(targets, queries, batch)) / 2
        return loss

    def _one_way(
        self, queries: tf.Tensor, targets: tf.Tensor, batch: dict[str, tf.Tensor]
    ) -> tf.Tensor:
        def same_job(rows: tf.Tensor) -> tf.Tensor:
            """(rows, batch) whether two pairs are of one job or repeat a title."""

            def equal(one: str, other: str) -> tf.Tensor:
                return tf.gather(batch[one], rows)[:, tf.newaxis] == batch[other]

            return (
                equal("groups", "groups")
                | equal("query_keys", "query_keys")
                | equal("target_keys", "target_keys")
                | equal("query_keys", "target_keys")
                | equal("target_keys", "query_keys")
            )

        def left_out(rows: tf.Tensor) -> tf.Tensor:
            same = same_job(rows)
            if not self.recipe.same_language_negatives:
                return same
            synonyms = same if self.recipe.mask_synonyms else tf.zeros_like(same)
            return tf.concat([synonyms, same], axis=1)

        candidates = targets
        if self.recipe.same_language_negatives:
            # The queries' own side, themselves and their synonyms left out: a title
            # that is near only because it is in the same language costs.
            candidates = tf.concat([targets, queries], axis=0)
        masks = self.recipe.mask_synonyms or self.recipe.same_language_negatives
        return ranking_loss(
            queries,
            candidates,
            temperature=self.temperature,
            left_out=left_out if masks else None,
        )


class MatchingHead(keras.layers.Layer):
    """JD, job description-title matching: (u, v, |u - v|, u * v), two layers, a logit.

    The features are those of InferSent (Conneau et al. 2017, arXiv 1705.02364).

    Args:
        dim: of the encoder's vectors.
    """

    def __init__(self, dim: int, **kwargs):
        super().__init__(name="jd", **kwargs)
        self.layers = _classifier(4 * dim, 1)

    def call(self, descriptions: tf.Tensor, titles: tf.Tensor) -> tf.Tensor:
        """Logits of the pairs.

        Args:
            descriptions: (pairs, dim) vectors.
            titles: (pairs, dim) vectors.

        Returns:
            (pairs,).
        """
        features = tf.concat(
            [
                descriptions,
                titles,
                tf.abs(descriptions - titles),
                descriptions * titles,
            ],
            axis=1,
        )
        return tf.squeeze(self.layers(features), axis=1)

    def loss(self, encode: Encode, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """The matching loss of a batch of pairs.

        Args:
            encode: texts to vectors.
            batch: ``descriptions`` and ``titles`` (pairs,) strings, ``labels``
                (pairs,).

        Returns:
            A scalar.
        """
        texts = tf.concat([batch["descriptions"], batch["titles"]], axis=0)
        descriptions, titles = tf.split(encode_distinct(encode, texts), 2)
        logits = self(descriptions=descriptions, titles=titles)
        return matching_loss(logits, batch["labels"])


class FieldHead(keras.layers.Layer):
    """JF, job field classification, multi-label.

    Args:
        dim: of the encoder's vectors.
        labels: the names of the fields, in the order of the outputs.
    """

    def __init__(self, dim: int, labels: Sequence[str], **kwargs):
        super().__init__(name="jf", **kwargs)
        self.labels = tuple(labels)
        self.layers = _classifier(dim, len(self.labels))

    def call(self, vectors: tf.Tensor) -> tf.Tensor:
        """Logits of the fields.

        Args:
            vectors: (batch, dim).

        Returns:
            (batch, fields).
        """
        return self.layers(vectors)

    def loss(self, encode: Encode, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """The field loss of a batch of texts.

        Args:
            encode: texts to vectors.
            batch: ``texts`` (batch,) strings, ``fields`` (batch, fields) 0 or 1.

        Returns:
            A scalar.
        """
        logits = self(encode_distinct(encode, batch["texts"]))
        return field_loss(logits, batch["fields"])


def _classifier(inputs: int, outputs: int) -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(HIDDEN_UNITS, activation="relu"),
            keras.layers.Dense(HIDDEN_UNITS, activation="relu"),
            keras.layers.Dense(outputs),
        ]
    )
