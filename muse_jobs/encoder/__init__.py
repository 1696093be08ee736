"""The text encoder: mUSE natively, and any SavedModel as a layer."""

from muse_jobs.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "adapt": "muse_jobs.encoder.adapters",
        "HubEncoder": "muse_jobs.encoder.hub",
        "load_encoder": "muse_jobs.encoder.sources",
        "MuseEncoder": "muse_jobs.encoder.muse",
        "open_encoder": "muse_jobs.encoder.adapters",
        "text_encoder": "muse_jobs.encoder.encode",
    },
)
