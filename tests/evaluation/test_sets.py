import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from muse_jobs.evaluation import sets
from muse_jobs.evaluation.sets import RetrievalSet, evaluate_retrieval

RNG = np.random.default_rng(0)
JOBS = 12
KINDS = ("th", "th", "en", "en", "mixed")
ROWS = [(f"{job} {kind} {n}", kind, job) for job in range(JOBS) for n, kind in
        enumerate(KINDS)]  # fmt: skip
VECTORS = {text: RNG.normal(size=8) for text, _, _ in ROWS}
POINTS = RNG.normal(size=(JOBS, 8))


def encode(texts):
    vectors = np.stack([VECTORS[t] + POINTS[int(t.split()[0])] for t in texts])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def retrieval_set(rows):
    """Titles of one job are relevant to each other; each is a query and an entry."""
    return RetrievalSet(
        queries=tuple(text for text, _, _ in rows),
        query_languages=tuple(kind for _, kind, _ in rows),
        entries=tuple(text for text, _, _ in rows),
        entry_languages=tuple(kind for _, kind, _ in rows),
        relevant=tuple(
            tuple(e for e, (_, _, j) in enumerate(rows) if j == job and e != q)
            for q, (_, _, job) in enumerate(rows)
        ),
        own=tuple(range(len(rows))),
        clusters=tuple(str(job) for _, _, job in rows),
        translations=((0, 2), (5, 7)),
    )


DATA = retrieval_set(ROWS)


def test_figures_are_those_of_scikit_learn_and_of_counting():
    found = evaluate_retrieval(encode, DATA)
    vectors = encode(DATA.queries).astype(np.float32)
    scores = vectors @ vectors.T
    for query, relevant in enumerate(DATA.relevant):
        others = np.arange(len(ROWS)) != query
        truth = np.isin(np.arange(len(ROWS)), relevant)[others]
        own = scores[query][others]
        assert found.per_query["map"][query] == pytest.approx(
            average_precision_score(truth, own)
        )
        assert found.per_query["ndcg_at_10"][query] == pytest.approx(
            ndcg_score([truth], [own], k=10)
        )
        best = np.argsort(-own, kind="stable")
        expected = truth[best[:10]].sum() / len(relevant)
        assert found.per_query["recall_at_10_combined"][query] == expected
        first = 1 + int(np.flatnonzero(truth[best])[0])
        assert found.per_query["mrr"][query] == pytest.approx(1 / first)


def test_separate_pools_hold_one_language():
    found = evaluate_retrieval(encode, DATA)
    vectors = encode(DATA.queries).astype(np.float32)
    english = np.array([n for n, (_, kind, _) in enumerate(ROWS) if kind == "en"])
    for query, (_, kind, job) in enumerate(ROWS):
        value = found.per_query["recall_at_10_th_en"][query]
        if kind != "th":
            assert np.isnan(value)
            continue
        ranked = english[np.argsort(-(vectors[english] @ vectors[query]))][:10]
        assert value == np.mean([e in ranked for e in english if ROWS[e][2] == job])


def test_small_chunks_change_nothing(monkeypatch):
    whole = evaluate_retrieval(encode, DATA)
    monkeypatch.setattr(sets, "SCORES_AT_ONCE", 7 * len(ROWS))
    parts = evaluate_retrieval(encode, DATA)
    np.testing.assert_array_equal(whole.top, parts.top)
    for name, values in whole.per_query.items():
        np.testing.assert_allclose(values, parts.per_query[name], atol=1e-12)


def test_the_order_of_the_pool_changes_nothing():
    order = np.random.default_rng(1).permutation(len(ROWS))
    shuffled = retrieval_set([ROWS[n] for n in order])
    one = evaluate_retrieval(encode, DATA).figures
    other = evaluate_retrieval(encode, shuffled).figures
    for name, value in one.items():
        if name != "mrc":  # of other pairs
            assert other[name] == pytest.approx(value, abs=0.01), name


@pytest.mark.parametrize("rows", [ROWS[:10] * 2, ROWS[:2], ROWS[2:4]])
def test_duplicated_texts_and_one_language_are_defined(rows):
    found = evaluate_retrieval(encode, retrieval_set_without_translations(rows))
    assert np.isfinite(found.figures["recall_at_10_combined"])
    assert np.isfinite(found.figures["lbkl"])


def test_identical_vectors_rank_by_the_pool():
    found = evaluate_retrieval(lambda texts: np.ones((len(texts), 4)) / 2, DATA)
    assert found.top[30, 0] == 0
    assert 0 <= found.figures["recall_at_10_combined"] <= 1


def retrieval_set_without_translations(rows):
    import dataclasses

    return dataclasses.replace(retrieval_set(rows), translations=())


def test_a_preference_for_the_own_language_moves_it_up_and_no_other():
    data = RetrievalSet(
        queries=("ก", "a"),
        query_languages=("th", "en"),
        entries=("ข", "b", "ค", "c"),
        entry_languages=("th", "en", "th", "en"),
        relevant=((0, 1), (0, 1)),
        own=(-1, -1),
        clusters=("1", "2"),
    )
    angle = {"ก": 0.0, "a": 0.0, "b": 0.1, "ข": 0.2, "c": 0.3, "ค": 0.4}

    def encode(texts):
        return np.array([(np.cos(angle[t]), np.sin(angle[t])) for t in texts])

    # By the angle alone: b, ข, c, ค for both queries.
    for preference, thai, english in (
        (0.0, [1, 0, 3, 2], [1, 0, 3, 2]),
        (0.5, [0, 2, 1, 3], [1, 3, 0, 2]),
        (-0.5, [1, 3, 0, 2], [0, 2, 1, 3]),
    ):
        found = evaluate_retrieval(encode, data, own_language=preference)
        assert found.top.tolist() == [thai, english]
        assert found.figures["recall_at_10_th_th"] == 1.0
