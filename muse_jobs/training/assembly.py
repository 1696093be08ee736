"""A configuration's examples and model: what belongs to which task."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from muse_jobs.training.config import TrainConfig
from muse_jobs.training.heads import FieldHead, MatchingHead, RankingHead
from muse_jobs.training.inputs import Inputs
from muse_jobs.training.model import MultiTaskEncoder
from muse_jobs.training.recipes import Recipe
from muse_jobs.training.tasks import (
    TaskExamples,
    Tokenize,
    field_examples,
    matching_examples,
)
from muse_jobs.training.title_pairs import ranking_examples, synonym_examples


def build_examples(
    config: TrainConfig, recipe: Recipe, inputs: Inputs, tokenize: Tokenize | None
) -> dict[str, TaskExamples]:
    """Task name to its examples, in the order of the cycle.

    Args:
        config: the run's.
        recipe: what the run does.
        inputs: what it is trained on.
        tokenize: the encoder's ``pieces``, see `matching_examples`.

    Raises:
        InputError: the postings have nothing for a task.
    """
    postings = inputs.split.train

    def ranking() -> TaskExamples:
        if recipe.varied_titles:
            return synonym_examples(
                postings,
                inputs.translations,
                description_share=recipe.ranked_descriptions,
                translation_share=config.translation_share,
            )
        return ranking_examples([*postings, *inputs.translations])

    makers = {
        "jt": ranking,
        "jd": lambda: matching_examples(
            postings,
            tokenize=tokenize,
            iou_threshold=config.iou_threshold,
            pair_titles=config.pair_titles,
        ),
        "jf": lambda: field_examples(postings, inputs.labels),
    }
    return {task: makers[task]() for task in config.task_names}


def build_model(
    config: TrainConfig,
    recipe: Recipe,
    encoder: keras.layers.Layer,
    labels: Sequence[str],
) -> MultiTaskEncoder:
    """The encoder with the heads of the chosen tasks, not compiled.

    Args:
        config: the run's.
        recipe: what the run does.
        encoder: the base.
        labels: the job fields, in the order of the jf head.
    """
    dim = encoder.output_dim
    makers = {
        "jt": lambda: RankingHead(recipe, temperature=config.temperature),
        "jd": lambda: MatchingHead(dim),
        "jf": lambda: FieldHead(dim, labels),
    }
    return MultiTaskEncoder(
        encoder,
        [makers[task]() for task in config.task_names],
        max_tokens=config.max_tokens,
        task_weights=config.weights,
    )
