import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muse_jobs.metrics import (
    accuracy_at_k,
    blind_lbkl,
    language_histogram,
    lbkl,
    one_language_lbkl,
    query_lbkl,
    query_recall_at_k,
    recall_at_k,
)


@st.composite
def pools(draw):
    """A pool of titles that are all queries: languages, jobs, and a full ranking."""
    size = draw(st.integers(4, 14))
    languages = draw(
        st.lists(
            st.sampled_from(["th", "en", "mixed", "und"]), min_size=size, max_size=size
        )
    )
    jobs = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    ranked = np.stack([rng.permutation(size) for _ in range(size)])
    relevant = [
        [o for o in range(size) if o != q and jobs[o] == jobs[q]] for q in range(size)
    ]
    return languages, ranked, relevant, list(range(size))


def test_recall_by_hand():
    ranked = [[3, 1, 2], [0, 4, 1], [2, 0, 1]]
    relevant = [{1, 2}, {3}, set()]
    # 1 of 2 among the first two; none of 1; no relevant entry: left out
    np.testing.assert_array_equal(
        query_recall_at_k(ranked, relevant, k=2), [0.5, 0.0, np.nan]
    )
    assert recall_at_k(ranked, relevant, k=2) == 0.25
    assert recall_at_k(ranked, relevant, k=99) == 0.5
    assert accuracy_at_k(ranked, relevant, k=2) == 0.5
    assert math.isnan(recall_at_k([[0]], [[]], k=1))


def test_k_below_one_is_refused():
    with pytest.raises(ValueError, match="k of 1 or more, received 0"):
        recall_at_k([[0]], [[0]], k=0)


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a)


def test_lbkl_by_hand():
    """Six titles, two jobs of two Thai and one English title each.

    Query 0 (Thai): its group is itself, 1 and 2, so P = (en 1/3, th 2/3). Its first two
    results, itself left out, are 1 (th) and 3 (th): Q = (0, 1), smoothed by 0.01 a
    language to (0.01, 1.01) / 1.02.
    """
    languages = ["th", "th", "en", "th", "th", "en"]
    ranked = [[0, 1, 3, 2, 4, 5]]
    found = lbkl(ranked, [[1, 2]], languages, own=[0], k=2)
    expected = kl((1 / 3, 2 / 3), (0.01 / 1.02, 1.01 / 1.02))
    assert found == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(0.9117, abs=1e-4)


def test_direction_one_language_against_an_even_truth():
    languages, ranked = ["th", "th", "en", "en"], [[1, 0, 2, 3]]
    forward = lbkl(ranked, [[0, 2]], languages, k=2)
    backward = lbkl(ranked, [[0, 2]], languages, k=2, direction="Q||P")
    assert forward == pytest.approx(kl((0.5, 0.5), (0.01 / 1.02, 1.01 / 1.02)))
    assert forward > math.log(2) >= backward


def test_mixed_titles_are_passed_over_when_the_top_k_is_taken():
    languages = ["th", "mixed", "en", "und", "th"]
    with_mixed = lbkl([[0, 1, 3, 2, 4]], [[4, 2]], languages, own=[0], k=2)
    without = lbkl([[0, 2, 4]], [[4, 2]], languages, own=[0], k=2)
    assert with_mixed == without
    mixed_query = query_lbkl([[0, 1, 2, 3, 4]], [[0, 2]], languages, own=[1], k=2)
    assert np.isnan(mixed_query).all()


def test_an_overshoot_costs_as_a_preference_does():
    """With the query in P an even group is even: 7 of 10 either way is worse."""
    languages = ["th"] * 10 + ["en"] * 10
    relevant = [list(range(1, 20))]

    def value(own_language):
        results = [*range(1, 1 + own_language), *range(10, 20 - own_language)]
        return lbkl([[0, *results]], relevant, languages, own=[0], k=10)

    assert value(5) < value(3) and value(5) < value(7)
    assert value(3) == pytest.approx(value(7), rel=1e-9)


def test_a_pool_of_one_language_has_no_bias():
    assert lbkl([[1, 2], [0, 2]], [[1], [0]], ["th"] * 3, own=[0, 1], k=2) == 0


def test_pooled_shares_hide_what_cancels():
    languages = ["th", "en", "th", "en"]
    ranked = [[2, 1, 3], [3, 0, 2]]
    relevant = [[1], [0]]
    each = lbkl(ranked, relevant, languages, own=[0, 1], k=1)
    pooled = lbkl(ranked, relevant, languages, own=[0, 1], k=1, aggregate="pooled")
    assert each == pytest.approx(pooled)  # one query a language: the same
    ranked += [[1, 3, 2], [0, 2, 3]]
    relevant += [[1], [0]]
    own = [0, 1, 2, 3]
    each = lbkl(ranked, relevant, languages, own=own, k=1)
    pooled = lbkl(ranked, relevant, languages, own=own, k=1, aggregate="pooled")
    assert pooled < 0.01 < each


@given(pools(), st.integers(1, 12), st.sampled_from(["P||Q", "Q||P"]))
def test_lbkl_is_never_negative_and_bounded(pool, k, direction):
    languages, ranked, relevant, own = pool
    values = query_lbkl(ranked, relevant, languages, own=own, k=k, direction=direction)
    defined = values[~np.isnan(values)]
    assert (defined >= 0).all()
    assert (defined <= math.log(1.02 / 0.01) + 1e-9).all()


@given(pools(), st.randoms(use_true_random=False))
def test_lbkl_and_recall_do_not_depend_on_the_order_of_the_pool(pool, rng):
    languages, ranked, relevant, own = pool
    order = list(range(len(languages)))
    rng.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    moved_languages = [languages[old] for old in order]
    moved_ranked = [[place[e] for e in ranked[q]] for q in range(len(order))]
    moved_relevant = [[place[e] for e in relevant[q]] for q in range(len(order))]
    moved_own = [place[q] for q in own]
    np.testing.assert_allclose(
        query_lbkl(ranked, relevant, languages, own=own, k=3),
        query_lbkl(moved_ranked, moved_relevant, moved_languages, own=moved_own, k=3),
    )
    np.testing.assert_allclose(
        query_recall_at_k(ranked, relevant, k=3),
        query_recall_at_k(moved_ranked, moved_relevant, k=3),
    )


def even_pool(jobs=60):
    """Each job has two Thai and two English titles."""
    languages = ["th", "th", "en", "en"] * jobs
    relevant = [
        [o for o in range(4 * (q // 4), 4 * (q // 4) + 4) if o != q]
        for q in range(4 * jobs)
    ]
    return languages, relevant, list(range(4 * jobs))


def test_random_rankings_land_on_the_blind_reference():
    languages, relevant, own = even_pool()
    blind = blind_lbkl(relevant, languages, own=own, k=10, repeats=30)
    rng = np.random.default_rng(99)
    ranked = [rng.permutation(len(own)) for _ in own]
    values = query_lbkl(ranked, relevant, languages, own=own, k=10)
    error = values.std() / math.sqrt(len(values))
    assert abs(values.mean() - blind) < 4 * error
    assert 0.02 < blind < 0.1


def test_one_language_first_lands_on_the_ceiling():
    languages, relevant, own = even_pool()
    ranked = [
        sorted(own, key=lambda entry: languages[entry] != languages[query])
        for query in own
    ]
    expected = kl((0.5, 0.5), (0.01 / 1.02, 1.01 / 1.02))
    ceiling = one_language_lbkl(relevant, languages, languages, own=own, k=10)
    assert lbkl(ranked, relevant, languages, own=own, k=10) == pytest.approx(expected)
    assert ceiling == pytest.approx(expected)
    assert expected == pytest.approx(1.62, abs=0.005)


def test_perfect_pairing_falls_below_blind():
    languages, relevant, own = even_pool()
    blind = blind_lbkl(relevant, languages, own=own, k=3)
    assert lbkl(relevant, relevant, languages, own=own, k=3) < blind


def test_histogram_counts_queries_by_their_share_of_thai():
    languages = ["th", "th", "en", "en"]
    ranked = [[0, 1], [2, 3], [0, 2]]
    counts, shares = language_histogram(ranked, [[0]] * 3, languages, k=2)
    np.testing.assert_array_equal(counts, [1, 1, 1])
    np.testing.assert_allclose(shares, [0, 0.5, 1])
    with pytest.raises(ValueError, match="en, th"):
        language_histogram(ranked, [[0]] * 3, languages, language="fr")


def test_histogram_of_ten_puts_every_share_in_its_own_bin():
    languages = ["th"] * 10 + ["en"] * 10
    ranked = [[*range(n), *range(10, 20 - n)] for n in range(11)]
    counts, _ = language_histogram(ranked, [[0]] * 11, languages, k=10)
    np.testing.assert_array_equal(counts, [1] * 11)


def test_queries_without_relevant_entries_do_not_count():
    """Else a list of the query's own language would look fair to a title alone."""
    languages = ["th", "th", "en", "en"]
    ranked = [[1, 0], [0, 1], [3, 2], [2, 3]]
    relevant = [[], [], [3], [2]]
    values = query_lbkl(ranked, relevant, languages, own=[0, 1, 2, 3], k=1)
    np.testing.assert_array_equal(np.isnan(values), [True, True, False, False])


def test_the_ceiling_passes_mixed_titles_over():
    languages = ["th"] * 5 + ["mixed"] * 8 + ["en"] * 20
    ranked = [[*range(1, 5), *range(5, 13), *range(13, 33)]]
    relevant = [[1, 13, 14]]
    expected = lbkl(ranked, relevant, languages, own=[0], k=10)
    found = one_language_lbkl(relevant, languages, ["th"], own=[0], k=10)
    assert found == pytest.approx(expected)


def test_a_pool_without_counted_languages_has_no_value():
    assert math.isnan(lbkl([[1, 0]], [[1]], ["und", "mixed"], own=[0], k=1))
