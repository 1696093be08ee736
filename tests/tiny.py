"""A small trainable text encoder, for tests of what stands around an encoder."""

import keras
import tensorflow as tf


class TinyEncoder(keras.layers.Layer):
    """Sum of hashed words, a dense layer, unit norm; its table gets IndexedSlices."""

    output_dim = 8
    source = "tiny"

    def __init__(self):
        super().__init__()
        self.table = self.add_weight(
            shape=(97, 8), initializer=keras.initializers.RandomNormal(seed=1)
        )
        self.dense = keras.layers.Dense(
            8, kernel_initializer=keras.initializers.RandomNormal(seed=2)
        )
        self.dense.build((None, 8))
        self.built = True

    def rows(self, texts, max_tokens=None):
        words = tf.strings.split(tf.convert_to_tensor(texts, tf.string))
        return tf.strings.to_hash_bucket_fast(words[:, :max_tokens], 97)

    def call(self, texts, max_tokens=None):
        rows = self.rows(texts, max_tokens)
        summed = tf.math.segment_sum(
            tf.gather(tf.convert_to_tensor(self.table), rows.values),
            rows.value_rowids(),
        )
        return tf.math.l2_normalize(self.dense(summed), axis=-1)
