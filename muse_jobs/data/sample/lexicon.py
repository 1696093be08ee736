"""The bilingual role lexicon: 28 job fields and their roles, written for this project.

Each file of ``lexicon/`` is one job field. A role has Thai and English titles that real
postings use, duties and requirements in both languages, its ISCO-08 unit and the fields
it belongs to.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Role:
    """One job: every title in it names the same work.

    Attributes:
        id: English kebab-case name.
        isco: ISCO-08 unit group, four digits.
        fields: ids of the job fields it belongs to, its own first.
        titles_th: Thai titles.
        titles_en: English titles.
        duties: (Thai, English) duties and requirements, the two saying the same.
    """

    id: str
    isco: str
    fields: tuple[str, ...]
    titles_th: tuple[str, ...]
    titles_en: tuple[str, ...]
    duties: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class JobField:
    """A job field of a recruitment site."""

    id: str
    name_th: str
    name_en: str


@cache
def load_lexicon() -> tuple[tuple[JobField, ...], tuple[Role, ...]]:
    """The fields and the roles, in the order of the files' names."""
    fields, roles = [], []
    folder = resources.files(__package__).joinpath("lexicon")
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".toml"):
            continue
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        fields.append(JobField(**content["field"]))
        for role in content["role"]:
            roles.append(
                Role(
                    id=role["id"],
                    isco=role["isco"],
                    fields=tuple(role["fields"]),
                    titles_th=tuple(role["titles_th"]),
                    titles_en=tuple(role["titles_en"]),
                    duties=tuple((duty["th"], duty["en"]) for duty in role["duties"]),
                )
            )
    return tuple(fields), tuple(roles)
