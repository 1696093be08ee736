"""Postings: what they are, where they come from, how they become examples."""

from muse_jobs.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "JobPosting": "muse_jobs.data.postings",
        "language_of": "muse_jobs.data.text",
        "PairMiner": "muse_jobs.data.mining",
        "read_postings": "muse_jobs.data.readers",
        "split_postings": "muse_jobs.data.splits",
        "title_key": "muse_jobs.data.text",
    },
)
