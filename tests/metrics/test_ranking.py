import math

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from muse_jobs import metrics
from muse_jobs.metrics import (
    accuracy_at_k,
    mean_average_precision,
    mrr,
    ndcg_at_k,
    query_accuracy_at_k,
    query_average_precision,
    query_ndcg_at_k,
    query_r_precision,
    query_recall_at_k,
    query_reciprocal_rank,
    r_precision,
    recall_at_k,
)

# Each with what trec_eval calls it.
MEASURES = {
    "recall.3": lambda ranked, relevant: query_recall_at_k(ranked, relevant, k=3),
    "success.3": lambda ranked, relevant: query_accuracy_at_k(ranked, relevant, k=3),
    "recip_rank": query_reciprocal_rank,
    "map": query_average_precision,
    "ndcg_cut.3": lambda ranked, relevant: query_ndcg_at_k(ranked, relevant, k=3),
    "Rprec": query_r_precision,
}
MEANS = {
    "recall.3": lambda ranked, relevant: recall_at_k(ranked, relevant, k=3),
    "success.3": lambda ranked, relevant: accuracy_at_k(ranked, relevant, k=3),
    "recip_rank": mrr,
    "map": mean_average_precision,
    "ndcg_cut.3": lambda ranked, relevant: ndcg_at_k(ranked, relevant, k=3),
    "Rprec": r_precision,
}


@st.composite
def rankings(draw, smallest=1, cut=False):
    """Rankings of a pool, and relevant entries of each query, of some none."""
    size = draw(st.integers(smallest, 12))
    pool = list(range(size))
    ranked, relevant = [], []
    for _ in range(draw(st.integers(1, 5))):
        depth = draw(st.integers(0, size)) if cut else size
        ranked.append(draw(st.permutations(pool))[:depth])
        relevant.append(draw(st.sets(st.sampled_from(pool))))
    return ranked, relevant


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


def test_a_ranking_by_hand():
    """Relevant entries at ranks 2 and 4 of five, and a third that the list lacks."""
    ranked, relevant = [[7, 1, 5, 2, 6]], [[1, 2, 3]]
    assert mrr(ranked, relevant) == 1 / 2
    assert mean_average_precision(ranked, relevant) == (1 / 2 + 2 / 4 + 0) / 3
    assert r_precision(ranked, relevant) == pytest.approx(1 / 3)
    # 1 / log2(1 + rank): rank 2 alone, of ranks 1 and 2 at best
    best = 1 + 1 / math.log2(3)
    expected = (1 / math.log2(3)) / best
    assert ndcg_at_k(ranked, relevant, k=2) == pytest.approx(expected)


@given(rankings(cut=True))
def test_trec_eval_agrees(sample):
    ranked, relevant = sample
    # A query without results is none to trec_eval; here it has the value 0.
    asked = [q for q in range(len(ranked)) if relevant[q] and ranked[q]]
    truth = {str(q): {str(entry): 1 for entry in relevant[q]} for q in asked}
    run = {
        str(q): {str(e): -float(place) for place, e in enumerate(ranked[q])}
        for q in asked
    }
    expected = pytrec_eval.RelevanceEvaluator(truth, set(MEASURES)).evaluate(run)
    for name, measure in MEASURES.items():
        found = measure(ranked, relevant)
        for query, value in enumerate(found):
            if query in asked:
                theirs = expected[str(query)][name.replace(".", "_")]
                assert value == pytest.approx(theirs, abs=1e-12), name
            else:
                assert math.isnan(value) if not relevant[query] else value == 0, name
        mean = MEANS[name](ranked, relevant)
        defined = [value for value in found if not math.isnan(value)]
        if defined:
            assert mean == pytest.approx(sum(defined) / len(defined)), name
        else:
            assert math.isnan(mean), name


@given(rankings(smallest=2), st.integers(1, 15))
def test_scikit_learn_agrees(sample, k):
    ranked, relevant = sample
    gains = query_ndcg_at_k(ranked, relevant, k=k)
    precisions = query_average_precision(ranked, relevant)
    for query, list_ in enumerate(ranked):
        if not relevant[query]:
            continue
        truth = np.isin(np.arange(len(list_)), list(relevant[query]))
        scores = np.empty(len(list_))
        scores[list_] = np.arange(len(list_), 0, -1)
        assert gains[query] == pytest.approx(ndcg_score([truth], [scores], k=k))
        assert precisions[query] == pytest.approx(
            average_precision_score(truth, scores)
        )


@given(rankings(), st.integers(0, 10))
def test_a_relevant_entry_that_moves_up_lowers_nothing(sample, place):
    ranked, relevant = sample
    moved = []
    for list_, wanted in zip(ranked, relevant, strict=True):
        list_ = list(list_)
        if place + 1 < len(list_) and list_[place + 1] in wanted:
            list_[place : place + 2] = list_[place + 1], list_[place]
        moved.append(list_)
    for name, measure in MEASURES.items():
        before, after = measure(ranked, relevant), measure(moved, relevant)
        defined = ~np.isnan(before)
        assert (after[defined] >= before[defined] - 1e-12).all(), name
        assert ((before[defined] >= 0) & (before[defined] <= 1 + 1e-12)).all(), name


@given(rankings())
def test_an_oracle_has_all_that_can_be_had(sample):
    ranked, relevant = sample
    oracle = [
        sorted(list_, key=lambda entry: entry not in wanted)
        for list_, wanted in zip(ranked, relevant, strict=True)
    ]
    for name, measure in MEASURES.items():
        values = measure(oracle, relevant)
        best = [
            math.nan
            if not wanted
            else min(1, 3 / len(wanted))
            if name == "recall.3"
            else 1
            for wanted in relevant
        ]
        np.testing.assert_allclose(values, best, err_msg=name)


@given(rankings(cut=True), st.randoms(use_true_random=False))
def test_the_order_of_the_pool_is_of_no_matter(sample, rng):
    ranked, relevant = sample
    name_of = list(range(12))
    rng.shuffle(name_of)
    moved = [[name_of[entry] for entry in list_] for list_ in ranked]
    wanted = [{name_of[entry] for entry in entries} for entries in relevant]
    for name, measure in MEASURES.items():
        np.testing.assert_array_equal(
            measure(ranked, relevant), measure(moved, wanted), err_msg=name
        )


def test_an_entry_that_stands_twice_counts_once():
    ranked, relevant = [[1, 1, 2, 3]], [[1, 1, 2]]
    assert query_recall_at_k(ranked, relevant, k=2) == [0.5]
    # ranks 1 and 2 of the list 1, 2, 3
    assert query_average_precision(ranked, relevant) == [1]


def test_arrays_serve_as_lists_do():
    ranked, relevant = np.array([[2, 0, 1], [1, 2, 0]]), np.array([[0, 1], [0, 2]])
    for name, measure in MEASURES.items():
        np.testing.assert_array_equal(
            measure(ranked, relevant),
            measure(ranked.tolist(), [set(row) for row in relevant.tolist()]),
            err_msg=name,
        )


@pytest.mark.parametrize("metric", [recall_at_k, accuracy_at_k, ndcg_at_k])
def test_k_below_one_is_refused(metric):
    with pytest.raises(ValueError, match="k of 1 or more, received 0"):
        metric([[0]], [[0]], k=0)


def test_as_many_lists_as_truths():
    with pytest.raises(ValueError, match="shorter"):
        mrr([[0], [0]], [[0]])


def test_every_name_that_is_handed_on_is_there():
    for name in metrics.__all__:
        assert getattr(metrics, name).__doc__, name
