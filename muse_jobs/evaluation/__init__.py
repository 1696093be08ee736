"""Retrieval, evaluators, and how sure their figures are."""

from muse_jobs.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "bootstrap": "muse_jobs.evaluation.uncertainty",
        "compare": "muse_jobs.evaluation.comparison",
        "evaluate_postings": "muse_jobs.evaluation.postings",
        "evaluate_retrieval": "muse_jobs.evaluation.sets",
        "evaluate_titles": "muse_jobs.evaluation.evaluators",
        "format_table": "muse_jobs.evaluation.comparison",
        "open_benchmark": "muse_jobs.evaluation.benchmarks",
        "permutation_p_value": "muse_jobs.evaluation.uncertainty",
        "render_report": "muse_jobs.evaluation.report",
        "RetrievalSet": "muse_jobs.evaluation.sets",
        "signs_of_failure": "muse_jobs.evaluation.summary",
        "summarise": "muse_jobs.evaluation.summary",
        "title_pool": "muse_jobs.evaluation.evaluators",
        "top_k": "muse_jobs.evaluation.retrieval",
    },
)
