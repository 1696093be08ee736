import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muse_jobs.evaluation import retrieval
from muse_jobs.evaluation.retrieval import top_k


def brute_force(queries, pool, k):
    """All scores at once, in float64, and a stable sort of each row."""
    scores = queries.astype(np.float64) @ pool.T.astype(np.float64)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(retrieval, "QUERY_CHUNK", 7)
    monkeypatch.setattr(retrieval, "POOL_CHUNK", 11)


@given(
    st.integers(1, 40),
    st.integers(1, 60),
    st.integers(1, 70),
    st.integers(1, 9),
    st.integers(0, 5),
)
def test_equals_a_stable_argsort_in_any_chunks(queries, pool, k, values, seed):
    """Few distinct values make many ties: the first entry is ranked first."""
    rng = np.random.default_rng(seed)
    # Integers: sums of products are exact, so that ties are ties in any chunking.
    q = rng.integers(-values, values + 1, (queries, 3)).astype(np.float32)
    p = rng.integers(-values, values + 1, (pool, 3)).astype(np.float32)
    expected = brute_force(q, p, k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "QUERY_CHUNK", 7)
        patch.setattr(retrieval, "POOL_CHUNK", 11)
        np.testing.assert_array_equal(top_k(q, p, k), expected)
    np.testing.assert_array_equal(top_k(q, p, k), expected)


def test_equals_brute_force_over_whole_chunks():
    """Real chunk sizes, more than two of each, and unit vectors without ties."""
    rng = np.random.default_rng(0)
    q, p = (rng.standard_normal((n, 8)) for n in (5000, 9000))
    q, p = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (q, p))
    q, p = q.astype(np.float32), p.astype(np.float32)
    found = top_k(q, p, 10)
    sample = np.arange(0, 5000, 97)
    scores = q[sample].astype(np.float64) @ p.T.astype(np.float64)
    expected = -np.sort(-scores, axis=1)[:, :10]
    np.testing.assert_allclose(
        np.take_along_axis(scores, found[sample], axis=1), expected, atol=1e-6
    )
    assert all(len(set(row)) == 10 for row in found)


@pytest.mark.parametrize("pool", [10, 11, 12, 21, 22, 23])
@pytest.mark.parametrize("queries", [6, 7, 8, 14])
def test_borders_of_chunks(small_chunks, queries, pool):
    """The best entry stands last, then first, then in the middle of the pool."""
    q = np.ones((queries, 1), np.float32)
    p = np.zeros((pool, 1), np.float32)
    p[[pool - 1, 0, pool // 2], 0] = [3, 2, 1]
    expected = [pool - 1, 0, pool // 2, 1]
    np.testing.assert_array_equal(top_k(q, p, 4), [expected] * queries)


@pytest.mark.parametrize("k", [1, 3, 11, 12, 30])
def test_a_pool_in_rising_and_falling_order(small_chunks, k):
    """Rising: every entry passes the threshold of its chunk. Falling: none does."""
    q = np.array([[1], [-1]], np.float32)
    p = np.arange(30, dtype=np.float32)[:, None]
    expected = np.stack([np.arange(30)[::-1], np.arange(30)])[:, :k]
    np.testing.assert_array_equal(top_k(q, p, k), expected)


@pytest.mark.parametrize("k", [3, 11, 13, 40])
def test_identical_vectors_come_in_the_order_of_the_pool(small_chunks, k):
    same = np.ones((40, 4), np.float32)
    np.testing.assert_array_equal(top_k(same[:9], same, k), [range(k)] * 9)


@pytest.mark.parametrize(("queries", "pool", "k"), [(0, 5, 3), (4, 0, 3), (4, 5, 0)])
def test_nothing_asked_and_nothing_there(queries, pool, k):
    found = top_k(np.ones((queries, 2)), np.ones((pool, 2)), k)
    assert found.shape == (queries, min(pool, k))


@pytest.mark.parametrize("k", [5, 6, 1000])
def test_k_beyond_the_pool_ranks_all_of_it(k):
    q = np.array([[1, 0], [0, 1]], np.float32)
    p = np.array([[1, 5], [2, 4], [3, 3], [4, 2], [5, 1]], np.float32)
    np.testing.assert_array_equal(top_k(q, p, k), [[4, 3, 2, 1, 0], [0, 1, 2, 3, 4]])


def test_a_query_that_is_not_a_number_spoils_no_other(small_chunks):
    """Training that has diverged: figures are bad then, but there are some."""
    q = np.array([[np.nan], [1], [np.nan]], np.float32)
    p = np.arange(30, dtype=np.float32)[:, None]
    expected = [[0, 1, 2], [29, 28, 27], [0, 1, 2]]
    np.testing.assert_array_equal(top_k(q, p, 3), expected)
