"""Retrieval, classification and language-bias metrics: pure NumPy on ranked lists.

Every function takes ``ranked``, for each query the pool's entries from best to worst,
as indices, and ``relevant``, for each query the indices of the entries that it should
find. Ranked lists may be cut, and may differ in length. A ``query_...`` function gives
one value a query, NaN where it is not defined; the plain one is their mean over the
queries where it is. Ties are the ranking's business: a list is taken in the order that
it has.

docs/metrics.md has the definitions and an example that can be checked by hand.
"""

from muse_jobs.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "accuracy_at_k": "muse_jobs.metrics.ranking",
        "blind_lbkl": "muse_jobs.metrics.bias",
        "language_histogram": "muse_jobs.metrics.bias",
        "language_shares": "muse_jobs.metrics.bias",
        "lbkl": "muse_jobs.metrics.bias",
        "max_at_r": "muse_jobs.metrics.crossing",
        "mean_average_precision": "muse_jobs.metrics.ranking",
        "mean_of_defined": "muse_jobs.metrics.ranking",
        "mean_rank_correlation": "muse_jobs.metrics.crossing",
        "mrr": "muse_jobs.metrics.ranking",
        "ndcg_at_k": "muse_jobs.metrics.ranking",
        "NOT_COUNTED": "muse_jobs.metrics.crossing",
        "one_language_lbkl": "muse_jobs.metrics.bias",
        "query_accuracy_at_k": "muse_jobs.metrics.ranking",
        "query_average_precision": "muse_jobs.metrics.ranking",
        "query_lbkl": "muse_jobs.metrics.bias",
        "query_max_at_r": "muse_jobs.metrics.crossing",
        "query_ndcg_at_k": "muse_jobs.metrics.ranking",
        "query_r_precision": "muse_jobs.metrics.ranking",
        "query_rank_correlation": "muse_jobs.metrics.crossing",
        "query_recall_at_k": "muse_jobs.metrics.ranking",
        "query_reciprocal_rank": "muse_jobs.metrics.ranking",
        "query_tlr_at_k": "muse_jobs.metrics.crossing",
        "r_precision": "muse_jobs.metrics.ranking",
        "recall_at_k": "muse_jobs.metrics.ranking",
        "tlr_at_k": "muse_jobs.metrics.crossing",
    },
)
