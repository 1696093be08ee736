"""What a training run does beyond the choice of data: the paper's way, and ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """The ways in which ours differs from the paper's.

    Attributes:
        name: for reports.
        learning_rate: Adam's.
        temperature: of the cosine in jt.
        bidirectional: average the loss of Thai queries and of English queries.
        mask_synonyms: repeats and known synonyms of a title are no negatives of it.
        same_language_negatives: a title stands against titles of its own language too.
        varied_titles: a jt example is two titles of a job, drawn anew each epoch; else
            a posting's own two titles.
        ranked_descriptions: share of the jt pairs that are a description and a title of
            its job, with ``varied_titles``.
        head_learning_rate: Adam's for the JD and JF heads, which start from nothing;
            None: the encoder's.
    """

    name: str
    learning_rate: float
    temperature: float
    bidirectional: bool
    mask_synonyms: bool
    same_language_negatives: bool
    varied_titles: bool
    ranked_descriptions: float
    head_learning_rate: float | None


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("default", 2e-4, 0.07, True, True, True, True, 0.25, 1e-3),
        Recipe("paper", 3e-5, 0.05, False, False, False, False, 0.0, None),
    )
}
