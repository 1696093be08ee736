"""One training cycle through the hub layer and through the native one.

The module is the tests' stand-in for the real one: the same interface, padded tensors
and ``tf.nn.conv1d``, packaged weights.
"""

import statistics
import tempfile
import time

import numpy as np

from muse_jobs.data.postings import field_labels
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.encoder.sources import load_encoder
from muse_jobs.encoder.weights import _packaged_files, packaged_encoder
from muse_jobs.training.config import TASKS
from muse_jobs.training.heads import FieldHead, MatchingHead, RankingHead
from muse_jobs.training.model import MultiTaskEncoder
from muse_jobs.training.optimizers import FusedAdam
from muse_jobs.training.recipes import RECIPES
from muse_jobs.training.tasks import cycle_batches, field_examples, matching_examples
from muse_jobs.training.title_pairs import ranking_examples
from tests.encoder.standin import save_stand_in

BATCH_SIZE = 128
MAX_TOKENS = 64
CYCLES = 5


def measure() -> dict[str, float]:
    """Median seconds of a cycle (the first left out), and the ratio."""
    native = packaged_encoder()
    files = _packaged_files()
    with np.load(files["weights.npz"]) as archive, tempfile.TemporaryDirectory() as d:
        arrays = {name: archive[name] for name in archive.files}
        model = files["sp.model"].read_bytes()
        folder = save_stand_in(d, arrays, native.embedding.numpy(), model)
        hub = load_encoder(str(folder), convert=False)
    figures = {
        "hub layer, seconds a cycle": _seconds(hub),
        "native layer, seconds a cycle": _seconds(native),
    }
    slow, quick = figures.values()
    return {**figures, "hub layer / native layer": slow / quick}


def _seconds(encoder) -> float:
    model, examples = model_and_examples(
        encoder, sample_postings(postings_per_role=2), max_tokens=MAX_TOKENS
    )
    batches = cycle_batches(examples, batch_size=BATCH_SIZE, seed=0).take(CYCLES + 1)
    return cycle_seconds(model, batches)


def model_and_examples(encoder, postings, *, max_tokens: int, tasks=TASKS):
    """The default recipe's model with its tasks, and their examples."""
    labels = field_labels(postings)
    heads = {
        "jt": RankingHead(RECIPES["default"]),
        "jd": MatchingHead(512),
        "jf": FieldHead(512, labels),
    }
    examples = {
        "jt": ranking_examples(postings),
        "jd": matching_examples(postings),
        "jf": field_examples(postings, labels),
    }
    model = MultiTaskEncoder(
        encoder, [heads[task] for task in tasks], max_tokens=max_tokens
    )
    model.compile(FusedAdam(3e-5))
    return model, {task: examples[task] for task in tasks}


def cycle_seconds(model, batches) -> float:
    """Median seconds of a training cycle, the first left out."""
    taken = []
    for batch in batches:
        started = time.perf_counter()
        model.train_on_batch(batch)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])
