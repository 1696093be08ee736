"""Any text encoder SavedModel, from TF-Hub or a folder, as a trainable Keras layer.

``hub.KerasLayer`` is a ``tf_keras`` layer and of no use in Keras 3, and a plain
``hub.load`` inside a Keras layer tracks no variable. `HubEncoder` calls the loaded
object itself and wraps each of its variables, so that both sides share one
``tf.Variable``.
"""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_hub as hub

from muse_jobs.encoder.muse import OUTPUT_DIM
from muse_jobs.encoder.tokenizer import sentencepiece_tokenizer
from muse_jobs.errors import InputError


class HubEncoder(keras.layers.Layer):
    """A loaded SavedModel: texts in, vectors out.

    Args:
        handle: TF-Hub URL, or a folder that holds a SavedModel.
        source: where the weights come from, for reports; the handle by default.
        trainable: whether the module's variables are trained.

    Raises:
        InputError: the object cannot be called on strings, gives something else than
            (batch, dim) floats, or has no variables.
    """

    supports_jit = False

    def __init__(
        self,
        handle: str,
        *,
        source: str | None = None,
        trainable: bool = True,
        **kwargs,
    ):
        super().__init__(trainable=trainable, **kwargs)
        self.source = source or handle
        folder = hub.resolve(handle)
        self._module = hub.load(folder)
        self.sentencepiece_model = find_sentencepiece_model(folder)
        self._tokenizer = (
            sentencepiece_tokenizer(self.sentencepiece_model)
            if self.sentencepiece_model
            else None
        )
        found = _variables(self._module)
        self.module_variables = [reference.deref() for reference in found]
        for reference, trained in found.items():
            self._adopt(reference.deref(), trained)
        if trainable and not any(found.values()):
            raise InputError(f"{handle}: the SavedModel has no variables to train")
        self.output_dim = self._probe(handle)
        self.built = True

    def call(self, texts, max_tokens: int | None = None) -> tf.Tensor:
        """Encodes texts.

        Args:
            texts: (batch,) strings.
            max_tokens: cut each text to so many tokens, ``bos`` and ``eos`` counted.

        Returns:
            (batch, dim) float32, unit norm.
        """
        texts = tf.convert_to_tensor(texts, tf.string)
        if max_tokens is not None:
            texts = self._cut(texts, max_tokens)
        return tf.math.l2_normalize(self._module(texts), axis=-1)

    def pieces(self, texts) -> tf.RaggedTensor:
        """SentencePiece ids of (batch,) texts: ragged (batch, tokens) int32.

        Raises:
            InputError: there is no SentencePiece model in the module.
        """
        if self._tokenizer is None:
            raise InputError(
                f"{self.source}: no SentencePiece model in it, so texts cannot be "
                "taken apart; give the postings fields, or leave jd out"
            )
        return self._tokenizer.tokenize(tf.convert_to_tensor(texts, tf.string))

    def concrete_function(self):
        """The module's function from strings to vectors, to read its graph."""
        texts = tf.TensorSpec((None,), tf.string)
        return tf.function(lambda t: self._module(t)).get_concrete_function(texts)

    @property
    def resources(self) -> list:
        """What an export must hold beside the variables."""
        return [self._module, self._tokenizer] if self._tokenizer else [self._module]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.output_dim)

    def _cut(self, texts: tf.Tensor, max_tokens: int) -> tf.Tensor:
        """The user's own bytes up to the end of the last token that is kept.

        The module sees the text that is left as a text of its own: white space at the
        cut, which the native layer keeps as a token, is dropped by its normaliser.
        """
        if self._tokenizer is None:
            raise InputError(
                f"{self.source}: no SentencePiece model in it, so texts cannot be cut "
                "by tokens: pass max_tokens=None"
            )
        _, _, ends = self._tokenizer.tokenize_with_offsets(texts)
        kept = tf.cast(ends[:, : max_tokens - 2], tf.int32)
        last = tf.reduce_max(kept, axis=1)  # of an empty row: the smallest integer
        return tf.strings.substr(texts, tf.zeros_like(last), tf.maximum(last, 0))

    def _adopt(self, variable: tf.Variable, trained: bool) -> None:
        # Private Keras: the only way to share a variable that exists already, as
        # keras.layers.TFSMLayer does it.
        adopted = keras.Variable(
            initializer=variable,
            trainable=trained,
            dtype=variable.dtype.name,
            name=variable.name.split(":")[0].replace("/", "|"),
        )
        self._track_variable(adopted)

    def _probe(self, handle: str) -> int:
        try:
            vectors = self._module(tf.constant(["a", "b"]))
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise InputError(
                f"{handle}: expected a SavedModel that is callable on a batch of "
                f"strings, received one that fails on it: {str(error).splitlines()[0]}"
            ) from error
        if not isinstance(vectors, tf.Tensor) or vectors.shape.rank != 2:
            raise InputError(
                f"{handle}: expected vectors of shape (batch, dim), received "
                f"{getattr(vectors, 'shape', type(vectors).__name__)}"
            )
        if vectors.shape[1] != OUTPUT_DIM:
            raise InputError(
                f"{handle}: expected vectors of {OUTPUT_DIM} numbers, as mUSE gives, "
                f"received {vectors.shape[1]}"
            )
        return OUTPUT_DIM


def find_sentencepiece_model(folder: str | Path) -> bytes | None:
    """The SentencePiece model inside a SavedModel's graph, or None without one."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((Path(folder) / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    for nodes in [graph.node, *(f.node_def for f in graph.library.function)]:
        for node in nodes:
            if node.op == "SentencepieceOp" and node.attr["model"].s:
                return node.attr["model"].s
    return None


def _variables(module) -> dict:
    """References to the floating-point variables, and whether each is trained."""
    trained = list(getattr(module, "trainable_variables", ()))
    found = trained + list(getattr(module, "variables", ()))
    if not found and "serving_default" in getattr(module, "signatures", {}):
        found = list(module.signatures["serving_default"].variables)
    chosen = {id(v) for v in trained or found}
    return {
        v.ref(): v.trainable and id(v) in chosen for v in found if v.dtype.is_floating
    }
