"""What a run is trained on: postings read, cleaned and split, and a report of it.

Imports no TensorFlow: what the user gave is checked before the slow imports.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from muse_jobs.data.cleaning import unify_fields
from muse_jobs.data.duplicates import Collapsed, collapse
from muse_jobs.data.formats import expand_paths
from muse_jobs.data.postings import JobPosting, field_labels
from muse_jobs.data.readers import (
    ReadResult,
    parse_columns,
    read_postings,
    read_translations,
)
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.splits import Split, check_split, split_postings, without_held_out
from muse_jobs.errors import InputError
from muse_jobs.files import sha256_of
from muse_jobs.training.config import TrainConfig

REJECTS_FILE = "rejects.jsonl"

Track = Callable[[Iterable, str], Iterator]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a run is trained on and evaluated with.

    Attributes:
        split: the postings.
        translations: further title pairs for jt, as postings.
        labels: the job fields of the training postings.
        checksums: SHA-256 by file.
        report: counts, masking, duplicates, the split and its check.
    """

    split: Split
    translations: list[JobPosting]
    labels: list[str]
    checksums: dict[str, str]
    report: dict[str, object]


def read_inputs(
    config: TrainConfig, *, track: Track = lambda items, _: iter(items)
) -> Inputs:
    """Reads, cleans and splits what the configuration names.

    Args:
        config: the run's. Rejected rows are written to its folder.
        track: wraps a long walk, given what is done, to show how far it is.

    Raises:
        InputError: the files give nothing that can be split in three.
    """
    columns = parse_columns(config.columns)
    translations_files = expand_paths(config.translations)
    result, checksums = _read(config, columns, track)
    # By id: a run does not depend on the number or the order of files.
    ordered = sorted(result.postings, key=lambda posting: posting.id)
    postings, respelled = unify_fields(ordered)
    collapsed = collapse(
        postings,
        config.duplicates,
        find_near=True,
        progress=lambda texts: track(texts, "near duplicates"),
    )
    split = _split(collapsed, config.seed)
    pairs = read_translations(translations_files, columns=columns)
    translations, held_out = without_held_out(pairs, split)
    checksums |= _checksums(translations_files)
    counts = Counter(
        name
        for posting in collapsed.postings
        for name in ("title_th", "title_en", "description", "fields")
        if getattr(posting, name)
    )
    return Inputs(
        split=split,
        translations=translations,
        labels=field_labels(split.train),
        checksums=checksums,
        report={
            "sha256": checksums,
            "postings": len(collapsed.postings),
            "rejects": len(result.rejects),
            "with": dict(counts),
            "masked personal data": dict(result.masked),
            "fields respelled": respelled,
            "duplicates collapsed": {
                "exact": collapsed.exact,
                "near": collapsed.near_gone,
            },
            "near duplicates left": len(collapsed.near),
            "near duplicates on one side": split.near_joined,
            "split": {name: len(part) for name, part in split.parts.items()},
            "on two sides of the split": check_split(split, collapsed.near),
            "translations": {"used": len(translations), "held out": held_out},
        },
    )


def _read(
    config: TrainConfig, columns: dict[str, str], track: Track
) -> tuple[ReadResult, dict[str, str]]:
    if not config.postings:
        result = ReadResult(sample_postings(seed=config.seed), [])
        text = "\n".join(repr(posting) for posting in result.postings)
        checksum = hashlib.sha256(text.encode()).hexdigest()
        return result, {"shipped sample corpus": checksum}
    result = read_postings(
        config.postings,
        columns=columns,
        keep_personal_data=config.keep_personal_data,
        max_rejects=config.max_rejects,
        rejects_file=Path(config.run_dir, REJECTS_FILE),
        progress=lambda rows: track(rows, "read"),
    )
    return result, _checksums(expand_paths(config.postings))


def _split(collapsed: Collapsed, seed: int) -> Split:
    split = split_postings(collapsed.postings, near=collapsed.near, seed=seed)
    if not all(split.parts.values()):
        raise InputError(
            f"{len(collapsed.postings)} postings are of too few different jobs to be "
            "split into train, validation and test: add postings"
        )
    return split


def _checksums(files: Iterable[Path]) -> dict[str, str]:
    return {str(file): sha256_of(file) for file in files}
