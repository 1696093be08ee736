"""Postings to training batches: the examples of a task, and the cycle of all tasks.

The batches are a function of the postings, the seed and the cycle's number alone, so
that a run that is stopped continues with the batches that it would have seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from muse_jobs.data.mining import IOU_THRESHOLD, PairMiner
from muse_jobs.data.postings import JobPosting
from muse_jobs.data.splits import job_groups
from muse_jobs.data.text import language_of, title_key
from muse_jobs.errors import InputError

TOKENIZED = 65536  # titles at a time

Tokenize = Callable[[tf.Tensor], tf.RaggedTensor]


@dataclass(frozen=True, slots=True)
class TaskExamples:
    """The examples of one task.

    Attributes:
        epoch_size: examples in an epoch.
        draw: draws an epoch: (epoch_size,) arrays by column, in the epoch's order.
        tables: columns that are rows of a table (texts, labels), and the table.
    """

    epoch_size: int
    draw: Callable[[np.random.Generator], dict[str, np.ndarray]]
    tables: Mapping[str, tf.Tensor]


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


def matching_examples(
    postings: Sequence[JobPosting],
    *,
    tokenize: Tokenize | None = None,
    iou_threshold: float = IOU_THRESHOLD,
    pair_titles: str = "any",
) -> TaskExamples:
    """JD: each description with its own title, a negative and a hard negative one.

    Args:
        postings: those with a description are used.
        tokenize: the encoder's ``pieces``, from (batch,) texts to ragged (batch,
            tokens) ids. IoU is over the titles' tokens where a posting has neither
            fields nor categories; without it such a posting has no hard negative.
        iou_threshold: from which IoU on a negative is a hard one (`PairMiner`).
        pair_titles: which title of a posting stands in a pair where it has both:
            ``any``, one of the two at random; ``same``, that in the description's
            language; ``other``, that in the other language. For a mixed description:
            any.

    Raises:
        InputError: fewer than two jobs have a description.
    """
    used = [
        (posting, group)
        for posting, group in zip(postings, job_groups(postings), strict=True)
        if posting.description
    ]
    try:
        miner = PairMiner(
            iou_sets=_iou_sets([posting for posting, _ in used], tokenize),
            groups=[group for _, group in used],
            titles=[[title_key(t) for t in posting.titles] for posting, _ in used],
            threshold=iou_threshold,
        )
    except ValueError as error:
        raise InputError(
            f"task jd needs training postings with descriptions: {error}; add "
            "descriptions, or leave jd out (--tasks jt,jf)"
        ) from error
    # Two rows a posting: the Thai and the English title, or the only one twice.
    titles = [t for posting, _ in used for t in (posting.titles[0], posting.titles[-1])]
    fixed = _fixed_titles([posting.description for posting, _ in used], pair_titles)

    def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
        pairs = miner.draw(rng)
        which = rng.integers(2, size=len(pairs.titles))
        wanted = fixed[pairs.descriptions]
        return {
            "descriptions": pairs.descriptions,
            "titles": 2 * pairs.titles + np.where(wanted < 0, which, wanted),
            "labels": pairs.labels,
        }

    return TaskExamples(
        epoch_size=3 * len(miner),
        draw=draw,
        tables={
            "descriptions": tf.constant([posting.description for posting, _ in used]),
            "titles": tf.constant(titles),
        },
    )


def _iou_sets(
    postings: Sequence[JobPosting], tokenize: Tokenize | None
) -> list[tuple[str, ...]]:
    """The postings' own sets, else their titles' tokens."""
    sets = [posting.iou_set for posting in postings]
    bare = [row for row, members in enumerate(sets) if not members]
    if tokenize is None or not bare:
        return sets
    titles = [title_key(" ".join(postings[row].titles)) for row in bare]
    for start in range(0, len(bare), TOKENIZED):
        rows = bare[start : start + TOKENIZED]
        tokens = tokenize(tf.constant(titles[start : start + TOKENIZED]))
        for row, own in zip(rows, tokens.to_list(), strict=True):
            sets[row] = tuple(f"token {number}" for number in sorted(set(own)))
    return sets


def _fixed_titles(descriptions: Sequence[str], pair_titles: str) -> np.ndarray:
    """0 where a description takes Thai titles, 1 for English ones, -1 for any."""
    if pair_titles == "any":
        return np.full(len(descriptions), -1)
    column = {"same": {"th": 0, "en": 1}, "other": {"th": 1, "en": 0}}[pair_titles]
    return np.array([column.get(language_of(text), -1) for text in descriptions])


def field_examples(
    postings: Sequence[JobPosting], labels: Sequence[str]
) -> TaskExamples:
    """JF: titles in either language and descriptions, each an example of its own.

    Args:
        postings: those with a known field are used.
        labels: the names of the fields.

    Raises:
        InputError: no posting has a field.
    """
    column = {label: number for number, label in enumerate(labels)}
    texts: list[str] = []
    rows: list[int] = []
    table: list[np.ndarray] = []
    for posting in postings:
        known = [column[name] for name in posting.fields if name in column]
        if known:
            own = [*posting.titles, posting.description]
            own = [text for text in own if text]
            texts += own
            rows += [len(table)] * len(own)
            table.append(np.isin(np.arange(len(labels)), known))
    if not texts:
        raise InputError(
            "task jf needs postings with job fields, and there is none among the "
            "training postings: add fields, or leave jf out (--tasks jt,jd)"
        )
    row_of_text = np.asarray(rows, np.int32)

    def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
        order = rng.permutation(len(texts)).astype(np.int32)
        return {"texts": order, "fields": row_of_text[order]}

    return TaskExamples(
        epoch_size=len(texts),
        draw=draw,
        tables={
            "texts": tf.constant(texts),
            "fields": tf.constant(np.asarray(table, np.float32)),
        },
    )


def task_batches(
    examples: TaskExamples, *, batch_size: int, seed: int, start: int = 0
) -> tf.data.Dataset:
    """An endless dataset of a task's batches; epochs follow each other without a seam.

    Args:
        examples: the task's.
        batch_size: examples in a batch.
        seed: of the draws; each epoch has its own.
        start: number of the first batch, for a run that continues.

    Returns:
        Dataset of dicts of (batch_size, ...) tensors.
    """

    def rows() -> Iterator[dict[str, np.ndarray]]:
        epoch, done = divmod(start * batch_size, examples.epoch_size)
        parts: list[dict[str, np.ndarray]] = []
        held = 0
        while True:
            drawn = examples.draw(np.random.default_rng([seed, epoch]))
            while done < examples.epoch_size:
                take = min(batch_size - held, examples.epoch_size - done)
                parts.append({k: v[done : done + take] for k, v in drawn.items()})
                done, held = done + take, held + take
                if held == batch_size:
                    yield {k: np.concatenate([p[k] for p in parts]) for k in drawn}
                    parts, held = [], 0
            epoch, done = epoch + 1, 0

    example = examples.draw(np.random.default_rng([seed, 0]))
    signature = {
        name: tf.TensorSpec((batch_size,), values.dtype)
        for name, values in example.items()
    }

    def look_up(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {
            name: tf.gather(examples.tables[name], values)
            if name in examples.tables
            else values
            for name, values in batch.items()
        }

    return tf.data.Dataset.from_generator(rows, output_signature=signature).map(look_up)


def cycle_batches(
    examples: Mapping[str, TaskExamples],
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
) -> tf.data.Dataset:
    """An endless dataset of cycles: a dict with one batch for each task.

    Args:
        examples: task name to the task's examples.
        batch_size: of each task; for JD it counts pairs.
        seed: of all draws; tasks draw apart from each other.
        start: number of the first cycle, for a run that continues.

    Returns:
        Dataset of dicts, as `MultiTaskEncoder.train_step` takes them.
    """
    return tf.data.Dataset.zip(
        {
            task: task_batches(
                task_examples,
                batch_size=batch_size,
                seed=zlib.crc32(f"{seed}:{task}".encode()),
                start=start,
            )
            for task, task_examples in examples.items()
        }
    ).prefetch(2)
