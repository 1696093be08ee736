"""Training through the hub layer and through the native one is the same training."""

import keras
import numpy as np
import pytest

from muse_jobs.data.postings import field_labels
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.encoder.sources import load_encoder
from muse_jobs.encoder.weights import packaged_encoder
from muse_jobs.training.heads import FieldHead, MatchingHead, RankingHead
from muse_jobs.training.model import MultiTaskEncoder
from muse_jobs.training.optimizers import FusedAdam
from muse_jobs.training.recipes import RECIPES
from muse_jobs.training.tasks import cycle_batches, field_examples, matching_examples
from muse_jobs.training.title_pairs import ranking_examples
from tests.encoder.test_conversion import save  # noqa: F401

POSTINGS = sample_postings(postings_per_role=1)[:120]
LABELS = field_labels(POSTINGS)


def losses_of(encoder, cycles):
    keras.utils.set_random_seed(0)
    heads = [RankingHead(RECIPES["default"]), MatchingHead(512), FieldHead(512, LABELS)]
    model = MultiTaskEncoder(encoder, heads)
    model.compile(FusedAdam(3e-4))
    examples = {
        "jt": ranking_examples(POSTINGS),
        "jd": matching_examples(POSTINGS),
        "jf": field_examples(POSTINGS, LABELS),
    }
    found = []
    for batch in cycle_batches(examples, batch_size=24, seed=0).take(cycles):
        model.reset_metrics()
        logs = model.train_on_batch(batch, return_dict=True)
        found.append([float(logs[f"{task}_loss"]) for task in model.tasks])
    return found


@pytest.mark.slow
def test_five_cycles_have_the_same_losses(save, encoder):  # noqa: F811
    hub_losses = losses_of(load_encoder(save(), convert=False), 5)
    native_losses = losses_of(packaged_encoder(), 5)
    assert hub_losses[0] != hub_losses[-1]
    np.testing.assert_allclose(hub_losses, native_losses, atol=1e-3)
