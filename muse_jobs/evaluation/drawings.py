"""The figures of a benchmark's part of a report, as SVG to stand in a page of HTML."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from muse_jobs.evaluation.plots import (
    language_histograms,
    lbkl_against_recall,
    lbkl_by_k,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

RECALL = "recall_at_10_combined"


def histograms(benchmark: Mapping, encoders: Sequence[str]) -> list[str]:
    """`language_histograms` of each encoder, with one scale to compare them by eye.

    Args:
        benchmark: of the report.
        encoders: names, in the report's order.

    Returns:
        ``<svg>`` elements; none if the benchmark has no histograms.
    """
    counts = benchmark.get("histograms", {})
    most = max(
        (most for each in counts.values() for row in each.values() for most in row),
        default=0,
    )
    found = []
    for name in encoders:
        if name in counts:
            axes = language_histograms(
                counts[name],
                benchmark["truth"],
                k=benchmark["settings"]["k"],
                title=name,
            )
            axes.set_ylim(0, 1.06 * max(most, 1))
            found.append(
                inline_svg(
                    axes.figure, f"{benchmark['title']}: language histograms of {name}"
                )
            )
    return found


def bias_figures(benchmark: Mapping, encoders: Sequence[str]) -> list[str]:
    """`lbkl_by_k` and `lbkl_against_recall`, each where the benchmark has its values.

    Args:
        benchmark: of the report.
        encoders: names, in the report's order.

    Returns:
        ``<svg>`` elements.
    """
    title = benchmark["title"]
    found = []
    if benchmark.get("lbkl_by_k"):
        axes = lbkl_by_k(**benchmark["lbkl_by_k"])
        found.append(inline_svg(axes.figure, f"{title}: LBKL by length of the list"))
    figures, labels = benchmark["figures"], benchmark.get("labels", {})
    bias = "lbkl_excess" if "lbkl_excess" in figures else "lbkl"
    if bias in figures and RECALL in figures:
        recall = figures[RECALL]
        axes = lbkl_against_recall(
            {name: recall[name] for name in encoders if name in recall},
            figures[bias],
            recall_label=labels.get(RECALL, RECALL),
            lbkl_label=labels.get(bias, bias),
        )
        found.append(inline_svg(axes.figure, f"{title}: language bias against recall"))
    return found


def inline_svg(figure: Figure | SubFigure, description: str) -> str:
    """The figure as an ``<svg>`` element for a page of HTML.

    Text stays text, in the page's fonts. Equal figures give equal text.

    Args:
        figure: any of matplotlib's.
        description: what screen readers say; ids are made of it, so on one page each
            figure has its own.

    Returns:
        The element, without the heading of a file.
    """
    import matplotlib

    written = io.StringIO()
    nothing = dict.fromkeys(["Creator", "Date", "Format", "Type"])
    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": description}),
        warnings.catch_warnings(),
    ):
        # The browser draws the letters: those that matplotlib's own font lacks, such as
        # Thai ones, are no loss.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.figure.savefig(written, format="svg", metadata=nothing)
    text = written.getvalue()
    # Groups are numbered alike in every figure, and nothing refers to them.
    text = re.sub(r'<g id="[^"]*"', "<g", text[text.index("<svg") :])
    label = escape(description)
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).strip()
