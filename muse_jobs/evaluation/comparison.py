"""Two encoders on the same data: each figure side by side, with paired intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from muse_jobs.evaluation.sets import Evaluation
from muse_jobs.evaluation.uncertainty import Estimate, bootstrap

# figure -> how the table names it; figures of heads stand for the tuned model alone
LABELS = {
    "recall_at_10_combined": "title Recall@10, combined pool",
    "recall_at_10_th_en": "title Recall@10, Thai to English",
    "recall_at_10_en_th": "title Recall@10, English to Thai",
    "lbkl": "LBKL@10, combined pool",
    "lbkl_excess": "LBKL@10 above blind",
    "matching_accuracy_at_1": "description to title, Accuracy@1",
    "matching_accuracy_at_10": "description to title, Accuracy@10",
    "pair_auc": "description-title pairs, AUC by cosine",
    "pair_auc_head": "description-title pairs, AUC by the jd head",
    "fields_accuracy_at_1": "job fields, Accuracy@1 by regression",
    "fields_accuracy_at_3": "job fields, Accuracy@3 by regression",
    "fields_head_accuracy_at_1": "job fields, Accuracy@1 by the jf head",
    "fields_head_accuracy_at_3": "job fields, Accuracy@3 by the jf head",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of two encoders; the base has none where it lacks the head."""

    figure: str
    base: float | None
    tuned: float
    difference: Estimate | None


def compare(base: Sequence[Evaluation], tuned: Sequence[Evaluation]) -> list[Row]:
    """Pairs the evaluations of two encoders.

    Args:
        base: of the first encoder.
        tuned: of the second, on the same data; it may have more figures.

    Returns:
        A row a figure, in the order of `LABELS`. The interval is a paired bootstrap
        over the jobs. Excess LBKL differs from LBKL by a constant and has its interval.
    """
    base_figures = _merge(evaluation.figures for evaluation in base)
    base_values = _merge(evaluation.per_query for evaluation in base)
    rows = {}
    for evaluation in tuned:
        for figure, value in evaluation.figures.items():
            queries = "lbkl" if figure == "lbkl_excess" else figure
            difference = None
            if queries in evaluation.per_query and queries in base_values:
                difference = bootstrap(
                    evaluation.per_query[queries] - base_values[queries],
                    evaluation.clusters,
                )
            rows[figure] = Row(figure, base_figures.get(figure), value, difference)
    return [rows[figure] for figure in LABELS if figure in rows]


def format_table(rows: Sequence[Row], base_name: str, tuned_name: str) -> str:
    """The rows as text for a terminal.

    Args:
        rows: of `compare`.
        base_name: heading of the first encoder.
        tuned_name: heading of the second.

    Returns:
        Lines of equal columns.
    """
    cells = [("", base_name, tuned_name, "difference (95 % interval)")]
    for row in rows:
        change = row.difference
        cells.append(
            (
                LABELS[row.figure],
                "-" if row.base is None else f"{row.base:.3f}",
                f"{row.tuned:.3f}",
                ""
                if change is None
                else f"{change.mean:+.3f} ({change.low:+.3f} to {change.high:+.3f})",
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 3) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def _merge(dictionaries) -> dict:
    return {key: value for each in dictionaries for key, value in each.items()}
