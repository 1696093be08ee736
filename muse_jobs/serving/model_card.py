"""The model card: what a version is, what it was made of, what it must not decide."""

from __future__ import annotations

import math
from collections.abc import Mapping

CARD_FILE = "model_card.md"
MUSE = "multilingual Universal Sentence Encoder (mUSE), small CNN, Apache-2.0"


def model_card(report: Mapping) -> str:
    """A version's card in Markdown.

    Args:
        report: of a training run, as `muse_jobs.train` writes it; or of an export
            without training: ``encoder``, ``versions``.

    Returns:
        The text.
    """
    lines = [
        "# Model card",
        "A text encoder for Thai and English job titles and descriptions: text in, "
        "vectors of 512 numbers and unit norm out. What is near is meant to be the "
        "same job, in whichever language it is written.",
        "",
        "## Origin",
        f"- Base: {MUSE}.",
        f"- Weights that were loaded: {report['encoder']}.",
        "- Languages: Thai and English. mUSE knows 14 more; they were not looked at.",
        *_training(report),
        *_figures(report),
        "",
        "## Use",
        "- Meant for: finding postings for a query and titles of the same job, in both "
        "languages; a first sorting of postings into fields.",
        "- Must not decide alone who is invited, rejected or paid what, and must not "
        "rank people: it was measured on job texts, never on persons.",
        "- A near vector is no proof of a match. Titles that sound alike and differ in "
        "level, licence or shift can be near.",
        "- Texts are cut at 2,048 tokens. Personal data should be masked before a text "
        "is sent, as it was before training.",
        "- Look at the language bias again on your own postings (`python -m "
        "muse_jobs.evaluate`): the figures here are those of the data above.",
        "",
        "## Made with",
        ", ".join(f"{name} {v}" for name, v in report["versions"].items() if v) + ".",
    ]
    return "\n".join(lines) + "\n"


def _training(report: Mapping) -> list[str]:
    if "training" not in report:
        return ["- Not fine-tuned by this export."]
    config, data = report["config"], report["data"]
    split = data["split"]
    return [
        f"- Fine-tuned on the tasks {config['tasks']}, recipe {config['recipe']}, "
        f"batch {config['batch_size']}, learning rate {config['learning_rate']}, seed "
        f"{config['seed']}: {report['training']['cycles']} cycles, best after "
        f"{report['training']['best_cycle']}.",
        "",
        "## Data",
        f"- {data['postings']} postings: {split['train']} for training, "
        f"{split['validation']} for validation, {split['test']} for the figures below; "
        "no job stands on two sides.",
        *(f"- {name}: {count}" for name, count in sorted(data["with"].items())),
        *(f"- SHA-256 of {name}: `{sha}`" for name, sha in data["sha256"].items()),
        "- Personal data masked: "
        + (
            ", ".join(f"{n} {kind}" for kind, n in data["masked personal data"].items())
            or "none was found"
        )
        + ".",
    ]


def _figures(report: Mapping) -> list[str]:
    if "test" not in report:
        return []
    lbkl = report["lbkl"]
    return [
        "",
        "## Figures on held-out jobs",
        "| | base | this model | difference, 95 % interval |",
        "|---|---|---|---|",
        *(_row(name, row) for name, row in report["test"].items()),
        "",
        f"Language bias (LBKL, nats, {lbkl['direction']}, k = {lbkl['k']}, epsilon = "
        f"{lbkl['epsilon']}): 0 is even; on this pool blind rankings have "
        f"{_number(lbkl['blind'])}, a ranking with the query's own language first "
        f"{_number(lbkl['ceiling'])}.",
    ]


def _row(name: str, row: Mapping) -> str:
    interval = "-"
    if row["difference"] is not None:
        change = [_number(row["difference"][k], "+") for k in ("mean", "low", "high")]
        interval = "{} ({} to {})".format(*change)
    return (
        f"| `{name}` | {_number(row['base'])} | {_number(row['tuned'])} | {interval} |"
    )


def _number(value: float | None, sign: str = "") -> str:
    """What is not defined is NaN, and None where it has gone through JSON."""
    return "-" if value is None or math.isnan(value) else f"{value:{sign}.3f}"
