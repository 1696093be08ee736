import numpy as np
import pytest

from muse_jobs.study.gradients import _cosine, _places, gradient_cosines
from muse_jobs.study.runs import Workshop
from tests.study.test_runs import settings, workshop  # noqa: F401


def test_layers_take_all_variables_once(encoder):
    paths = [variable.path for variable in encoder.trainable_variables]
    places = _places(paths)
    assert sorted(place for own in places.values() for place in own) == list(
        range(len(paths))
    )
    assert set(places) == {
        "embedding",
        "ngram_2",
        "ngram_3",
        "ngram_5",
        "pooling",
        "residual",
    }


def test_cosine_over_several_arrays_by_hand():
    one = [np.array([1.0, 0.0]), np.array([[1.0]])]
    other = [np.array([1.0, 2.0]), np.array([[0.0]])]
    assert _cosine(one, other) == pytest.approx(1 / np.sqrt(2 * 5))


def test_cosines_of_all_pairs_and_the_encoder_as_it_was(workshop: Workshop):  # noqa: F811
    before = [v.numpy() for v in workshop.encoder.trainable_variables]
    found = gradient_cosines(workshop, settings(), head_steps=3, batches=2)
    assert set(found) == {"jt-jd", "jt-jf", "jd-jf"}
    for by_layer in found.values():
        assert all(-1 <= value <= 1 for value in by_layer.values())
    assert len({value for own in found.values() for value in own.values()}) == 3
    for variable, value in zip(
        workshop.encoder.trainable_variables, before, strict=True
    ):
        np.testing.assert_array_equal(variable.numpy(), value)
