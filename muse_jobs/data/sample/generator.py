"""Turns the role lexicon into postings with the noise of real ones."""

from __future__ import annotations

import random
import tomllib
from functools import cache
from importlib import resources

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.sample.lexicon import Role, load_lexicon

POSTINGS_PER_ROLE = 12

# Shares of postings; ours, set by hand to look like a Thai recruitment site.
_TITLES = {("th", "en"): 0.7, ("th",): 0.17, ("en",): 0.13}
_DESCRIPTION = {"th": 0.45, "en": 0.35, "mixed": 0.2}
_NOISE = {"seniority": 0.15, "place": 0.25, "urgency": 0.15, "pay": 0.1}


def sample_postings(
    *, seed: int = 0, postings_per_role: int = POSTINGS_PER_ROLE
) -> list[JobPosting]:
    """Postings made from the shipped lexicon.

    A role's postings depend on the seed and the role alone, so that roles can be added
    without changing the others.

    Args:
        seed: the same seed gives the same postings.
        postings_per_role: how many.

    Returns:
        The postings, role by role; ``role`` names the lexicon's role and ``extra`` has
        its ISCO-08 unit.
    """
    _, roles = load_lexicon()
    return [
        _posting(role, number, random.Random(f"{seed}:{role.id}:{number}"))
        for role in roles
        for number in range(postings_per_role)
    ]


@cache
def _phrases() -> dict[str, list[dict[str, str]]]:
    text = resources.files(__package__).joinpath("phrases.toml").read_text("utf-8")
    return tomllib.loads(text)


def _posting(role: Role, number: int, rng: random.Random) -> JobPosting:
    branch = rng.choice(_phrases()["branch"])
    low = rng.randrange(12, 60) * 1000
    facts = {
        "low": f"{low:,}",
        "high": f"{low + rng.randrange(3, 15) * 1000:,}",
        "count": str(rng.randrange(2, 10)),
    }

    def say(phrase: dict[str, str], language: str, **more: str) -> str:
        return phrase[language].format(branch=branch[language], **facts, **more)

    def title(titles: tuple[str, ...], language: str) -> str:
        text = rng.choice(titles)
        for kind, share in _NOISE.items():
            if rng.random() < share:
                text = say(rng.choice(_phrases()[kind]), language, title=text)
        return text

    titles = _draw(_TITLES, rng)
    language = _draw(_DESCRIPTION, rng)
    return JobPosting(
        id=f"{role.id}-{number:03d}",
        title_th=title(role.titles_th, "th") if "th" in titles else None,
        title_en=title(role.titles_en, "en") if "en" in titles else None,
        description=_description(role, language, say, rng),
        fields=tuple(sorted(role.fields)),
        role=role.id,
        extra={"isco": role.isco},
    )


def _description(role: Role, language: str, say, rng: random.Random) -> str:
    """Opening, three or more of the role's duties, general lines, closing."""

    def spoken() -> str:
        return rng.choice(("th", "en")) if language == "mixed" else language

    def line(kind: str) -> str:
        return say(rng.choice(_phrases()[kind]), spoken())

    lines = [line("opening")] if rng.random() < 0.6 else []
    lines.append(line("heading_duties"))
    duties = rng.sample(role.duties, rng.randint(3, len(role.duties)))
    bullet = rng.choice(("- ", "• ", "{number}. ", ""))
    lines += [
        bullet.format(number=number) + duty[("th", "en").index(spoken())]
        for number, duty in enumerate(duties, start=1)
    ]
    lines.append(line("heading_other"))
    phrases = rng.sample(_phrases()["general"], rng.randint(1, 3))
    phrases += [rng.choice(_phrases()[kind]) for kind in ("hours", "salary")]
    rng.shuffle(phrases)
    lines += [
        bullet.format(number=number) + say(phrase, spoken())
        for number, phrase in enumerate(phrases[: rng.randint(2, 5)], start=1)
    ]
    if rng.random() < 0.5:
        lines.append(line("closing"))
    return "\n".join(lines)


def _draw(shares: dict, rng: random.Random):
    return rng.choices(list(shares), weights=list(shares.values()))[0]
