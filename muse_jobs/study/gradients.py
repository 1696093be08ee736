"""How far the tasks pull the shared weights the same way (open question 1)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from muse_jobs.study.runs import Workshop
from muse_jobs.study.settings import RunSettings
from muse_jobs.training.config import TrainConfig
from muse_jobs.training.tasks import cycle_batches

HEAD_RATE = 1e-3
LAYERS = ("embedding", "ngram_2", "ngram_3", "ngram_5", "residual")


def gradient_cosines(
    workshop: Workshop, run: RunSettings, *, head_steps: int, batches: int
) -> dict[str, dict[str, float]]:
    """How far the tasks pull the shared weights the same way, layer by layer.

    The heads of JD and JF start from random numbers, and the gradient behind such a
    head says nothing: they are trained first, with the encoder as it comes.

    Args:
        workshop: has the encoder.
        run: one with all three tasks.
        head_steps: batches that the heads are trained on first.
        batches: over which the gradients are averaged.

    Returns:
        Pair of tasks to layer to the cosine of the tasks' mean gradients.
    """
    workshop.reset()
    model, examples = workshop.model(run, 0)
    size = TrainConfig(**(run.training or {})).batch_size
    data = cycle_batches(examples, batch_size=size, seed=0)
    stream = data.take(head_steps + batches)
    optimizers = {
        head.name: keras.optimizers.Adam(HEAD_RATE)
        for head in model.heads
        if head.trainable_variables
    }
    variables = workshop.encoder.trainable_variables
    # Closures: a tf.function makes tensors of the Keras variables that it is handed.
    steps = {
        head.name: tf.function(partial(_head_step, model, head, optimizers[head.name]))
        for head in model.heads
        if head.name in optimizers
    }
    gradients = {
        head.name: tf.function(partial(_gradient, model, head, variables))
        for head in model.heads
    }
    sums: dict[str, list] = {}
    for number, cycle in enumerate(stream):
        for head in model.heads:
            batch = cycle[head.name]
            if number < head_steps:
                if head.name in steps:
                    steps[head.name](batch)
            else:
                own = gradients[head.name](batch)
                own = [gradient.numpy() for gradient in own]
                known = sums.get(head.name)
                sums[head.name] = (
                    own
                    if known is None
                    else [a + b for a, b in zip(known, own, strict=True)]
                )
    places = _places([variable.path for variable in variables])
    return {
        f"{one}-{other}": {
            layer: _cosine(
                [sums[one][place] for place in own],
                [sums[other][place] for place in own],
            )
            for layer, own in places.items()
        }
        for one, other in itertools.combinations(sums, 2)
    }


def _head_step(model, head, optimizer, batch) -> None:
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        own = [variable.value for variable in head.trainable_variables]
        tape.watch(own)
        loss = model.task_loss(head, batch)
    optimizer.apply(tape.gradient(loss, own), head.trainable_variables)


def _gradient(model, head, variables, batch) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
        loss = model.task_loss(head, batch)
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


def _places(paths: Sequence[str]) -> dict[str, list[int]]:
    """Layer to the places of its variables; the rest is the pooling and its norm."""
    places: dict[str, list[int]] = {}
    for place, path in enumerate(paths):
        layer = next((name for name in LAYERS if name in path), "pooling")
        places.setdefault(layer, []).append(place)
    return places


def _cosine(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    def inner(left, right) -> float:
        pairs = zip(left, right, strict=True)
        return float(sum(np.vdot(a, b) for a, b in pairs))

    return inner(one, other) / np.sqrt(inner(one, one) * inner(other, other))
