"""JT's examples: pairs of titles, the paper's way and ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.splits import job_groups
from muse_jobs.data.text import title_key
from muse_jobs.errors import InputError
from muse_jobs.training.tasks import TaskExamples


def ranking_examples(postings: Sequence[JobPosting]) -> TaskExamples:
    """JT: the (Thai title, English title) pairs, each distinct pair once an epoch.

    Args:
        postings: those with both titles are used.

    Raises:
        InputError: none has both titles.
    """
    pairs: dict[tuple[str, str], tuple[str, str, str]] = {}
    for posting, group in zip(postings, job_groups(postings), strict=True):
        if posting.title_th and posting.title_en:
            key = title_key(posting.title_th), title_key(posting.title_en)
            pairs.setdefault(key, (posting.title_th, posting.title_en, group))
    if not pairs:
        raise InputError(
            "task jt needs postings with a Thai and an English title, and none of the "
            "training postings has both: add title_th and title_en, or leave jt out "
            "(--tasks jd,jf)"
        )
    thai, english, groups = zip(*pairs.values(), strict=True)
    rows = np.arange(len(pairs), dtype=np.int32)

    def draw(rng: np.random.Generator) -> np.ndarray:
        order = rng.permutation(rows)
        return np.stack([order, len(pairs) + order])

    return _title_pairs(len(pairs), draw, [*thai, *english], [*groups, *groups])


def synonym_examples(
    postings: Sequence[JobPosting],
    translations: Sequence[JobPosting] = (),
    *,
    same_language: float = 0.25,
    description_share: float = 0.25,
    translation_share: float = 0.25,
) -> TaskExamples:
    """JT, ours: two texts of a job, drawn anew each epoch, and general translations.

    A job gives one pair of titles an epoch, so that a job with many titles does not
    outweigh the others and its titles vary from epoch to epoch. Further pairs are a
    description with a title of its job, and translations.

    Args:
        postings: all titles of a job (`job_groups`) are its synonyms, also those of
            postings with one title.
        translations: further pairs, such as general parallel text.
        same_language: share of the title pairs whose two titles are of one language,
            where the job has them.
        description_share: of an epoch's pairs, where there are descriptions.
        translation_share: of an epoch's pairs, where there are translations.

    Raises:
        InputError: no job has two titles.
    """
    names = job_groups(postings)
    titles: dict[str, dict[str, dict[str, str]]] = {}
    for posting, group in zip(postings, names, strict=True):
        own = titles.setdefault(group, {"th": {}, "en": {}})
        for language, title in (("th", posting.title_th), ("en", posting.title_en)):
            if title:
                own[language].setdefault(title_key(title), title)
    texts: list[str] = []
    groups: list[str] = []
    place_of: dict[str, tuple[int, int, int]] = {}  # first title, Thai, English ones
    for group, own in titles.items():
        thai, english = own["th"].values(), own["en"].values()
        place_of[group] = len(texts), len(thai), len(english)
        texts += [*thai, *english]
        groups += [group] * (len(thai) + len(english))
    jobs = np.array([place for place in place_of.values() if sum(place[1:]) > 1])
    if not len(jobs):
        raise InputError(
            "task jt needs jobs with two titles or more, and none of the training "
            "postings' jobs has them: add title_th and title_en, or leave jt out "
            "(--tasks jd,jf)"
        )
    described = [n for n, posting in enumerate(postings) if posting.description]
    first_description = len(texts)
    texts += [postings[n].description for n in described]
    groups += [names[n] for n in described]
    of_description = np.array([place_of[names[n]] for n in described])
    first_translation = len(texts)
    for number, pair in enumerate(translations):
        texts += pair.titles
        groups += [f"translation {number}"] * 2
    shares = {
        "descriptions": description_share * bool(described),
        "translations": translation_share * bool(translations),
    }
    size = len(jobs) / (1 - sum(shares.values()))
    counts = {name: round(share * size) for name, share in shares.items()}

    def draw(rng: np.random.Generator) -> np.ndarray:
        first, thai, english = jobs.T
        pairs = [np.stack(_two_titles(rng, first, thai, english, same_language))]
        if counts["descriptions"]:
            drawn = _some(rng, len(described), counts["descriptions"])
            first, thai, english = of_description[drawn].T
            title = first + rng.integers(thai + english)
            pairs.append(np.stack([first_description + drawn, title]))
        if counts["translations"]:
            drawn = _some(rng, len(translations), counts["translations"])
            thai = first_translation + 2 * drawn
            pairs.append(np.stack([thai, thai + 1]))
        joined = np.concatenate(pairs, axis=1)
        turned = rng.random(joined.shape[1]) < 0.5
        joined = np.where(turned, joined[::-1], joined)
        return joined[:, rng.permutation(joined.shape[1])]

    return _title_pairs(len(jobs) + sum(counts.values()), draw, texts, groups)


def _some(rng: np.random.Generator, population: int, count: int) -> np.ndarray:
    """Numbers below the population, none twice unless there are too few."""
    return rng.choice(population, count, replace=count > population)


def _two_titles(
    rng: np.random.Generator,
    first: np.ndarray,
    thai: np.ndarray,
    english: np.ndarray,
    same_language: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Two different titles of each job; its Thai titles stand before its English ones.

    Args:
        rng: of the draw.
        first: (jobs,) place of the job's first title.
        thai: (jobs,) how many Thai titles it has.
        english: (jobs,) how many English titles it has.
        same_language: share of pairs in one language.

    Returns:
        (jobs,) places of one title and of the other.
    """
    crossing = (thai > 0) & (english > 0)
    wants_same = rng.random(len(first)) < same_language
    # A language is drawn by a coin where both have two titles.
    in_thai = (thai > 1) & ((english < 2) | (rng.random(len(first)) < 0.5))
    alike = np.where(in_thai, thai, english)
    same = ((alike > 1) & wants_same) | ~crossing
    begin = first + np.where(in_thai, 0, thai)
    one = np.where(same, begin + rng.integers(alike.clip(1)), first)
    # A step of 1 .. n - 1 around the circle of the language's titles: never itself.
    step = 1 + rng.integers((alike - 1).clip(1))
    other = begin + (one - begin + step) % alike.clip(1)
    across = first + thai + rng.integers(english.clip(1))
    one = np.where(same, one, first + rng.integers(thai.clip(1)))
    return one, np.where(same, other, across)


def _title_pairs(
    count: int,
    draw: Callable[[np.random.Generator], np.ndarray],
    titles: Sequence[str],
    groups: Sequence[str],
) -> TaskExamples:
    """JT's examples: ``draw`` gives (2, count) places of texts."""

    def columns(rng: np.random.Generator) -> dict[str, np.ndarray]:
        queries, targets = draw(rng).astype(np.int32)
        return {
            "queries": queries,
            "targets": targets,
            "groups": queries,
            "query_keys": queries,
            "target_keys": targets,
        }

    texts = tf.constant(titles)
    keys = _numbered([title_key(title) for title in titles])
    return TaskExamples(
        epoch_size=count,
        draw=columns,
        tables={
            "queries": texts,
            "targets": texts,
            "groups": _numbered(groups),
            "query_keys": keys,
            "target_keys": keys,
        },
    )


def _numbered(values: Sequence[str]) -> tf.Tensor:
    """Integers that are equal where the values are."""
    _, numbers = np.unique(np.asarray(values, object), return_inverse=True)
    return tf.constant(numbers, tf.int32)
