"""The shipped sample corpus: a role lexicon and the generator of postings."""

from muse_jobs.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "load_lexicon": "muse_jobs.data.sample.lexicon",
        "sample_postings": "muse_jobs.data.sample.generator",
    },
)
