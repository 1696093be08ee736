"""Adam for a large embedding table."""

from __future__ import annotations

import keras
import tensorflow as tf


class FusedAdam(keras.optimizers.Adam):
    """Adam exactly as Keras computes it, in one fused pass over each variable.

    An embedding's gradient arrives as ``tf.IndexedSlices``. Keras makes it dense and
    then runs the update as a dozen operations, each a pass over a 262 MB table. Here
    the dense gradient goes through ``ResourceApplyAdam``: the same formula, every row's
    moments decayed, in one pass. The rows of a gradient that stand in the batch more
    than once are summed first; Keras 3.15 squares them one by one for the second
    moment, which is not Adam on the gradient. (Row-wise "lazy" Adam would be cheaper
    still, and another
    algorithm: untouched rows keep stale moments.)
    """

    def __init__(self, learning_rate=1e-3, **kwargs):
        if kwargs.get("amsgrad"):
            raise ValueError("expected amsgrad=False: there is no fused form of it")
        super().__init__(learning_rate, **kwargs)

    def update_step(self, gradient, variable, learning_rate):
        """One update of one variable; called by Keras.

        Args:
            gradient: dense or ``tf.IndexedSlices``.
            variable: the ``tf.Variable``.
            learning_rate: scalar.
        """
        step = tf.cast(self.iterations + 1, variable.dtype)
        beta_1 = tf.cast(self.beta_1, variable.dtype)
        beta_2 = tf.cast(self.beta_2, variable.dtype)
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=tf.convert_to_tensor(gradient),
        )
