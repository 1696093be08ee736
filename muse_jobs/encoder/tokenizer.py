"""The SentencePiece tokeniser as a TensorFlow op that outlives a change of the seed."""

from __future__ import annotations

import hashlib

import tensorflow_text as tf_text
from tensorflow_text.python.ops import sentencepiece_tokenizer as _sentencepiece


def sentencepiece_tokenizer(model: bytes) -> tf_text.SentencepieceTokenizer:
    """A tokeniser from text to int32 ids.

    Args:
        model: serialised SentencePiece model.

    Returns:
        The tokeniser. Those of one model share one resource of the process.
    """
    tokenizer = tf_text.SentencepieceTokenizer(model)
    # Private tensorflow_text: its resource has no name and so belongs to a cached
    # kernel, which tf.random.set_seed drops; the next call then fails with "Resource
    # ... does not exist" (tensorflow/text#570). A named one stays.
    name = f"sentencepiece-{hashlib.sha256(model).hexdigest()}"
    tokenizer._model_resource._resource_handle = (
        _sentencepiece.gen_sentencepiece_tokenizer.sentencepiece_op(
            model=model, shared_name=name
        )
    )
    return tokenizer
