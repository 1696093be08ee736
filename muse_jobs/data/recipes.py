"""Published files to this project's postings. Nothing is downloaded: name the folder.

Each recipe checks the header of what it reads and says which version it knows. Licences
are the publishers' own.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.text import title_key
from muse_jobs.errors import InputError

ISCO_THAI_COLUMNS = (
    "code",
    "isco08",
    "n_thai_titles_in_unit",
    "title_th",
    "isco08_unit_title_en",
    "isco08_submajor",
    "isco08_submajor_title_en",
    "isco08_major_title_en",
)
ESCO_COLUMNS = ("conceptType", "conceptUri", "iscoGroup", "preferredLabel", "altLabels")


def isco_thai(folder: str | Path) -> list[JobPosting]:
    """Thai occupation titles with the English title of their ISCO-08 unit.

    Args:
        folder: holds ``thai_titles.tsv`` (Thai Ministry of Public Health's titles,
            sil-th/terminology-ig, commit de0592c, joined with the ILO's English
            titles).

    Returns:
        A posting a Thai title that has an English unit; several share one unit, so a
        pair of titles is a weak translation.
    """
    path = Path(folder, "thai_titles.tsv")
    return [
        JobPosting(
            id=f"isco-th-{number}",
            title_th=row["title_th"],
            title_en=row["isco08_unit_title_en"],
            **isco_sets(row["isco08"]),
        )
        for number, row in enumerate(_rows(path, "\t", ISCO_THAI_COLUMNS), start=1)
        if row["isco08_unit_title_en"]
    ]


def esco(folder: str | Path) -> list[JobPosting]:
    """ESCO occupations in English: preferred label and description.

    Args:
        folder: holds ``occupations_en.csv`` (ESCO 1.2's classification in CSV).

    Returns:
        A posting an occupation; alternative labels in ``extra["alt_labels"]``.
    """
    path = Path(folder, "occupations_en.csv")
    rows = _rows(path, ",", (*ESCO_COLUMNS, "description"))
    return [
        JobPosting(
            id=f"esco-{row['conceptUri'].rsplit('/', 1)[-1]}",
            title_en=row["preferredLabel"],
            description=row["description"],
            extra={"alt_labels": _lines(row["altLabels"])},
            **isco_sets(row["iscoGroup"]),
        )
        for row in rows
    ]


def esco_isco(folder: str | Path) -> list[JobPosting]:
    """ESCO occupations with Thai titles of their ISCO unit, and all Thai titles.

    Each ESCO occupation of a unit gets one of the unit's Thai titles, by turns; a unit
    with more Thai titles than occupations gives its further titles the unit's English
    title. Fields are ISCO sub-major groups, categories a code's ancestors and itself.

    Args:
        folder: holds the folders ``esco`` and ``isco08-thai``.

    Returns:
        The postings, ESCO's first.
    """
    thai: dict[str | None, list[JobPosting]] = defaultdict(list)
    for posting in isco_thai(Path(folder, "isco08-thai")):
        thai[posting.role].append(posting)
    used: dict[str | None, int] = defaultdict(int)
    joined = []
    for posting in esco(Path(folder, "esco")):
        titles = thai.get(posting.role)
        title_th = None
        if titles:
            title_th = titles[used[posting.role] % len(titles)].title_th
            used[posting.role] += 1
        joined.append(
            JobPosting(
                id=posting.id,
                title_th=title_th,
                title_en=posting.title_en,
                description=posting.description,
                fields=posting.fields,
                role=posting.role,
                categories=posting.categories,
                extra=posting.extra,
            )
        )
    rest = [p for role, titles in thai.items() for p in titles[used[role] :]]
    return joined + rest


def onet(folder: str | Path) -> list[JobPosting]:
    """O*NET occupations: title, and the description followed by the tasks.

    Args:
        folder: holds ``Occupation Data.txt``, ``Alternate Titles.txt`` and
            ``Task Statements.txt`` (O*NET 27.0, tab-separated).

    Returns:
        A posting an occupation; fields are SOC major groups, categories SOC's levels;
        alternative titles in ``extra["alt_labels"]``.
    """
    code = "O*NET-SOC Code"
    tasks, titles = defaultdict(list), defaultdict(list)
    for row in _rows(Path(folder, "Task Statements.txt"), "\t", (code, "Task")):
        tasks[row[code]].append(row["Task"])
    title = "Alternate Title"
    for row in _rows(Path(folder, "Alternate Titles.txt"), "\t", (code, title)):
        titles[row[code]].append(row[title])
    columns = (code, "Title", "Description")
    return [
        JobPosting(
            id=f"onet-{row[code]}",
            title_en=row["Title"],
            description="\n".join([row["Description"], *tasks[row[code]]]),
            fields=(f"soc:{row[code][:2]}",),
            role=f"soc:{row[code]}",
            categories=tuple(f"soc:{row[code][:n]}" for n in (2, 4, 6, 7, 10)),
            extra={"alt_labels": titles[row[code]]},
        )
        for row in _rows(Path(folder, "Occupation Data.txt"), "\t", columns)
    ]


def parallel(path: str | Path, *, thai: str, english: str) -> list[tuple[str, str]]:
    """Sentence pairs of a two-column file, tab-separated or CSV by its name.

    Args:
        path: with a header.
        thai: name of the Thai column.
        english: name of the English column.

    Returns:
        (Thai, English) pairs; repeats by their keys and pairs with an empty side are
        left out.
    """
    delimiter = "," if Path(path).suffix == ".csv" else "\t"
    pairs: dict[tuple[str, str], tuple[str, str]] = {}
    for row in _rows(Path(path), delimiter, (thai, english)):
        if row[thai].strip() and row[english].strip():
            key = title_key(row[thai]), title_key(row[english])
            pairs.setdefault(key, (row[thai], row[english]))
    return list(pairs.values())


def scb_mt(path: str | Path) -> list[tuple[str, str]]:
    """SCB-MT-EN-TH-2020 in its published CSV form (``en_text``, ``th_text``)."""
    return parallel(path, thai="th_text", english="en_text")


def isco_sets(code: str) -> dict[str, Any]:
    """A posting's ``role``, ``fields`` and ``categories`` from an ISCO-08 unit code.

    Args:
        code: four digits.

    Returns:
        The unit as role, its sub-major group as field, its major, sub-major and minor
        group and itself as categories.
    """
    return {
        "role": f"isco:{code}",
        "fields": (f"isco:{code[:2]}",),
        "categories": tuple(f"isco:{code[:digits]}" for digits in (1, 2, 3, 4)),
    }


RECIPES = {
    "isco-thai": isco_thai,
    "esco": esco,
    "esco+isco": esco_isco,
    "onet": onet,
}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _rows(
    path: Path, delimiter: str, columns: tuple[str, ...]
) -> Iterator[dict[str, str]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open(encoding="utf-8-sig", newline="") as file:
        # Tab-separated files of O*NET and others quote nothing.
        if delimiter == "\t":
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        else:
            reader = csv.DictReader(file, delimiter=delimiter)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(
                f"{path}: expected the columns {', '.join(columns)}, received "
                f"{', '.join(reader.fieldnames or ()) or 'none'}: another version than "
                "the recipe knows"
            )
        yield from reader
