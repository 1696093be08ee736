"""The encoder for inference, in less than a third of its bytes.

The embedding table is 95 % of mUSE. It is stored as integers of 8 bits, with a scale
for every 64 numbers of a row. One scale a row is not enough: a few pieces have rows
that the norms behind the table blow up, and after fine-tuning the vectors of titles
with such a piece moved to a cosine of 0.995. The other weights are stored in float16.
"""

from __future__ import annotations

import hashlib

import keras
import numpy as np
import tensorflow as tf

from muse_jobs.encoder.chunks import in_chunks
from muse_jobs.encoder.muse import (
    EMBEDDING_DIM,
    OUTPUT_DIM,
    TOKENS_AT_ONCE,
    MuseEncoder,
)
from muse_jobs.errors import InputError

GROUP = 64
LARGEST = 127  # -128 is not used, so that a number and its negative are rounded alike
ROWS_AT_ONCE = 4096


def quantize(encoder: keras.layers.Layer) -> QuantizedEncoder:
    """A small copy of an encoder, for inference.

    Args:
        encoder: a native one, with mUSE's own weights or fine-tuned.

    Returns:
        The layer, to be called and exported as the encoder is. Nothing of it can be
        trained, and later changes of the encoder do not reach it.

    Raises:
        InputError: the encoder is not native, so that its table is not known, or a
            weight is not finite or too large for float16.
    """
    if not isinstance(encoder, MuseEncoder):
        raise InputError(
            "quantize: expected a native mUSE encoder, received a "
            f"{type(encoder).__name__}; load it with load_encoder(..., convert=True)"
        )
    return QuantizedEncoder(encoder, name="muse_int8")


def quantize_table(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rounds each group of a row to multiples of 1/127 of its largest number.

    Args:
        table: (rows, dim) float32.

    Returns:
        (rows, dim) int8, and (rows, dim / 64) float32: what each group is a multiple
        of.
    """
    steps = np.empty((len(table), table.shape[1] // GROUP), np.float32)
    rounded = np.empty(table.shape, np.int8)
    for start in range(0, len(table), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        groups = table[part].reshape(-1, steps.shape[1], GROUP)
        steps[part] = np.abs(groups).max(axis=2) / LARGEST
        divisors = np.where(steps[part] > 0, steps[part], 1)  # zeros stay zeros
        multiples = np.rint(groups / divisors[:, :, np.newaxis])
        rounded[part] = multiples.reshape(-1, table.shape[1])
    return rounded, steps


class WidenedWeight(tf.saved_model.experimental.TrackableResource):
    """A weight that is saved in float16 and is float32 from its loading on.

    A cast in the graph would run in each call, and take as long as the encoding of a
    title.

    Args:
        saved: the weight, float16; whoever exports the one exports the other.
    """

    def __init__(self, saved: tf.Variable):
        super().__init__()
        self._saved = saved
        # As a process may load several models: the same name, the same values.
        values = hashlib.sha256(saved.numpy().tobytes()).hexdigest()
        self._shared_name = f"widened-{values}"
        self._initialize()

    def _create_resource(self):
        return tf.raw_ops.VarHandleOp(
            dtype=tf.float32, shape=self._saved.shape, shared_name=self._shared_name
        )

    def _initialize(self):
        """Run by TensorFlow, and by its server, when the weights are loaded."""
        tf.raw_ops.AssignVariableOp(
            resource=self.resource_handle, value=tf.cast(self._saved, tf.float32)
        )

    def read(self) -> tf.Tensor:
        """The weight, float32."""
        values = tf.raw_ops.ReadVariableOp(
            resource=self.resource_handle, dtype=tf.float32
        )
        return tf.ensure_shape(values, self._saved.shape)


class QuantizedEncoder(keras.layers.Layer):
    """A `MuseEncoder` in 8 bits: texts in, unit vectors out.

    It runs the encoder's code on weights of its own.

    Args:
        encoder: the encoder that it is a copy of.
    """

    supports_jit = False

    def __init__(self, encoder: MuseEncoder, **kwargs):
        super().__init__(trainable=False, **kwargs)
        _check_range(encoder)
        self.source = f"{encoder.source}, in 8 bits"
        self.sentencepiece_model = encoder.sentencepiece_model
        rounded, steps = quantize_table(encoder.embedding.numpy())
        self.embedding = self._stored(rounded, "embedding")
        self.steps = self._stored(steps, "steps")
        widened = [
            (v, self._widened(v))
            for v in encoder.variables
            if v is not encoder.embedding
        ]
        # A function: of an attribute Keras would track the encoder's own weights.
        self._lent = lambda: (encoder, widened)
        self.built = True

    def pieces(self, texts) -> tf.RaggedTensor:
        """As `MuseEncoder.pieces`."""
        return self._lent()[0].pieces(texts)

    def tokenize(self, texts, max_tokens: int | None = None) -> tf.RaggedTensor:
        """As `MuseEncoder.tokenize`."""
        return self._lent()[0].tokenize(texts, max_tokens)

    def encode_ids(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """The network behind the tokeniser.

        Args:
            ids: (batch, None) ragged ids as `tokenize` gives them.

        Returns:
            (batch, 512) float32, unit norm.
        """
        # Not tf.gather of the variable: after one, each read of it copies the table.
        rounded = tf.convert_to_tensor(self.embedding)
        steps = tf.convert_to_tensor(self.steps)

        def encode(ids: tf.Tensor, row_splits: tf.Tensor) -> tf.Tensor:
            numbers = tf.cast(tf.gather(rounded, ids), tf.float32)
            groups = tf.reshape(numbers, (-1, steps.shape[1], GROUP))
            embedded = groups * tf.gather(steps, ids)[:, :, tf.newaxis]
            return self._encode_embedded(
                tf.reshape(embedded, (-1, EMBEDDING_DIM)), row_splits
            )

        return in_chunks(
            encode,
            ids.values,
            ids.row_splits,
            tokens=TOKENS_AT_ONCE,
            output_dim=OUTPUT_DIM,
        )

    def call(self, texts, max_tokens: int | None = None) -> tf.Tensor:
        """Encodes texts.

        Args:
            texts: (batch,) strings.
            max_tokens: see `MuseEncoder.tokenize`.

        Returns:
            (batch, 512) float32, unit norm.
        """
        return self.encode_ids(self.tokenize(texts, max_tokens))

    @property
    def resources(self) -> list:
        """What an export must hold beside the variables."""
        encoder, widened = self._lent()
        return [*encoder.resources, *(weight for _, weight in widened)]

    @property
    def output_dim(self) -> int:
        """Dimension of the vectors."""
        return OUTPUT_DIM

    def compute_output_shape(self, input_shape):
        return (input_shape[0], OUTPUT_DIM)

    def _encode_embedded(self, embedded: tf.Tensor, row_splits: tf.Tensor) -> tf.Tensor:
        """The encoder's, with this layer's weights in the place of its own."""
        encoder, widened = self._lent()
        own = [(variable, weight.read()) for variable, weight in widened]
        with keras.StatelessScope(own):
            return encoder._encode_embedded(embedded, row_splits)

    def _widened(self, variable: keras.Variable) -> WidenedWeight:
        values = variable.numpy().astype(np.float16)
        saved = self._stored(values, variable.path.replace("/", "_"))
        return WidenedWeight(saved.value)

    def _stored(self, values: np.ndarray, name: str) -> keras.Variable:
        variable = self.add_weight(
            shape=values.shape,
            dtype=values.dtype.name,
            initializer="zeros",
            trainable=False,
            name=name,
        )
        variable.assign(values)
        return variable


def _check_range(encoder: MuseEncoder) -> None:
    largest = np.finfo(np.float16).max
    for variable in encoder.variables:
        values = variable.numpy()
        if not max(values.max(), -values.min()) <= largest:
            raise InputError(
                f"quantize: expected weights of {largest:.0f} at most, received NaN or "
                f"a larger number in {variable.path}"
            )
