"""Thai-English job retrieval on mUSE, and how much language bias is left in it."""

from typing import TYPE_CHECKING

from muse_jobs.lazy import attach

__version__ = "0.1.0"

if TYPE_CHECKING:  # the same names, for type checkers
    from muse_jobs.data.postings import JobPosting as JobPosting
    from muse_jobs.data.readers import read_postings as read_postings
    from muse_jobs.data.sample.generator import sample_postings as sample_postings
    from muse_jobs.data.splits import split_postings as split_postings
    from muse_jobs.encoder.encode import text_encoder as text_encoder
    from muse_jobs.encoder.sources import load_encoder as load_encoder
    from muse_jobs.evaluation.benchmarks import open_benchmark as open_benchmark
    from muse_jobs.evaluation.evaluators import evaluate_titles as evaluate_titles
    from muse_jobs.evaluation.evaluators import title_pool as title_pool
    from muse_jobs.evaluation.measuring import evaluate_encoder as evaluate_encoder
    from muse_jobs.evaluation.report import render_report as render_report
    from muse_jobs.metrics.bias import lbkl as lbkl
    from muse_jobs.metrics.ranking import recall_at_k as recall_at_k
    from muse_jobs.serving.savedmodel import export_savedmodel as export_savedmodel
    from muse_jobs.training.model import MultiTaskEncoder as MultiTaskEncoder

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "evaluate_encoder": "muse_jobs.evaluation.measuring",
        "evaluate_titles": "muse_jobs.evaluation.evaluators",
        "export_savedmodel": "muse_jobs.serving.savedmodel",
        "JobPosting": "muse_jobs.data.postings",
        "lbkl": "muse_jobs.metrics.bias",
        "load_encoder": "muse_jobs.encoder.sources",
        "MultiTaskEncoder": "muse_jobs.training.model",
        "open_benchmark": "muse_jobs.evaluation.benchmarks",
        "read_postings": "muse_jobs.data.readers",
        "recall_at_k": "muse_jobs.metrics.ranking",
        "render_report": "muse_jobs.evaluation.report",
        "sample_postings": "muse_jobs.data.sample.generator",
        "split_postings": "muse_jobs.data.splits",
        "text_encoder": "muse_jobs.encoder.encode",
        "title_pool": "muse_jobs.evaluation.evaluators",
    },
)
