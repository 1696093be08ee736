"""The exported model."""

from muse_jobs.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "export_savedmodel": "muse_jobs.serving.savedmodel",
        "versions": "muse_jobs.serving.savedmodel",
    },
)
