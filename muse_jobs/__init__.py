"""Thai-English job retrieval on mUSE, and how much language bias is left in it."""

from muse_jobs.lazy import attach

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "evaluate_encoder": "muse_jobs.evaluation.measuring",
        "evaluate_titles": "muse_jobs.evaluation.evaluators",
        "export_savedmodel": "muse_jobs.serving.savedmodel",
        "JobPosting": "muse_jobs.data.postings",
        "lbkl": "muse_jobs.metrics",
        "load_encoder": "muse_jobs.encoder.sources",
        "MultiTaskEncoder": "muse_jobs.training.model",
        "open_benchmark": "muse_jobs.evaluation.benchmarks",
        "read_postings": "muse_jobs.data.readers",
        "recall_at_k": "muse_jobs.metrics",
        "render_report": "muse_jobs.evaluation.report",
        "sample_postings": "muse_jobs.data.sample.generator",
        "split_postings": "muse_jobs.data.splits",
        "text_encoder": "muse_jobs.encoder.encode",
        "title_pool": "muse_jobs.evaluation.evaluators",
    },
)
