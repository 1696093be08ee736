"""How many cycles of batches tf.data alone delivers, and how many training consumes."""

import time

from benchmarks.training_cycle import cycle_seconds, model_and_examples
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.encoder.weights import packaged_encoder
from muse_jobs.training.tasks import cycle_batches

BATCH_SIZE = 512
MAX_TOKENS = 128
TRAINED = 4
DELIVERED = 300


def measure() -> dict[str, float]:
    """Cycles a second of three tasks at the default settings, and the ratio."""
    model, examples = model_and_examples(
        packaged_encoder(), sample_postings(), max_tokens=MAX_TOKENS
    )
    batches = cycle_batches(examples, batch_size=BATCH_SIZE, seed=0)
    trained = 1 / cycle_seconds(model, batches.take(TRAINED))
    cycles = iter(batches)
    next(cycles)
    started = time.perf_counter()
    for _ in range(DELIVERED):
        next(cycles)
    delivered = DELIVERED / (time.perf_counter() - started)
    return {
        "tf.data alone, cycles a second": delivered,
        "training, cycles a second": trained,
        "tf.data / training": delivered / trained,
    }
