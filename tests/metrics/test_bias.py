import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muse_jobs.errors import InputError
from muse_jobs.metrics import (
    blind_lbkl,
    language_histogram,
    language_shares,
    lbkl,
    one_language_lbkl,
    query_lbkl,
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


@given(st.floats(1e-6, 0.05), st.integers(1, 20))
def test_only_p_against_q_passes_ln_2(epsilon, k):
    """An even truth, an answer in one language: the paper reports 1.20."""
    languages = ["th"] * 20 + ["en"]
    sample = [[*range(20)]], [[0, 20]], languages
    forward = lbkl(*sample, k=k, epsilon=epsilon)
    backward = lbkl(*sample, k=k, epsilon=epsilon, direction="Q||P")
    assert forward > math.log(2)
    assert backward == pytest.approx(math.log(2))
    assert backward <= math.log(2) + 1e-12


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


@given(pools(), st.integers(1, 12), st.randoms(use_true_random=False))
def test_the_order_of_the_pool_is_of_no_matter(pool, k, rng):
    languages, ranked, relevant, own = pool
    order = list(range(len(languages)))
    rng.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    moved_languages = [languages[old] for old in order]
    moved_ranked = [[place[e] for e in row] for row in ranked]
    moved_relevant = [[place[e] for e in wanted] for wanted in relevant]
    moved_own = [place[entry] for entry in own]

    def figures(ranked, relevant, entry_languages, own):
        truth = {"relevant": relevant, "languages": entry_languages, "own": own, "k": k}
        yield query_lbkl(ranked, **truth)
        yield lbkl(ranked, **truth, aggregate="pooled")
        yield blind_lbkl(**truth)
        yield one_language_lbkl(**truth, query_languages=languages)
        if "th" in languages:
            yield language_histogram(ranked, **truth)[0]

    one = figures(ranked, relevant, languages, own)
    other = figures(moved_ranked, moved_relevant, moved_languages, moved_own)
    for here, there in zip(one, other, strict=True):
        np.testing.assert_allclose(here, there)


def even_pool(jobs=60):
    """Each job has two Thai and two English titles."""
    languages = ["th", "th", "en", "en"] * jobs
    relevant = [
        [o for o in range(4 * (q // 4), 4 * (q // 4) + 4) if o != q]
        for q in range(4 * jobs)
    ]
    return languages, relevant, list(range(4 * jobs))


@pytest.mark.parametrize("k", [1, 10, 1000])
@pytest.mark.parametrize("kept", [240, 150], ids=["even", "uneven"])
def test_random_rankings_land_on_the_blind_reference(k, kept):
    languages, relevant, own = even_pool()
    # Uneven: of the later jobs only the Thai titles stay.
    left = [e for e in own if e < 2 * (kept - 120) or languages[e] == "th"]
    place = {entry: new for new, entry in enumerate(left)}
    languages = [languages[entry] for entry in left]
    relevant = [[place[o] for o in relevant[entry] if o in place] for entry in left]
    own = list(range(len(left)))
    assert len(left) == kept
    rng = np.random.default_rng(99)
    rows = [
        query_lbkl(
            [rng.permutation(kept) for _ in own], relevant, languages, own=own, k=k
        )
        for _ in range(5)
    ]
    values = np.concatenate(rows)
    blind = blind_lbkl(relevant, languages, own=own, k=k)
    error = values.std() * math.sqrt(1 / len(values) + 1 / (20 * kept))
    assert abs(values.mean() - blind) <= 4 * error + 1e-12


def test_the_blind_reference_is_seeded_noise():
    languages, relevant, own = even_pool()
    blind = blind_lbkl(relevant, languages, own=own)
    assert blind == blind_lbkl(relevant, languages, own=own)
    assert blind != blind_lbkl(relevant, languages, own=own, seed=1)
    assert 0.02 < blind < 0.1
    assert blind_lbkl(relevant, languages, own=own, k=1) > 1.5  # why k is not small


def test_the_blind_reference_of_small_pools():
    assert math.isnan(blind_lbkl([[1]], ["und", "mixed"], own=[0]))
    assert math.isnan(blind_lbkl([[]], ["th", "en"], own=[0]))
    assert math.isnan(blind_lbkl([[0]], ["th"], own=[0]))  # no results are left
    assert blind_lbkl([[1], [0]], ["th", "th"], own=[0, 1]) == 0
    # One result, always English: P is even.
    expected = kl((0.5, 0.5), (1.01 / 1.02, 0.01 / 1.02))
    assert blind_lbkl([[1]], ["th", "en"], own=[0]) == pytest.approx(expected)
    assert blind_lbkl([[0, 1]], ["th", "en"], k=9) == pytest.approx(0)


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


@pytest.mark.parametrize("k", [3, 10])
def test_an_oracle_falls_below_blind(k):
    """Its relevant entries come first, as many as k = 3; what follows is random."""
    languages, relevant, own = even_pool()
    rng = np.random.default_rng(5)
    ranked = [[*wanted, *rng.permutation(len(own))] for wanted in relevant]
    blind = blind_lbkl(relevant, languages, own=own, k=k)
    assert recall_at_k(ranked, relevant, k=k) == 1
    assert lbkl(ranked, relevant, languages, own=own, k=k) < blind


@pytest.mark.parametrize("seed", range(3))
def test_a_language_offset_raises_lbkl_and_nothing_within_a_language(seed):
    """Unit vectors, topic and noise; then one direction that tells the language.

    The offset stands at a right angle to all else: within one language every score
    changes in the same way, and no ranking does.
    """
    languages, relevant, own = even_pool()
    rng = np.random.default_rng(seed)
    topics = np.repeat(rng.normal(size=(len(own) // 4, 24)), 4, axis=0)
    vectors = topics + 1.4 * rng.normal(size=topics.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    signs = np.where(np.array(languages) == "th", 1.0, -1.0)[:, None]

    def ranked_at(offset):
        moved = np.hstack([vectors, offset * signs])
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        return np.argsort(-(moved @ moved.T), axis=1, kind="stable")

    def within_languages(ranked):
        """Recall@10 of Thai in Thai, English in English, and across."""
        for asked in ("th", "en"):
            for pool in ("th", "en"):
                rows = [q for q in own if languages[q] == asked]
                lists = [
                    [e for e in ranked[q] if languages[e] == pool and e != q]
                    for q in rows
                ]
                wanted = [
                    [e for e in relevant[q] if languages[e] == pool] for q in rows
                ]
                yield recall_at_k(lists, wanted, k=10)

    rankings = [ranked_at(offset) for offset in (0, 0.2, 0.3, 0.4, 2)]
    values = [lbkl(ranked, relevant, languages, own=own) for ranked in rankings]
    assert (np.diff(values) > 0).all()
    assert values[0] < blind_lbkl(relevant, languages, own=own) + 0.02
    ceiling = one_language_lbkl(relevant, languages, languages, own=own)
    assert values[-1] == pytest.approx(ceiling)
    fair = list(within_languages(rankings[0]))
    assert 0.5 < min(fair) and max(fair) < 1
    for ranked in rankings[1:]:
        assert list(within_languages(ranked)) == fair


def test_copies_of_one_text_have_defined_values():
    """All scores tie, so that every list is the order of the pool."""
    languages, relevant, own = even_pool(jobs=5)
    vectors = np.ones((len(own), 4)) / 2
    ranked = np.argsort(-(vectors @ vectors.T), axis=1, kind="stable")
    np.testing.assert_array_equal(ranked, [own] * len(own))
    p, q, names = language_shares(ranked, relevant, languages, own=own, k=4)
    assert names == ["en", "th"]
    np.testing.assert_allclose(p, 0.5)
    # Two of each language stand first; a query among them makes way for a Thai one.
    np.testing.assert_allclose(q[4:], 0.5)
    np.testing.assert_allclose(q[:4, 1], [0.5, 0.5, 0.75, 0.75])
    expected = 2 * kl((0.5, 0.5), (0.26 / 1.02, 0.76 / 1.02)) / len(own)
    found = lbkl(ranked, relevant, languages, own=own, k=4)
    assert found == pytest.approx(expected)


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


@pytest.mark.parametrize("aggregate", ["query", "pooled"])
def test_a_pool_without_counted_languages_has_no_value(aggregate):
    sample = [[1, 0]], [[1]], ["und", "mixed"]
    assert math.isnan(lbkl(*sample, own=[0], k=1, aggregate=aggregate))


def test_k_beyond_the_pool_counts_what_is_there():
    languages = ["th", "en", "en"]
    whole = lbkl([[0, 1, 2]], [[1]], languages, own=[0], k=2)
    assert lbkl([[0, 1, 2]], [[1]], languages, own=[0], k=99) == whole


def test_an_unknown_direction_is_refused():
    with pytest.raises(InputError, match=r"P\|\|Q or Q\|\|P, received JS"):
        lbkl([[0]], [[0]], ["th"], direction="JS")
