import keras
import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.training.optimizers import FusedAdam


def train(optimizer, steps, *, dense):
    rng = np.random.default_rng(3)
    table = keras.Variable(rng.normal(size=(50, 4)).astype("float32"), name="table")
    kernel = keras.Variable(rng.normal(size=(4, 3)).astype("float32"), name="kernel")
    optimizer.build([table, kernel])
    for _ in range(steps):
        rows = tf.constant(rng.integers(50, size=6))  # repeats among them
        target = tf.constant(rng.normal(size=(6, 3)).astype("float32"))
        with tf.GradientTape() as tape:
            found = tf.gather(tf.convert_to_tensor(table), rows) @ kernel.value
            loss = tf.reduce_mean((found - target) ** 2)
        gradients = tape.gradient(loss, [table.value, kernel.value])
        assert isinstance(gradients[0], tf.IndexedSlices)
        if dense:
            gradients[0] = tf.convert_to_tensor(gradients[0])
        optimizer.apply_gradients(zip(gradients, [table, kernel], strict=True))
    return table.numpy(), kernel.numpy()


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": 0.01},
        {"learning_rate": keras.optimizers.schedules.CosineDecay(0.02, 10)},
        {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-4},
        {"learning_rate": 0.01, "weight_decay": 0.1},
    ],
)
@pytest.mark.parametrize("dense", [False, True])
def test_equals_keras_adam_on_the_dense_gradient(options, dense):
    for found, expected in zip(
        train(FusedAdam(**options), 12, dense=dense),
        train(keras.optimizers.Adam(**options), 12, dense=True),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def step(optimizer, rows):
    table = keras.Variable(np.ones((9, 2), "float32"))
    optimizer.build([table])
    rng = np.random.default_rng(0)
    for _ in range(6):
        values = tf.constant(rng.normal(size=(len(rows), 2)).astype("float32"))
        slices = tf.IndexedSlices(values, tf.constant(rows), (9, 2))
        optimizer.apply_gradients([(slices, table)])
    return table.numpy()


def test_equals_keras_adam_on_slices_without_repeated_rows():
    """With repeats Keras 3.15 squares a row's slices before it sums them, which is not
    the second moment of the gradient."""
    one, other = (
        step(make(0.01), [1, 4, 7]) for make in (FusedAdam, keras.optimizers.Adam)
    )
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_rows_without_a_gradient_move_by_their_moments():
    """Not the row-wise Adam: a row goes on moving after its last gradient."""
    table = keras.Variable(np.ones((3, 2), "float32"))
    optimizer = FusedAdam(0.1)
    optimizer.build([table])
    for row in (0, 1):
        slices = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([row]), (3, 2))
        before = table.numpy().copy()
        optimizer.apply_gradients([(slices, table)])
    moved = np.abs(table.numpy() - before).max(axis=1) > 0
    np.testing.assert_array_equal(moved, [True, True, False])


def test_amsgrad_is_refused():
    with pytest.raises(ValueError, match="amsgrad=False"):
        FusedAdam(0.1, amsgrad=True)
