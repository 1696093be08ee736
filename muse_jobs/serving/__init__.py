"""The exported model, its versions, and those who ask it."""

from muse_jobs.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "check_version": "muse_jobs.serving.checking",
        "export_savedmodel": "muse_jobs.serving.savedmodel",
        "JobEncoderClient": "muse_jobs.serving.client",
        "list_versions": "muse_jobs.serving.versions",
        "promote": "muse_jobs.serving.versions",
        "roll_back": "muse_jobs.serving.versions",
        "ServingError": "muse_jobs.serving.transports",
        "SearchEngine": "muse_jobs.serving.engine",
        "SearchIndex": "muse_jobs.serving.index",
        "signature_inputs": "muse_jobs.serving.warmup",
    },
)
