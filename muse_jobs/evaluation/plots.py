"""Figures of an evaluation: computed values in, axes out.

A function draws on ``ax``, or on a figure of its own that pyplot knows nothing of, so
that nothing needs a screen or is left open. Needs the extra ``plots``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from muse_jobs.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which the colour-blind can tell apart. Encoders have none of
# the languages' own.
LANGUAGES = {"th": ("Thai", "#0072b2"), "en": ("English", "#e69f00")}
ENCODER_COLOURS = ("#009e73", "#cc79a7", "#000000", "#d55e00", "#56b4e9")
ENCODER_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
REFERENCE = "#595959"
FAINT = "#b0b0b0"

SIZE = (3.75, 3.1)  # inches; 360 CSS pixels wide, which a phone shows unscaled
POINTS = 9.0
LEGEND_LINE = 0.19  # inches
LONGEST_NAME = 40

Estimates = Mapping[str, Mapping[str, Any]]


def language_histograms(
    counts_by_language: Mapping[str, Sequence[int]],
    truth: Mapping[str, float | None],
    *,
    k: int,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """How many queries see which share of Thai among their first k results.

    The paper's histograms: without bias the mass is at the truth, for even groups the
    midpoint; with it Thai queries stand at 1 and English ones at 0.

    Args:
        counts_by_language: for ``th`` and ``en`` queries the (k + 1,) counts by share.
        truth: for each the mean share of Thai that they should see.
        k: results that count.
        ax: where to draw.
        title: above the axes, such as the encoder's name.

    Returns:
        The axes.

    Raises:
        InputError: the counts are not k + 1.
    """
    ax = _axes(3) if ax is None else ax
    shares = np.arange(k + 1) / k
    width = 0.42 / k
    midpoint = ax.axvline(0.5, color=FAINT, linewidth=1, zorder=0, label="midpoint")
    bars, truths = [], []
    for side, (language, (name, colour)) in enumerate(LANGUAGES.items()):
        if language not in counts_by_language:
            continue
        counts = np.asarray(counts_by_language[language])
        if counts.shape != (k + 1,):
            raise InputError(
                f"expected k + 1 = {k + 1} counts of {language} queries, received "
                f"{counts.size}"
            )
        places = shares + (side - 0.5) * width
        label = f"{name} queries ({counts.sum()})"
        bars.append(ax.bar(places, counts, width, color=colour, label=label))
        share = truth.get(language)
        if _known(share):
            # Dashes of one language fill the gaps of the other's: both can be seen
            # where they stand at one share.
            dashes = (4 * side, (4, 4))
            label = f"truth, {name} ({share:.2f})"
            line = ax.axvline(share, color=colour, linestyle=dashes, label=label)
            truths.append(line)
    ax.set_xlim(-0.6 / k, 1 + 0.6 / k)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "0.25", "0.5", "0.75", "1"])
    ax.locator_params(axis="y", integer=True)
    _name(ax, title, f"share of Thai among the first {k} results", "queries")
    _legend(ax, [*bars, midpoint, *truths], columns=2)
    return ax


def lbkl_by_k(
    k: Sequence[int],
    encoders: Mapping[str, Sequence[float | None]],
    *,
    blind: Sequence[float | None],
    ceiling: Sequence[float | None],
    ax: Axes | None = None,
    title: str = "LBKL by length of the list",
) -> Axes:
    """LBKL against k, with the rankings that bound it.

    Args:
        k: (lengths,) results that count.
        encoders: name to (lengths,) LBKL; None leaves a gap.
        blind: (lengths,) of rankings that know nothing.
        ceiling: (lengths,) of rankings that list the query's own language first.
        ax: where to draw.
        title: above the axes.

    Returns:
        The axes.
    """
    ax = _axes(len(encoders) + 2) if ax is None else ax
    for values, dashes, label in (
        (ceiling, (0, (5, 2)), "one language first (ceiling)"),
        (blind, (0, (1, 1.5)), "blind ranking"),
    ):
        ax.plot(
            k, np.array(values, float), color=REFERENCE, linestyle=dashes, label=label
        )
    for (name, values), style in zip(
        encoders.items(), _styles(len(encoders)), strict=True
    ):
        ax.plot(k, np.array(values, float), label=_short(name), **style)
    ax.set_xscale("log")
    ax.set_xticks(k, labels=[str(length) for length in k])
    ax.set_xticks([], minor=True)
    ax.set_ylim(bottom=0)
    _name(ax, title, "k, results that count", "LBKL (nats)")
    _legend(ax)
    return ax


def lbkl_against_recall(
    recall: Estimates,
    lbkl: Estimates,
    *,
    ax: Axes | None = None,
    title: str = "Language bias against recall",
    recall_label: str = "Recall@10, combined pool",
    lbkl_label: str = "LBKL above blind (nats)",
) -> Axes:
    """A point an encoder, a cross of its two 95 % intervals; best is bottom right.

    Args:
        recall: of each encoder its ``mean``, ``low`` and ``high``; the bounds may be
            absent or None.
        lbkl: of each encoder its LBKL, or LBKL above blind, likewise.
        ax: where to draw.
        title: above the axes.
        recall_label: names the x axis.
        lbkl_label: names the y axis.

    Returns:
        The axes; encoders without one of the means are left out.
    """
    names = [
        name
        for name in recall
        if name in lbkl and _known(recall[name]["mean"]) and _known(lbkl[name]["mean"])
    ]
    ax = _axes(len(names)) if ax is None else ax
    ax.axhline(0, color=FAINT, linewidth=1, zorder=0)
    for name, style in zip(names, _styles(len(names)), strict=True):
        x, y = recall[name], lbkl[name]
        cross = {"color": style["color"], "linewidth": 1.2}
        ax.hlines(y["mean"], *_bounds(x), **cross)
        ax.vlines(x["mean"], *_bounds(y), **cross)
        ax.plot(x["mean"], y["mean"], label=_short(name), **style | {"linestyle": ""})
    ax.margins(0.12)
    _name(ax, title, recall_label, lbkl_label)
    _legend(ax)
    return ax


def _axes(legend_lines: int) -> Axes:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            'figures are drawn with an extra: run `pip install "muse-jobs[plots]"`'
        ) from error
    width, height = SIZE
    figure = Figure((width, height + legend_lines * LEGEND_LINE), layout="constrained")
    return figure.add_subplot()


def _styles(count: int) -> list[dict]:
    """Colour and marker for each encoder; 35 differ."""
    styles = zip(cycle(ENCODER_COLOURS), cycle(ENCODER_MARKERS), strict=False)
    return [
        {"color": colour, "marker": marker, "markersize": 5.5, "linestyle": "-"}
        for colour, marker in islice(styles, count)
    ]


def _bounds(estimate: Mapping[str, Any]) -> tuple[float, float]:
    """The interval; without one it is the mean alone."""
    low, high = estimate.get("low"), estimate.get("high")
    if _known(low) and _known(high):
        return low, high
    return estimate["mean"], estimate["mean"]


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and not np.isnan(value)


def _short(name: str) -> str:
    """The end of a long name, which tells encoders apart better than its start."""
    return name if len(name) <= LONGEST_NAME else "…" + name[1 - LONGEST_NAME :]


def _name(ax: Axes, title: str, x: str, y: str) -> None:
    # A dollar sign in a name starts no formula.
    if title:
        ax.set_title(_short(title), fontsize=POINTS + 1, parse_math=False)
    ax.set_xlabel(x, fontsize=POINTS, parse_math=False)
    ax.set_ylabel(y, fontsize=POINTS, parse_math=False)
    ax.tick_params(labelsize=POINTS)
    ax.spines[["top", "right"]].set_visible(False)


def _legend(ax: Axes, handles: Sequence | None = None, *, columns: int = 1) -> None:
    from matplotlib.transforms import offset_copy

    # Below the axes, where no bar or line can be under it.
    below = offset_copy(ax.transAxes, ax.get_figure(root=True), y=-34, units="points")
    legend = ax.legend(
        handles=ax.get_legend_handles_labels()[0] if handles is None else handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=below,
        ncols=columns,
        fontsize=POINTS - 0.5,
        frameon=False,
        borderpad=0,
        handlelength=2.4,
        columnspacing=1.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
