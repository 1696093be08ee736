"""Tasks, losses, heads, the model and a run of it."""

from muse_jobs.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "cycle_batches": "muse_jobs.training.tasks",
        "field_examples": "muse_jobs.training.tasks",
        "FieldHead": "muse_jobs.training.heads",
        "FusedAdam": "muse_jobs.training.optimizers",
        "matching_examples": "muse_jobs.training.tasks",
        "MatchingHead": "muse_jobs.training.heads",
        "MultiTaskEncoder": "muse_jobs.training.model",
        "ranking_examples": "muse_jobs.training.title_pairs",
        "RankingHead": "muse_jobs.training.heads",
        "TrainConfig": "muse_jobs.training.config",
    },
)
