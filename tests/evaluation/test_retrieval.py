import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muse_jobs.evaluation import retrieval
from muse_jobs.evaluation.retrieval import top_k


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
    expected = np.argsort(-(q @ p.T), axis=1, kind="stable")[:, :k]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "QUERY_CHUNK", 7)
        patch.setattr(retrieval, "POOL_CHUNK", 11)
        np.testing.assert_array_equal(top_k(q, p, k), expected)
    np.testing.assert_array_equal(top_k(q, p, k), expected)


def test_identical_vectors_come_in_the_order_of_the_pool():
    same = np.ones((5, 4), np.float32)
    np.testing.assert_array_equal(top_k(same[:2], same, 3), [[0, 1, 2]] * 2)
