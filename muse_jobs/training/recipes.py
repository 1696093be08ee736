"""What a training run does beyond the choice of data: the paper's way, and ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the ranking task (JT) treats the titles of a batch.

    Attributes:
        name: for reports.
        bidirectional: average the loss of Thai queries and of English queries.
        mask_synonyms: repeats and known synonyms of a title are no negatives of it.
        same_language_negatives: a title stands against titles of its own language too.
    """

    name: str
    bidirectional: bool
    mask_synonyms: bool
    same_language_negatives: bool


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("default", True, True, True),
        Recipe("paper", False, False, False),
    )
}
