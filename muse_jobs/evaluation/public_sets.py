"""Published files as retrieval sets. Nothing is downloaded: name the files.

Where the data is coded to ISCO-08, ``units`` keeps to units that a model was not
trained on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from muse_jobs.data.formats import BadRow, expand_paths, read_rows
from muse_jobs.data.recipes import esco, isco_thai, parallel, scb_mt
from muse_jobs.data.text import language_of, title_key
from muse_jobs.errors import InputError
from muse_jobs.evaluation.classification import OccupationTitles
from muse_jobs.evaluation.sets import RetrievalSet

PAIRS = 2000

Units = Collection[str] | None


def balanced_titles(
    folder: str | Path, units: Units = None, *, seed: int = 0
) -> RetrievalSet:
    """Thai titles of ISCO units and as many ESCO preferred labels of each unit.

    Args:
        folder: holds the folders ``esco`` and ``isco08-thai``.
        units: units to keep to; all that have both by default.
        seed: of the labels drawn; a unit with fewer labels than Thai titles gives as
            many Thai titles as it has labels.

    Returns:
        The set: every title is a query and an entry, its unit's titles are its truth.
    """
    rows = []
    for unit, (thai, preferred, _) in _titles_by_unit(folder, units).items():
        taken = min(len(thai), len(preferred))
        rows += [(t, "th", unit) for t in _drawn(thai, taken, seed)]
        rows += [(t, "en", unit) for t in _drawn(preferred, taken, seed)]
    return _grouped_set(rows, rows)


def natural_titles(folder: str | Path, units: Units = None) -> RetrievalSet:
    """All titles of ISCO units: Thai, ESCO preferred and alternative labels.

    Args:
        folder: as `balanced_titles`.
        units: as there.

    Returns:
        The set: Thai titles and preferred labels are queries, all titles the pool. A
        unit has up to hundreds of labels, so that Recall@10 is capped: read
        R-precision and MAP.
    """
    asked, pool = [], []
    for unit, (thai, preferred, alternative) in _titles_by_unit(folder, units).items():
        asked += [(t, "th", unit) for t in thai]
        asked += [(t, "en", unit) for t in preferred]
        pool += [(t, "en", unit) for t in alternative]
    return _grouped_set(asked, asked + pool)


def descriptions(folder: str | Path, units: Units = None) -> RetrievalSet:
    """From an ESCO description to the titles of its ISCO unit, Thai and English.

    Args:
        folder: as `balanced_titles`.
        units: as there.

    Returns:
        The set: descriptions are queries, Thai titles and preferred labels the pool.
    """
    pool, asked = [], []
    by_unit = _titles_by_unit(folder, units)
    for unit, (thai, preferred, _) in by_unit.items():
        pool += [(t, "th", unit) for t in thai] + [(t, "en", unit) for t in preferred]
    for posting in esco(Path(folder, "esco")):
        if posting.role in by_unit and posting.description:
            asked.append((posting.description, "en", posting.role))
    return _grouped_set(asked, pool, own=False)


def occupation_titles(folder: str | Path, units: Units = None) -> OccupationTitles:
    """Titles and their ISCO sub-major groups, reference units apart from asked ones.

    Args:
        folder: as `balanced_titles`.
        units: the asked units; by default every third by a hash of its code.

    Returns:
        References: Thai titles and ESCO labels of the other units; queries: those of
        the asked units whose group has references.
    """
    by_unit = _titles_by_unit(folder, None)
    asked_units = set(units) if units is not None else set(filter(_third, by_unit))
    asked: list[tuple[str, str, str]] = []
    references: list[tuple[str, str, str]] = []
    for unit, (thai, preferred, _) in by_unit.items():
        own = [(t, "th", unit) for t in thai] + [(t, "en", unit) for t in preferred]
        (asked if unit in asked_units else references).extend(own)
    # A title that stands in two units would be its own reference.
    keys = {title_key(title) for title, _, _ in asked}
    references = [row for row in references if title_key(row[0]) not in keys]
    groups = {_sub_major(unit) for _, _, unit in references}
    asked = [row for row in asked if _sub_major(row[2]) in groups]
    return OccupationTitles(
        queries=tuple(title for title, _, _ in asked),
        query_languages=tuple(language for _, language, _ in asked),
        query_classes=tuple(_sub_major(unit) for _, _, unit in asked),
        references=tuple(title for title, _, _ in references),
        reference_classes=tuple(_sub_major(unit) for _, _, unit in references),
        clusters=tuple(unit for _, _, unit in asked),
    )


def language_titles(folder: str | Path, units: Units = None) -> OccupationTitles:
    """The balanced titles, to read their language from the vector."""
    data = balanced_titles(folder, units)
    return OccupationTitles(
        queries=data.queries,
        query_languages=data.query_languages,
        query_classes=data.query_languages,
        references=(),
        reference_classes=(),
        clusters=data.clusters,
    )


def xquad_r(folder: str | Path) -> RetrievalSet:
    """XQuAD-R (LAReQA, arXiv 2004.05484): from a question to the sentence that answers.

    Args:
        folder: holds ``xquad-r.th.json`` and ``xquad-r.en.json`` (or ``th.json`` and
            ``en.json``, as published).

    Returns:
        The set: questions in both languages, all sentences of both languages as the
        pool; the truth is the answer's sentence in each language.
    """
    entries: dict[tuple[str, str], int] = {}
    answers: dict[str, dict[str, int]] = defaultdict(dict)
    questions: dict[str, dict[str, str]] = defaultdict(dict)
    paragraph_of = {}
    for language in ("th", "en"):
        for number, paragraph in enumerate(_squad_paragraphs(Path(folder), language)):
            context = paragraph["context"]
            for start, end in paragraph["sentence_breaks"]:
                sentence = context[start:end].strip()
                place = entries.setdefault((language, sentence), len(entries))
                for qa in paragraph["qas"]:
                    if start <= qa["answers"][0]["answer_start"] < end:
                        questions[qa["id"]][language] = qa["question"]
                        answers[qa["id"]][language] = place
                        paragraph_of[qa["id"]] = f"paragraph {number}"
    both = [identifier for identifier in questions if len(questions[identifier]) == 2]
    asked = [(identifier, language) for identifier in both for language in ("th", "en")]
    return RetrievalSet(
        queries=tuple(questions[i][language] for i, language in asked),
        query_languages=tuple(language for _, language in asked),
        entries=tuple(sentence for _, sentence in entries),
        entry_languages=tuple(language for language, _ in entries),
        relevant=tuple(tuple(answers[i].values()) for i, _ in asked),
        own=(-1,) * len(asked),
        clusters=tuple(paragraph_of[i] for i, _ in asked),
        translations=tuple((n, n + 1) for n in range(0, len(asked), 2)),
    )


def parallel_sentences(path: str | Path) -> RetrievalSet:
    """Sentences and their translations: SCB-MT's CSV, a th/en table, or Tatoeba.

    Args:
        path: a CSV with ``th_text`` and ``en_text``, a table with ``th`` and ``en``, or
            a folder with ``tatoeba.tha-eng.tha`` and ``tatoeba.tha-eng.eng``.

    Returns:
        The set: every sentence is a query and an entry, its translation its truth; of
        more than 2,000 pairs 2,000 by a hash.
    """
    path = Path(path)
    if path.is_dir():
        sides = [path / f"tatoeba.tha-eng.{code}" for code in ("tha", "eng")]
        for side in sides:
            if not side.is_file():
                raise InputError(f"{side}: no such file")
        lines = [side.read_text("utf-8").splitlines() for side in sides]
        pairs = list(zip(*lines, strict=True))
    elif path.suffix == ".csv":
        pairs = scb_mt(path)
    else:
        pairs = parallel(path, thai="th", english="en")
    pairs = _unambiguous(pairs)
    rows = [
        (text, language, f"pair {number}")
        for number, pair in enumerate(sorted(pairs, key=_rank)[:PAIRS])
        for text, language in zip(pair, ("th", "en"), strict=True)
    ]
    found = _grouped_set(rows, rows)
    pairs_of_rows = tuple((n, n + 1) for n in range(0, len(rows), 2))
    return dataclasses.replace(found, translations=pairs_of_rows)


def own_queries(path: str | Path) -> RetrievalSet:
    """A user's queries and relevance, and the pool that they make.

    Args:
        path: JSONL (or CSV) with the columns ``query`` and ``relevant``, a list of
            texts, or texts with ``|`` between them. Rows without a query bring further
            entries of the pool. Languages are those of the letters.

    Returns:
        The set: the pool is all texts that are relevant to a query or further entries.
    """
    queries: list[str] = []
    entries: dict[str, int] = {}
    relevant: list[tuple[int, ...]] = []
    (path,) = expand_paths([path])
    for line, row in read_rows(path):
        if isinstance(row, BadRow):
            raise InputError(f"{path}: line {line} {row}")
        texts = row.get("relevant")
        texts = texts.split("|") if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise InputError(
                f"{path}: line {line}: expected `relevant` to be a list of texts"
            )
        places = [entries.setdefault(text, len(entries)) for text in texts if text]
        if row.get("query"):
            queries.append(str(row["query"]))
            relevant.append(tuple(dict.fromkeys(places)))
    if not queries:
        raise InputError(f"{path}: expected rows with a query, received none")
    return RetrievalSet(
        queries=tuple(queries),
        query_languages=tuple(map(language_of, queries)),
        entries=tuple(entries),
        entry_languages=tuple(map(language_of, entries)),
        relevant=tuple(relevant),
        own=tuple(entries.get(query, -1) for query in queries),
        clusters=tuple(f"query {number}" for number in range(len(queries))),
    )


def _titles_by_unit(
    folder: str | Path, units: Units
) -> dict[str, tuple[list[str], list[str], list[str]]]:
    """Unit to Thai titles, preferred and alternative labels; units that have both."""
    thai: dict[str, list[str]] = defaultdict(list)
    preferred: dict[str, list[str]] = defaultdict(list)
    alternative: dict[str, list[str]] = defaultdict(list)
    for posting in isco_thai(Path(folder, "isco08-thai")):
        thai[str(posting.role)] += [t for t in [posting.title_th] if t]
    for posting in esco(Path(folder, "esco")):
        preferred[str(posting.role)] += [t for t in [posting.title_en] if t]
        alternative[str(posting.role)] += posting.extra["alt_labels"]
    both = sorted(set(thai) & set(preferred))
    if units is not None:
        both = [unit for unit in both if unit in set(units)]
    found = {}
    for unit in both:
        first = _distinct(preferred[unit])
        keys = {title_key(title) for title in first}
        rest = [t for t in _distinct(alternative[unit]) if title_key(t) not in keys]
        found[unit] = _distinct(thai[unit]), first, rest
    return found


def _grouped_set(
    asked: Sequence[tuple[str, str, str]],
    pool: Sequence[tuple[str, str, str]],
    *,
    own: bool = True,
) -> RetrievalSet:
    """(text, language, group) rows; with ``own`` the queries are the pool's first."""
    places = defaultdict(list)
    for place, (_, _, group) in enumerate(pool):
        places[group].append(place)
    return RetrievalSet(
        queries=tuple(text for text, _, _ in asked),
        query_languages=tuple(language for _, language, _ in asked),
        entries=tuple(text for text, _, _ in pool),
        entry_languages=tuple(language for _, language, _ in pool),
        relevant=tuple(
            tuple(p for p in places[group] if not own or p != number)
            for number, (_, _, group) in enumerate(asked)
        ),
        own=tuple(range(len(asked))) if own else (-1,) * len(asked),
        clusters=tuple(group for _, _, group in asked),
    )


def _squad_paragraphs(folder: Path, language: str) -> list[dict]:
    names = (f"xquad-r.{language}.json", f"{language}.json")
    path = next((folder / n for n in names if (folder / n).is_file()), None)
    if path is None:
        raise InputError(f"{folder}: expected {' or '.join(names)} in it")
    content = json.loads(path.read_text("utf-8"))
    paragraphs = [p for article in content["data"] for p in article["paragraphs"]]
    if "sentence_breaks" not in paragraphs[0]:
        raise InputError(f"{path}: expected XQuAD-R, with sentence_breaks")
    return paragraphs


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs of which no side stands in another pair: each has one translation."""
    pairs = list(dict.fromkeys(pairs))
    counts = Counter(title_key(text) for pair in pairs for text in pair)
    return [pair for pair in pairs if all(counts[title_key(t)] == 1 for t in pair)]


def _distinct(titles: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for title in titles:
        found.setdefault(title_key(title), title)
    return list(found.values())


def _drawn(titles: Sequence[str], count: int, seed: int) -> list[str]:
    return sorted(titles, key=lambda title: _rank((str(seed), title)))[:count]


def _rank(texts: Sequence[str]) -> bytes:
    return hashlib.blake2b("\0".join(texts).encode(), digest_size=8).digest()


def _third(unit: str) -> bool:
    return _rank((unit,))[0] % 3 == 0


def _sub_major(unit: str) -> str:
    return unit[: len("isco:") + 2]
