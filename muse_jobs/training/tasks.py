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
