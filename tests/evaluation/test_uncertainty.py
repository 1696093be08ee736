import itertools

import numpy as np
import pytest

from muse_jobs.evaluation.uncertainty import bootstrap, permutation_p_value


def test_p_value_is_that_of_all_sign_changes():
    differences = np.array([0.5, 0.2, np.nan, 0.4, -0.1, 0.3])
    clusters = ["a", "a", "b", "c", "d", "e"]
    sums = np.array([0.7, 0.4, -0.1, 0.3])
    changed = [abs(np.dot(s, sums)) for s in itertools.product((1, -1), repeat=4)]
    exact = np.mean(np.array(changed) >= abs(sums.sum()) - 1e-12)
    found = permutation_p_value(differences, clusters, permutations=20_000)
    assert found == pytest.approx(exact, abs=0.02)


def test_equal_systems_do_not_differ():
    assert permutation_p_value(np.zeros(20), range(20)) == 1.0


def test_p_values_of_chance_are_even():
    rng = np.random.default_rng(0)
    values = [
        permutation_p_value(rng.normal(size=40), range(40), permutations=500)
        for _ in range(300)
    ]
    assert np.mean(np.array(values) < 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(values) == pytest.approx(0.5, abs=0.06)


def test_nothing_defined_is_nan():
    nothing = np.full(3, np.nan)
    assert np.isnan(permutation_p_value(nothing, "abc"))
    assert np.isnan(bootstrap(nothing, "abc").mean)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        cluster_means = rng.normal(size=30)
        values = np.repeat(cluster_means, 5) + rng.normal(size=150) * 0.1
        estimate = bootstrap(values, np.repeat(np.arange(30), 5), resamples=400)
        covered += estimate.low <= 0 <= estimate.high
    assert 0.88 < covered / 200 < 0.99


def test_seeds_widen_the_interval_by_what_they_differ():
    rng = np.random.default_rng(3)
    queries = rng.normal(0.5, 0.1, 400)
    clusters = np.arange(400)
    alike = np.stack([queries, queries, queries])
    apart = alike + np.array([[-0.1], [0.0], [0.1]])
    alone = bootstrap(queries, clusters)
    same, wide = bootstrap(alike, clusters), bootstrap(apart, clusters)
    assert same.mean == pytest.approx(alone.mean)
    assert same.high - same.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert wide.mean == pytest.approx(alone.mean)
    # Means of three draws of -0.1, 0, 0.1 have a standard deviation of 0.047.
    assert (wide.high - wide.low) / 2 == pytest.approx(1.96 * 0.047, rel=0.2)
