"""The study's data: ISCO units in three parts, and what may be trained on.

A unit is the job: its titles, the ESCO occupations and the lexicon's roles that are
coded to it stand on one side. Public lists repeat each other's titles, so a text that
shares a title key with a held-out title is dropped from training wherever it comes
from.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muse_jobs.data.postings import JobPosting, field_labels
from muse_jobs.data.recipes import esco, esco_isco, isco_thai, onet, parallel
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.sample.lexicon import load_lexicon
from muse_jobs.data.splits import Split, check_split, split_postings
from muse_jobs.data.text import title_key
from muse_jobs.study.settings import CorpusSettings
from muse_jobs.training.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Units:
    """ISCO-08 units with titles in both languages, as ``isco:1234``."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudyData:
    """What the runs are trained on.

    Attributes:
        units: the three parts.
        inputs: of the runs; ``translations`` is the general parallel text.
        checks: what is held out of training, counted; all 0 is no leak.
        counts: what there is.
    """

    units: Units
    inputs: Inputs
    checks: dict[str, int]
    counts: dict[str, int]


def split_units(folder: Path, settings: CorpusSettings) -> Units:
    """The units that have titles in both languages, in the order of a hash.

    Args:
        folder: the public data.
        settings: the shares.
    """
    thai, english = isco_thai(folder / "isco08-thai"), esco(folder / "esco")
    both = {p.role for p in thai} & {p.role for p in english}
    units = sorted((unit for unit in both if unit), key=_rank)
    test = round(settings.test_share * len(units))
    end = test + round(settings.validation_share * len(units))
    return Units(
        test=tuple(units[:test]),
        validation=tuple(units[test:end]),
        train=tuple(units[end:]),
    )


def read_study_data(folder: Path, settings: CorpusSettings) -> StudyData:
    """Reads ESCO with ISCO's Thai titles, O*NET, the sample corpus and general text.

    Args:
        folder: holds ``esco``, ``isco08-thai``, ``onet``, ``msdocs-th-en``,
            ``th-en-translit`` and ``osm-trades``.
        settings: how much of it.

    Raises:
        InputError: a file is missing or is another version.
    """
    units = split_units(folder, settings)
    parts = {
        unit: part for part in ("test", "validation") for unit in getattr(units, part)
    }
    coded = list(_coded_postings(folder))
    held_out = {
        title_key(title)
        for posting in coded
        if posting.role in parts
        for title in posting.titles
    }
    candidates = [p for p in coded if p.role not in parts]
    # O*NET's alternative titles stay out: a thousand English jobs would fill the
    # batches of jt. Its descriptions and fields are for jd and jf.
    candidates += onet(folder / "onet")
    train = list(_without(candidates, held_out))
    pairs = [*_general_pairs(folder, settings), *_duties(parts)]
    general = [
        JobPosting(id=f"general-{number}", title_th=thai, title_en=english)
        for number, (thai, english) in enumerate(pairs)
        if held_out.isdisjoint(map(title_key, (thai, english)))
    ]
    split = Split(
        train=train,
        validation=[p for p in coded if parts.get(p.role) == "validation"],
        test=[p for p in coded if parts.get(p.role) == "test"],
    )
    inputs = Inputs(split, general, field_labels(train), {}, {})
    return StudyData(
        units, inputs, check_held_out(inputs, units, held_out), _counts(inputs, units)
    )


def read_sample_data() -> StudyData:
    """The shipped sample corpus in the place of public data; its roles are the units.

    The parallel text is what the lexicon's trained roles do, in both languages.
    """
    split = split_postings(sample_postings())
    units = {
        name: tuple(dict.fromkeys(str(posting.role) for posting in part))
        for name, part in split.parts.items()
    }
    duties = [
        JobPosting(id=f"duty-{role.id}-{number}", title_th=thai, title_en=english)
        for role in load_lexicon()[1]
        if role.id in set(units["train"])
        for number, (thai, english) in enumerate(role.duties)
    ]
    inputs = Inputs(split, duties, field_labels(split.train), {}, {})
    found = Units(**units)
    checks = {"on two sides of the split": sum(check_split(split).values())}
    return StudyData(found, inputs, checks, _counts(inputs, found))


def check_held_out(inputs: Inputs, units: Units, held_out: set[str]) -> dict[str, int]:
    """What of the held-out units is in training; all 0 is no leak.

    Args:
        inputs: of the runs.
        units: the parts.
        held_out: keys of the titles of held-out units.
    """
    roles = {posting.role for posting in inputs.split.train}
    texts = [*inputs.split.train, *inputs.translations]
    lexicon = {f"isco:{role.isco}": role for role in load_lexicon()[1]}
    named = set(units.test) | set(units.validation)
    return {
        "held-out units among the trained ones": len(named & roles),
        "trained texts that share a title key with a held-out title": sum(
            title_key(title) in held_out for p in texts for title in p.titles
        ),
        "lexicon roles of held-out units among the trained ones": sum(
            posting.extra.get("isco") is not None
            and f"isco:{posting.extra['isco']}" in named & set(lexicon)
            for posting in inputs.split.train
        ),
    }


def _coded_postings(folder: Path) -> Iterable[JobPosting]:
    """Everything that is coded to ISCO-08, its unit as role."""
    occupations = esco_isco(folder)
    yield from occupations
    yield from _other_titles(occupations)
    for posting in sample_postings():
        unit = f"isco:{posting.extra['isco']}"
        yield dataclasses.replace(posting, role=unit)
    for role in load_lexicon()[1]:
        titles = [("title_th", title) for title in role.titles_th]
        titles += [("title_en", title) for title in role.titles_en]
        for number, (column, title) in enumerate(titles):
            own: dict[str, Any] = {column: title}
            yield JobPosting(
                id=f"lexicon-{role.id}-{number}",
                **own,
                role=f"isco:{role.isco}",
                extra={"isco": role.isco},
            )


def _general_pairs(folder: Path, settings: CorpusSettings) -> Iterable[tuple[str, str]]:
    """Sentences of documentation, loan words and trades; Thai and English."""
    sentences = parallel(folder / "msdocs-th-en" / "train.tsv", thai="th", english="en")
    sentences.sort(key=lambda pair: _rank("\0".join(pair)))
    yield from sentences[: settings.general_pairs]
    for place in ("th-en-translit/dict.tsv", "osm-trades/trade_pairs.tsv"):
        yield from parallel(folder / place, thai="th", english="en")


def _duties(held_out: Container[str]) -> Iterable[tuple[str, str]]:
    """What the lexicon's roles do, Thai and English; without held-out units."""
    for role in load_lexicon()[1]:
        if f"isco:{role.isco}" not in held_out:
            yield from role.duties


def _other_titles(postings: Iterable[JobPosting]) -> Iterable[JobPosting]:
    """Alternative labels as postings of their own: titles of the same job."""
    for posting in postings:
        for number, title in enumerate(posting.extra.get("alt_labels", ())):
            yield JobPosting(
                id=f"{posting.id}-other-{number}", title_en=title, role=posting.role
            )


def _without(
    postings: Iterable[JobPosting], held_out: set[str]
) -> Iterable[JobPosting]:
    """The postings without titles that are held out; those without any title go."""
    for posting in postings:
        kept: dict[str, Any] = {
            name: title if title and title_key(title) not in held_out else None
            for name, title in (
                ("title_th", posting.title_th),
                ("title_en", posting.title_en),
            )
        }
        if any(kept.values()):
            yield dataclasses.replace(posting, **kept)


def _counts(inputs: Inputs, units: Units) -> dict[str, int]:
    train: Sequence[JobPosting] = inputs.split.train
    return {
        "test units": len(units.test),
        "validation units": len(units.validation),
        "training units with titles in both languages": len(units.train),
        "training postings": len(train),
        "training postings with both titles": sum(len(p.titles) == 2 for p in train),
        "training postings with a description": sum(bool(p.description) for p in train),
        "distinct Thai training titles": len(_keys(train, "title_th")),
        "distinct English training titles": len(_keys(train, "title_en")),
        "parallel pairs, general and of the lexicon": len(inputs.translations),
    }


def _keys(postings: Sequence[JobPosting], name: str) -> set[str]:
    titles = (getattr(posting, name) for posting in postings)
    return {title_key(title) for title in titles if title}


def _rank(text: str) -> bytes:
    return hashlib.blake2b(f"study:{text}".encode(), digest_size=8).digest()
