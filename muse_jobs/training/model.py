"""The model: one encoder, a head for each task, a train step that cycles the tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import keras
import tensorflow as tf


class MultiTaskEncoder(keras.Model):
    """A shared text encoder and the heads of its tasks.

    ``model(texts)`` gives the vectors. A training batch is a dict from a task's name to
    that task's own batch; `train_step` makes one optimizer update for each task, in the
    order of the heads (the paper cycles JT, JD, JF).

    Args:
        encoder: layer with ``encoder(texts, max_tokens=None)`` -> (batch, dim).
        heads: the heads, each named for its task.
        max_tokens: texts are cut at so many tokens in training; None leaves them whole.
        task_weights: factor of a task's loss, 1 where none is given.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        heads: Sequence[keras.layers.Layer],
        *,
        max_tokens: int | None = None,
        task_weights: Mapping[str, float] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not heads:
            raise ValueError("expected one head at least, received none")
        self.encoder = encoder
        self.heads = list(heads)
        self.max_tokens = max_tokens
        self.task_weights = dict(task_weights or {})
        unknown = set(self.task_weights) - set(self.tasks)
        if unknown:
            raise ValueError(
                f"expected weights for {', '.join(self.tasks)}, "
                f"received {', '.join(sorted(unknown))}"
            )
        self.loss_trackers = {
            task: keras.metrics.Mean(name=f"{task}_loss") for task in self.tasks
        }
        self.built = True

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks' names, in the order of training."""
        return tuple(head.name for head in self.heads)

    @property
    def metrics(self):
        return list(self.loss_trackers.values())

    def head(self, task: str) -> keras.layers.Layer | None:
        """The head of a task, or None where it is not trained."""
        return next((head for head in self.heads if head.name == task), None)

    def call(self, texts):
        return self.encoder(texts)

    def compile(self, optimizer, head_optimizer=None, **kwargs):
        """As `keras.Model.compile`; the losses are the heads' own.

        Args:
            optimizer: of the encoder.
            head_optimizer: of the heads, which start from nothing and can take larger
                steps; the encoder's by default.
            **kwargs: see `keras.Model.compile`.
        """
        super().compile(optimizer=optimizer, **kwargs)
        self.head_optimizer = head_optimizer or self.optimizer
        # Each task leaves the other heads without gradients, and Keras fixes the list
        # of variables at the first update.
        of_heads = [v for head in self.heads for v in head.trainable_variables]
        of_encoder = self.encoder.trainable_variables
        if self.head_optimizer is self.optimizer:
            self.optimizer.build([*of_encoder, *of_heads])
        else:
            self.optimizer.build(of_encoder)
            self.head_optimizer.build(of_heads)

    def task_loss(self, head: keras.layers.Layer, batch) -> tf.Tensor:
        """A task's weighted loss on a batch of its own, a scalar."""
        encode = partial(self.encoder, max_tokens=self.max_tokens, training=True)
        return self.task_weights.get(head.name, 1.0) * head.loss(encode, batch)

    def train_step(self, data):
        """One update for each task.

        Args:
            data: task name to that task's batch.

        Returns:
            Task losses, the running means of the epoch.
        """
        batches, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        for head in self.heads:
            with tf.GradientTape() as tape:
                loss = self.task_loss(head, batches[head.name])
            self._update(tape, loss, head)
            self.loss_trackers[head.name].update_state(loss)
        return self.get_metrics_result()

    def _update(self, tape, loss: tf.Tensor, head: keras.layers.Layer) -> None:
        shared, own = self.encoder.trainable_variables, head.trainable_variables
        gradients = tape.gradient(loss, [v.value for v in [*shared, *own]])
        if self.head_optimizer is self.optimizer:
            self.optimizer.apply(gradients, [*shared, *own])
            return
        if shared:
            self.optimizer.apply(gradients[: len(shared)], shared)
        if own:
            self.head_optimizer.apply(gradients[len(shared) :], own)

    def test_step(self, data):
        """The task losses of a batch, without an update."""
        batches, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        for head in self.heads:
            loss = self.task_loss(head, batches[head.name])
            self.loss_trackers[head.name].update_state(loss)
        return self.get_metrics_result()
