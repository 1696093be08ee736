"""An encoder layer as a plain function from texts to a NumPy array."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

BATCH_SIZE = 256


def text_encoder(
    encoder: keras.layers.Layer, *, max_tokens: int | None = None
) -> Callable[[Sequence[str]], np.ndarray]:
    """A function that encodes any number of texts, each distinct one once.

    It sees later changes of the encoder's weights.

    Args:
        encoder: as `load_encoder` gives it.
        max_tokens: cut each text to so many tokens.

    Returns:
        ``encode(texts)`` -> (texts, dim) float32.
    """

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def encode_batch(texts: tf.Tensor) -> tf.Tensor:
        return encoder(texts, max_tokens=max_tokens)

    def encode(texts: Sequence[str]) -> np.ndarray:
        # Longest first: a batch holds texts of like length, and memory peaks at once.
        distinct = sorted(set(texts), key=lambda text: (-len(text), text))
        vectors = np.empty((len(distinct), encoder.output_dim), np.float32)
        for start in range(0, len(distinct), BATCH_SIZE):
            batch = distinct[start : start + BATCH_SIZE]
            vectors[start : start + len(batch)] = encode_batch(tf.constant(batch))
        place = {text: number for number, text in enumerate(distinct)}
        return vectors[[place[text] for text in texts]]

    return encode
