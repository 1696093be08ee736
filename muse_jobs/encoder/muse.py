"""mUSE small CNN (multilingual Universal Sentence Encoder) as a native Keras layer.

The architecture is that of the TF-Hub module
``google/universal-sentence-encoder-multilingual/3`` (Yang et al. 2020, "Multilingual
Universal Sentence Encoder for Semantic Retrieval", arXiv 1907.04307): a SentencePiece
vocabulary, three n-gram convolution branches, a sum over the tokens and a small
residual network.

Texts are not padded. The tokens of a whole batch stand in one flat matrix, so a batch
that mixes long and short texts costs what its tokens cost, and nothing more.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from muse_jobs.encoder.chunks import in_chunks
from muse_jobs.encoder.tokenizer import sentencepiece_tokenizer

VOCABULARY_SIZE = 128_010
EMBEDDING_DIM = 512
NGRAM_DIM = 256
HIDDEN_DIM = 320
OUTPUT_DIM = 512
# n-gram order -> tokens to the left of the one that the window stands for
NGRAM_LEFT_CONTEXT = {2: 0, 3: 1, 5: 2}
LAYER_NORM_EPSILON = 1e-12
BOS_ID, EOS_ID = 1, 2
# Of a larger batch only so many tokens are in the network at a time.
TOKENS_AT_ONCE = 3072


class TextBounds:
    """Where each text's tokens begin and end in a flat token matrix.

    Args:
        row_splits: (batch + 1,) int64, as in a ``tf.RaggedTensor``.
    """

    def __init__(self, row_splits: tf.Tensor):
        self.lengths = row_splits[1:] - row_splits[:-1]
        self.text_of_token = tf.repeat(tf.range(tf.size(self.lengths)), self.lengths)
        position = tf.range(row_splits[-1])
        self._before = position - tf.gather(row_splits[:-1], self.text_of_token)
        self._after = tf.gather(row_splits[1:], self.text_of_token) - 1 - position

    def shift(self, tokens: tf.Tensor, offset: int) -> tf.Tensor:
        """The token ``offset`` places on, or zeros beyond the text's own edge.

        Args:
            tokens: (tokens, dim) flat token matrix.
            offset: places to the right; negative is to the left.

        Returns:
            (tokens, dim).
        """
        if offset == 0:
            return tokens
        if offset > 0:
            inside = self._after >= offset
            moved = tf.pad(tokens[offset:], [[0, offset], [0, 0]])
        else:
            inside = self._before >= -offset
            moved = tf.pad(tokens[:offset], [[-offset, 0], [0, 0]])
        # Fewer tokens than the offset: slicing left nothing and padding too much.
        moved = moved[: tf.shape(tokens)[0]]
        return moved * tf.cast(inside, tokens.dtype)[:, tf.newaxis]


class NgramConvolution(keras.layers.Layer):
    """A residual convolution over the flat tokens: ``x + relu(conv(x) + b)``."""

    def __init__(self, order: int, **kwargs):
        super().__init__(**kwargs)
        self.offsets = [k - NGRAM_LEFT_CONTEXT[order] for k in range(order)]

    def build(self, input_shape):
        order = len(self.offsets)
        self.kernel = self.add_weight(
            shape=(order, NGRAM_DIM, NGRAM_DIM), name="kernel"
        )
        self.bias = self.add_weight(
            shape=(NGRAM_DIM,), initializer="zeros", name="bias"
        )

    def call(self, tokens: tf.Tensor, bounds: TextBounds) -> tf.Tensor:
        # One matmul an offset: no padding, and tf.nn.conv1d is slow backwards on a CPU.
        kernel = tf.convert_to_tensor(self.kernel)
        convolved = tf.add_n(
            [
                tf.matmul(bounds.shift(tokens, offset), kernel[k])
                for k, offset in enumerate(self.offsets)
            ]
        )
        return tokens + tf.nn.relu(tf.nn.bias_add(convolved, self.bias))


class NgramBranch(keras.layers.Layer):
    """Projection, layer norm and two residual convolutions of one n-gram order."""

    def __init__(self, order: int, **kwargs):
        super().__init__(**kwargs)
        self.projection = keras.layers.Dense(NGRAM_DIM, name="projection")
        self.norm = keras.layers.LayerNormalization(
            epsilon=LAYER_NORM_EPSILON, name="norm"
        )
        self.convolution_1 = NgramConvolution(order, name="convolution_1")
        self.convolution_2 = NgramConvolution(order, name="convolution_2")

    def build(self, input_shape):
        self.projection.build(input_shape)
        self.norm.build((None, NGRAM_DIM))
        self.convolution_1.build((None, NGRAM_DIM))
        self.convolution_2.build((None, NGRAM_DIM))

    def call(self, embedded: tf.Tensor, bounds: TextBounds) -> tf.Tensor:
        x = self.norm(self.projection(embedded))
        return self.convolution_2(self.convolution_1(x, bounds=bounds), bounds=bounds)


class ResidualNetwork(keras.layers.Layer):
    """The dense network after the sum over tokens; no layer has a bias."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

        def dense(units, name):
            return keras.layers.Dense(units, use_bias=False, name=name)

        self.hidden_0 = dense(HIDDEN_DIM, "hidden_0")
        self.hidden_1 = dense(HIDDEN_DIM, "hidden_1")
        self.hidden_2 = dense(OUTPUT_DIM, "hidden_2")
        self.hidden_3 = dense(OUTPUT_DIM, "hidden_3")
        self.projection_1 = dense(HIDDEN_DIM, "projection_1")
        self.projection_3 = dense(OUTPUT_DIM, "projection_3")

    def build(self, input_shape):
        for layer in (self.hidden_0, self.projection_1):
            layer.build(input_shape)
        for layer in (self.hidden_1, self.hidden_2, self.projection_3):
            layer.build((None, HIDDEN_DIM))
        self.hidden_3.build((None, OUTPUT_DIM))

    def call(self, pooled: tf.Tensor) -> tf.Tensor:
        y0 = tf.nn.relu(self.hidden_0(pooled))
        y1 = tf.nn.relu(self.projection_1(pooled) + self.hidden_1(y0))
        y2 = tf.nn.relu(self.hidden_2(y1))
        return tf.nn.tanh(self.projection_3(y1) + self.hidden_3(y2))


class MuseEncoder(keras.layers.Layer):
    """mUSE small CNN: texts in, unit vectors out.

    68,927,232 trainable parameters, 95 % of them in the embedding table. The
    network of a new layer is untrained; `muse_jobs.load_encoder` gives mUSE itself.

    Args:
        sentencepiece_model: the serialised SentencePiece model (mUSE's ``sp.model``).
        embedding: (128010, 512) float32, the table of token vectors.
        source: where the weights come from, for reports.
    """

    # The tokeniser works on strings, which XLA cannot compile.
    supports_jit = False

    def __init__(
        self,
        sentencepiece_model: bytes,
        embedding: np.ndarray,
        *,
        source: str = "untrained",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.source = source
        self.sentencepiece_model = sentencepiece_model
        self._tokenizer = sentencepiece_tokenizer(sentencepiece_model)
        self.embedding = self.add_weight(
            shape=(VOCABULARY_SIZE, EMBEDDING_DIM),
            # The variable takes the array's place: values made by TensorFlow only to be
            # replaced would stay in memory for good.
            initializer=lambda shape, dtype=None: embedding,
            name="embedding",
        )
        self.branches = [
            NgramBranch(order, name=f"ngram_{order}") for order in NGRAM_LEFT_CONTEXT
        ]
        self.norm = keras.layers.LayerNormalization(
            epsilon=LAYER_NORM_EPSILON, name="norm"
        )
        self.pooling = keras.layers.Dense(OUTPUT_DIM, name="pooling")
        self.residual = ResidualNetwork(name="residual")
        self.build()

    def build(self, input_shape=None):
        for branch in self.branches:
            branch.build((None, EMBEDDING_DIM))
        features = EMBEDDING_DIM + NGRAM_DIM * len(self.branches)
        self.norm.build((None, features))
        self.pooling.build((None, features))
        self.residual.build((None, OUTPUT_DIM))
        self.built = True

    def pieces(self, texts) -> tf.RaggedTensor:
        """SentencePiece ids of (batch,) texts: ragged (batch, tokens) int32."""
        return self._tokenizer.tokenize(tf.convert_to_tensor(texts, tf.string))

    def tokenize(self, texts, max_tokens: int | None = None) -> tf.RaggedTensor:
        """SentencePiece ids with ``bos`` and ``eos`` around every text.

        Args:
            texts: (batch,) strings; any bytes, never an error.
            max_tokens: cut each text to so many ids, ``bos`` and ``eos`` counted.

        Returns:
            (batch, None) int32 ragged ids; the empty text gives ``[1, 2]``.
        """
        ids = self.pieces(texts)
        if max_tokens is not None:
            ids = ids[:, : max_tokens - 2]
        edge = tf.ones_like(ids.row_lengths(), tf.int32)[:, tf.newaxis]
        return tf.concat([BOS_ID * edge, ids, EOS_ID * edge], axis=1)

    def encode_ids(self, ids: tf.RaggedTensor, *, training=False) -> tf.Tensor:
        """The network behind the tokeniser.

        Args:
            ids: (batch, None) ragged ids as `tokenize` gives them.
            training: see `call`.

        Returns:
            (batch, 512) float32, unit norm.
        """
        table = tf.convert_to_tensor(self.embedding)

        def encode(ids: tf.Tensor, row_splits: tf.Tensor) -> tf.Tensor:
            return self._encode_embedded(tf.gather(table, ids), row_splits)

        options: dict[str, Any] = {"tokens": TOKENS_AT_ONCE, "output_dim": OUTPUT_DIM}
        if not training:
            return in_chunks(encode, ids.values, ids.row_splits, **options)
        # Looked up at once, so that the gradient is that of the rows alone.
        embedded = tf.gather(table, ids.values)
        return in_chunks(
            self._encode_embedded, embedded, ids.row_splits, recompute=True, **options
        )

    def _encode_embedded(self, embedded: tf.Tensor, row_splits: tf.Tensor):
        """(tokens, 512) embedded tokens to (texts, 512) unit vectors."""
        bounds = TextBounds(row_splits)
        ngrams = [branch(embedded, bounds=bounds) for branch in self.branches]
        features = self.norm(tf.concat([embedded, *ngrams], axis=-1))

        # The pooling projection is linear: sum first, then project once a text.
        count = tf.cast(bounds.lengths, tf.float32)[:, tf.newaxis]
        summed = tf.math.segment_sum(features, bounds.text_of_token)
        pooled = tf.matmul(summed, self.pooling.kernel) + count * self.pooling.bias
        return tf.math.l2_normalize(self.residual(pooled / tf.sqrt(count)), axis=-1)

    def call(
        self, texts, max_tokens: int | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Encodes texts.

        Args:
            texts: (batch,) strings.
            max_tokens: see `tokenize`.
            training: whether gradients are to pass in little memory: activations are
                computed again (`in_chunks`).

        Returns:
            (batch, 512) float32, unit norm.
        """
        return self.encode_ids(self.tokenize(texts, max_tokens), training=training)

    @property
    def resources(self) -> list:
        """What an export must hold beside the variables."""
        return [self._tokenizer]

    @property
    def output_dim(self) -> int:
        """Dimension of the vectors."""
        return OUTPUT_DIM

    def compute_output_shape(self, input_shape):
        return (input_shape[0], OUTPUT_DIM)
