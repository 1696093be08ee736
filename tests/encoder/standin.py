"""A SavedModel with the real mUSE module's interface and habits, for tests.

Its network is written apart from the native layer: padded tensors, masks and
``tf.nn.conv1d`` where that has flat tokens. Variables are partitioned and named as in
TF-Hub's module, the SentencePiece op sits inside a function that another one calls.
"""

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

SHARDS = 17
ORDERS = (2, 3, 5)


class StandIn(tf.Module):
    variables = ()
    trainable_variables = ()


def layer_norm(x, gamma, beta, epsilon):
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)


def save_stand_in(
    folder,
    arrays,
    table,
    sentencepiece_model,
    *,
    meaningless_names=False,
    parts=3,
    activation=tf.nn.relu,
    epsilon=1e-12,
    extra_layer=False,
    edges=True,
):
    """Saves the stand-in; the options make it another network or hide its names."""
    variables = []

    def variable(value, name):
        name = f"v{len(variables)}" if meaningless_names else name
        variables.append(tf.Variable(np.asarray(value, np.float32), name=name))
        return variables[-1]

    def partitioned(value, name):
        """A kernel in parts along axis 0, joined where it is used."""
        pieces = [
            variable(piece, f"{name}/part_{number}")
            for number, piece in enumerate(
                np.array_split(value, min(parts, len(value)), axis=0)
            )
        ]
        return lambda: tf.concat(pieces, axis=0) if len(pieces) > 1 else pieces[0] + 0

    shards = [
        variable(table[shard::SHARDS], f"Embeddings/sharded_{shard}")
        for shard in range(SHARDS)
    ]
    cnn = "EncoderDNN/CNN_layers/"
    branches = []
    for n in ORDERS:
        base = f"{cnn}ngram_order_{n}/"
        kernel = (n, 256, 256)
        branches.append(
            (
                n,
                partitioned(arrays[f"proj{n}"], base + "projection/kernel"),
                variable(arrays[f"proj_b{n}"], base + "projection/bias/part_0"),
                variable(arrays[f"ln_g{n}"], base + "layer_norm/gamma/part_0"),
                variable(arrays[f"ln_b{n}"], base + "layer_norm/beta/part_0"),
                partitioned(arrays[f"w1_{n}"].reshape(kernel), base + "conv_0/kernel"),
                variable(arrays[f"b1_{n}"], base + "conv_0/bias/part_0"),
                partitioned(arrays[f"w2_{n}"].reshape(kernel), base + "conv_1/kernel"),
                variable(arrays[f"b2_{n}"], base + "conv_1/bias/part_0"),
            )
        )
    gamma = variable(arrays["ln_g"], cnn + "layer_norm/gamma/part_0")
    beta = variable(arrays["ln_b"], cnn + "layer_norm/beta/part_0")
    pooling = partitioned(arrays["cnn_W"], cnn + "output/kernel")
    pooling_bias = variable(arrays["cnn_b"], cnn + "output/bias/part_0")
    dnn = "EncoderDNN/DNN/ResidualHidden_"
    dense = {
        key: partitioned(arrays[key], dnn + name)
        for key, name in {
            "d0": "0/dense/kernel",
            "d1": "1/dense/kernel",
            "p1": "1/AdjustDepth/projection/kernel",
            "d2": "2/dense/kernel",
            "d3": "3/dense/kernel",
            "p3": "3/AdjustDepth/projection/kernel",
        }.items()
    }
    extra = (
        partitioned(np.eye(512) * 1.1, dnn + "4/dense/kernel") if extra_layer else None
    )
    tokenizer = tf_text.SentencepieceTokenizer(
        sentencepiece_model, add_bos=edges, add_eos=edges
    )

    @tf.function
    def tokens(texts):
        ids = tokenizer.tokenize(texts)
        return ids.to_tensor(0), ids.row_lengths()

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="inputs")])
    def encode(inputs):
        ids, lengths = tokens(inputs)
        mask = tf.sequence_mask(lengths, tf.shape(ids)[1], tf.float32)[:, :, None]
        e = tf.compat.v1.nn.embedding_lookup(shards, ids, partition_strategy="mod")
        features = [e]
        for n, kernel, bias, g, b, kernel_1, bias_1, kernel_2, bias_2 in branches:
            x = tf.tensordot(e, kernel(), 1) + bias
            x = layer_norm(x, g, b, epsilon)
            left = {2: 0, 3: 1, 5: 2}[n]
            for conv_kernel, conv_bias in ((kernel_1, bias_1), (kernel_2, bias_2)):
                padded = tf.pad(x * mask, [[0, 0], [left, n - 1 - left], [0, 0]])
                y = tf.nn.conv1d(padded, conv_kernel(), stride=1, padding="VALID")
                x = x + activation(tf.nn.bias_add(y, conv_bias))
            features.append(x)
        f = layer_norm(tf.concat(features, axis=-1), gamma, beta, epsilon)
        f = (tf.tensordot(f, pooling(), 1) + pooling_bias) * mask
        count = tf.cast(lengths, tf.float32)[:, None]
        m = tf.reduce_sum(f, axis=1) / tf.sqrt(tf.maximum(count, 1.0))
        y0 = activation(m @ dense["d0"]())
        y1 = activation(m @ dense["p1"]() + y0 @ dense["d1"]())
        y2 = activation(y1 @ dense["d2"]())
        z = tf.tanh(y1 @ dense["p3"]() + y2 @ dense["d3"]())
        if extra is not None:
            z = tf.tanh(z @ extra())
        return tf.nn.l2_normalize(z, axis=-1)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="inputs")])
    def serve(inputs):
        return {"outputs": encode(inputs)}

    module = StandIn()
    module.__call__ = encode
    module.tokenizer = tokenizer
    module.variables = variables
    module.trainable_variables = variables
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    return folder
