import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from muse_jobs.errors import InputError
from muse_jobs.metrics import (
    max_at_r,
    mean_rank_correlation,
    query_max_at_r,
    query_rank_correlation,
    query_recall_at_k,
    query_tlr_at_k,
    tlr_at_k,
)


@st.composite
def bilingual(draw):
    """Full rankings of a pool of two languages, and queries in both."""
    size = draw(st.integers(1, 12))
    pool = list(range(size))
    queries = draw(st.integers(1, 5))
    language = st.sampled_from(["th", "en"])
    return (
        [draw(st.permutations(pool)) for _ in range(queries)],
        [draw(st.sets(st.sampled_from(pool))) for _ in range(queries)],
        draw(st.lists(language, min_size=size, max_size=size)),
        draw(st.lists(language, min_size=queries, max_size=queries)),
    )


def test_tlr_by_hand():
    languages = ["th", "th", "en", "en", "mixed"]
    # Of entries 2 and 3 the Thai query sees 2 among its first three, at rank 3; its
    # own language's first does not change that. The English one sees 0, not 1.
    ranked = [[0, 1, 2, 4, 3], [0, 4, 2, 1, 3], [0, 1, 2, 3, 4]]
    relevant = [[1, 2, 3, 4], [0, 1, 3], [0, 2]]
    asked = ["th", "en", "und"]
    found = query_tlr_at_k(ranked, relevant, languages, asked, k=3)
    np.testing.assert_array_equal(found, [0.5, 0.5, np.nan])
    assert tlr_at_k(ranked, relevant, languages, asked, k=3) == 0.5
    own_first = [[0, 1, 2, 3, 4]]
    assert tlr_at_k(own_first, relevant[:1], languages, ["th"], k=2) == 0


def test_a_pool_of_one_language_has_no_tlr():
    assert math.isnan(tlr_at_k([[0, 1]], [[1]], ["th", "th"], ["th"], k=2))
    assert tlr_at_k([[0, 1]], [[1]], ["th", "th"], ["en"], k=2) == 1


@given(bilingual(), st.integers(1, 14))
def test_recall_is_made_of_both_languages(sample, k):
    """TLR of the query as if it were in the other language: its own language's part."""
    ranked, relevant, languages, asked = sample
    swapped = ["en" if language == "th" else "th" for language in asked]
    foreign = query_tlr_at_k(ranked, relevant, languages, asked, k=k)
    own = query_tlr_at_k(ranked, relevant, languages, swapped, k=k)
    recall = query_recall_at_k(ranked, relevant, k=k)
    for query, wanted in enumerate(relevant):
        abroad = sum(languages[entry] != asked[query] for entry in wanted)
        at_home = len(wanted) - abroad
        assert math.isnan(foreign[query]) == (not abroad)
        assert math.isnan(own[query]) == (not at_home)
        if wanted:
            parts = np.nan_to_num([foreign[query], own[query]]) @ [abroad, at_home]
            assert parts / len(wanted) == pytest.approx(recall[query])


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (2, 100),  # both relevant entries first
        (4, 50),  # (log2 8 - log2 4) / (log2 8 - log2 2)
        (8, 0),  # the last of all
    ],
)
def test_max_at_r_by_hand(last, expected):
    ranking = list(range(2, 8))
    ranking.insert(0, 0)
    ranking.insert(last - 1, 1)
    assert max_at_r([ranking], [{0, 1}]) == pytest.approx(expected)


@given(bilingual())
def test_max_at_r_agrees_with_its_formula(sample):
    ranked, relevant, *_ = sample
    found = query_max_at_r(ranked, relevant)
    for value, list_, wanted in zip(found, ranked, relevant, strict=True):
        if 0 < len(wanted) < len(list_):
            last = max(list_.index(entry) + 1 for entry in wanted)
            whole = math.log(len(list_))
            expected = (whole - math.log(last)) / (whole - math.log(len(wanted)))
            assert value == pytest.approx(100 * expected, abs=1e-9)
        else:
            assert math.isnan(value)


def test_max_at_r_of_a_cut_list_is_refused():
    with pytest.raises(InputError, match="received one with 1 of 2 relevant"):
        max_at_r([[0, 1, 2], [2, 0]], [[0], [0, 1]])


@given(
    st.integers(1, 4),
    st.integers(2, 12),
    st.integers(1, 12),
    st.integers(0, 999),
)
def test_scipy_agrees_on_rank_correlations(pairs, pool, steps, seed):
    """With few steps scores are tied, with one of them all."""
    rng = np.random.default_rng(seed)
    scores, translated = rng.integers(steps, size=(2, pairs, pool)) / 8
    found = query_rank_correlation(scores, translated)
    for value, row, other in zip(found, scores, translated, strict=True):
        if np.ptp(row) and np.ptp(other):
            expected = spearmanr(row, other).statistic
            assert value == pytest.approx(expected, abs=1e-12)
        else:
            assert math.isnan(value)


def test_rank_correlation_by_hand():
    scores = np.array([[0.9, 0.5, 0.1]])
    same = np.array([[8.0, 7.0, 6.0]])
    # ranks 1 2 3 against 1 3 2: 1 - 6 * (0 + 1 + 1) / (3 * 8)
    turned = np.array([[0.9, 0.1, 0.5]])
    assert mean_rank_correlation(scores, same) == pytest.approx(1)
    assert mean_rank_correlation(scores, -same) == pytest.approx(-1)
    assert mean_rank_correlation(scores, turned) == pytest.approx(0.5)


def test_rank_correlation_of_one_entry_has_no_value():
    assert math.isnan(mean_rank_correlation([[0.3]], [[0.4]]))


def test_rank_correlation_needs_one_pool():
    with pytest.raises(InputError, match=r"received \(1, 3\) and \(1, 2\)"):
        query_rank_correlation(np.ones((1, 3)), np.ones((1, 2)))
