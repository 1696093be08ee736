"""The study's report as Markdown, and its figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from muse_jobs.evaluation.plots import language_histograms, lbkl_against_recall
from muse_jobs.files import replacing

RECALL = "recall_at_10_combined"
ABLATION = (
    RECALL,
    "recall_at_10_th_en",
    "recall_at_10_en_th",
    "recall_at_10_th_th",
    "recall_at_10_en_en",
)
GENERAL = ("xquad-r", "msdocs", "tatoeba")
COMPARED = (
    *ABLATION,
    "lbkl_excess",
    "mrr",
    "map",
    "tlr_at_10",
    "max_at_r",
)
DPI = 130


def render_study(report: Mapping) -> str:
    """The tables of a study, in the paper's form where the paper has the table.

    Args:
        report: what ``python -m muse_jobs.study`` saves as JSON.

    Returns:
        Markdown.
    """
    parts = [
        "# Study",
        _data(report),
        "## What was to be reached",
        _bars(report),
        "## Ablation: title synonyms of held-out units, Recall@10",
        _ablation(report),
        "## LBKL@10",
        _bias(report),
        "## Outside the domain",
        _general(report),
        "## Occupations and descriptions",
        _others(report),
        *_comparisons(report),
        "## Open questions",
        _gradients(report),
        _knob(report),
        "## Runs",
        _runs(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def draw_study(report: Mapping, folder: Path) -> list[Path]:
    """Language histograms, bias against recall, and the knob, as PNG files.

    Args:
        report: as `render_study`.
        folder: gets them.

    Returns:
        The files.
    """
    from matplotlib.figure import Figure

    titles = report["benchmarks"]["titles"]
    chosen = [report["names"][role] for role in ("baseline", "recipe", "ours")]
    shown = [name for name in ("titles", "xquad-r") if name in report["benchmarks"]]
    figure = Figure((10.5, 3.6 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), len(chosen), squeeze=False)
    for row, name in zip(grid, shown, strict=True):
        benchmark = report["benchmarks"][name]
        for ax, run in zip(row, chosen, strict=True):
            language_histograms(
                benchmark["histograms"][run],
                benchmark["truth"],
                k=10,
                ax=ax,
                title=f"{benchmark['title']}: {run}",
            )
    files = [_save(figure, folder / "histograms.png")]
    figure = Figure((8.2, 4.6), layout="constrained")
    axes = figure.subplots()
    lbkl_against_recall(
        titles["figures"][RECALL],
        titles["figures"]["lbkl_excess"],
        ax=axes,
        title="held-out titles: bias against recall",
        recall_label="Recall@10, combined pool",
        lbkl_label="LBKL@10 above blind",
    )
    if legend := axes.get_legend():
        legend.remove()  # the runs are many: beside, not below
    figure.legend(loc="outside right center", fontsize=8, frameon=False)
    files.append(_save(figure, folder / "frontier.png"))
    if report.get("knob"):
        files.append(_save(_knob_figure(report, Figure), folder / "knob.png"))
    return files


def _knob_figure(report: Mapping, figure_class):
    figure = figure_class((8.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for run, steps in report["knob"].items():
        strengths = [step["strength"] for step in steps if abs(step["strength"]) < 1]
        steps = [step for step in steps if abs(step["strength"]) < 1]
        own, recall = (
            [step[name] for step in steps] for name in ("own_recall", "recall")
        )
        left.plot(strengths, own, marker="o", label=f"{run}: own language")
        left.plot(strengths, recall, marker="s", linestyle="--", label=f"{run}: both")
        right.plot([step["lbkl"] for step in steps], own, marker="o", label=run)
    left.set_xlabel("added to the cosine of the query's own language")
    left.set_ylabel("Recall@10, combined pool")
    right.set_xlabel("LBKL@10")
    right.set_ylabel("recall of the own language's titles")
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(fontsize=7, frameon=False)
    return figure


def _save(figure, path: Path) -> Path:
    with replacing(path) as beside:
        figure.savefig(beside, dpi=DPI, format="png")
    return path


def _data(report: Mapping) -> str:
    lines = [f"Base encoder: {report['encoder']}."]
    lines += [f"- {name}: {count:,}" for name, count in report["counts"].items()]
    lines += [f"- {name}: **{count}**" for name, count in report["checks"].items()]
    return "\n".join(lines)


def _bars(report: Mapping) -> str:
    rows = [
        [b["bar"], f"{b['wanted']:g}", f"{b['reached']:.4g}", _yes(b["met"])]
        for b in report["bars"]
    ]
    return _table(["bar", "wanted", "reached", ""], rows)


def _ablation(report: Mapping) -> str:
    titles = report["benchmarks"]["titles"]
    header = ["run", *(titles["labels"][f] for f in ABLATION), "paper, its own data"]
    rows = []
    for run, title in report["titles"].items():
        paper = report["paper"]["recall_at_10"].get(run)
        cells = [_estimate(titles["figures"][figure][run]) for figure in ABLATION]
        rows.append([title, *cells, f"{paper:.2f} %" if paper else "-"])
    return _table(header, rows)


def _bias(report: Mapping) -> str:
    benchmarks = report["benchmarks"]
    names = ["titles", *(name for name in GENERAL if name in benchmarks)]
    header = ["run", "titles", "titles, above blind", *names[1:]]
    header += ["language variance", "paper: in its domain", "paper: XQuAD-R"]
    rows = []
    for run, title in report["titles"].items():
        cells = [_estimate(benchmarks["titles"]["figures"]["lbkl"][run])]
        cells += [_estimate(benchmarks["titles"]["figures"]["lbkl_excess"][run])]
        cells += [_estimate(benchmarks[n]["figures"]["lbkl"][run]) for n in names[1:]]
        variance = benchmarks["language"]["figures"]["language_variance"][run]
        cells.append(_estimate(variance))
        for key in ("lbkl", "lbkl_xquad_r"):
            value = report["paper"][key].get(run)
            cells.append("-" if value is None else f"{value:.2f}")
        rows.append([title, *cells])
    blind = [
        benchmarks[name]["figures"]["lbkl_blind"][report["names"]["baseline"]]["mean"]
        for name in names
    ]
    pairs = zip(names, blind, strict=True)
    note = ", ".join(f"{name} {value:.3f}" for name, value in pairs)
    return f"{_table(header, rows)}\n\nBlind rankings: {note}."


def _general(report: Mapping) -> str:
    benchmarks = report["benchmarks"]
    columns = [(n, f) for n in GENERAL if n in benchmarks for f in (RECALL, "mrr")]
    if not columns:
        return "Not measured in this size."
    return _columns(report, columns)


def _others(report: Mapping) -> str:
    benchmarks = report["benchmarks"]
    columns = [
        ("occupations", "nearest_accuracy_at_1"),
        ("occupations", "regression_accuracy_at_1"),
        ("descriptions", "mrr"),
        ("language", "language_accuracy"),
    ]
    return _columns(report, [column for column in columns if column[0] in benchmarks])


def _columns(report: Mapping, columns: Sequence[tuple[str, str]]) -> str:
    """A row a run, a column for each (benchmark, figure)."""
    benchmarks = report["benchmarks"]
    labels = [f"{n}: {benchmarks[n]['labels'][f]}" for n, f in columns]
    rows = [
        [title, *(_estimate(benchmarks[n]["figures"][f][run]) for n, f in columns)]
        for run, title in report["titles"].items()
    ]
    return _table(["run", *labels], rows)


def _comparisons(report: Mapping) -> Iterable[str]:
    titles, ours = report["benchmarks"]["titles"], report["names"]["ours"]
    for role, name in (("baseline", "plain mUSE"), ("recipe", "the paper's recipe")):
        differences = titles["differences"][report["names"][role]]
        rows = [
            [titles["labels"][figure], _change(differences[figure][ours])]
            for figure in COMPARED
            if figure in differences
        ]
        yield f"### Ours against {name}, held-out titles"
        yield _table(["figure", "difference, 95 % interval, paired p"], rows)


def _gradients(report: Mapping) -> str:
    found = report.get("gradients")
    if not found:
        return ""
    layers = list(next(iter(found.values())))
    rows = [
        [pair, *(f"{by_layer[layer]:+.3f}" for layer in layers)]
        for pair, by_layer in found.items()
    ]
    text = "### Cosine of the tasks' mean gradients on the shared weights, at the start"
    return f"{text}\n\n{_table(['tasks', *layers], rows)}"


def _knob(report: Mapping) -> str:
    if not report.get("knob"):
        return ""
    parts = ["### A preference for the query's own language, at query time"]
    for run, steps in report["knob"].items():
        header = ["strength", "Recall@10", "own language's", "the other's"]
        rows = [
            [
                f"{step['strength']:g}",
                *(f"{step[k]:.3f}" for k in ("recall", "own_recall", "other_recall")),
                f"{step['lbkl']:.3f}",
                f"{step['own_share']:.3f}",
            ]
            for step in steps
        ]
        table = _table([*header, "LBKL@10", "share of own language"], rows)
        parts.append(f"{report['titles'][run]}:\n\n{table}")
    return "\n\n".join(parts)


def _runs(report: Mapping) -> str:
    rows = [
        [run["run"], str(run["seed"]), str(run["cycles"]), str(run["best_cycle"])]
        for run in report["runs"]
        if run.get("cycles")
    ]
    return _table(["run", "seed", "cycles", "best cycle"], rows)


def _yes(met: bool) -> str:
    return "met" if met else "**missed**"


def _estimate(estimate: Mapping) -> str:
    mean, low, high = (estimate[name] for name in ("mean", "low", "high"))
    if mean is None:
        return "-"
    if low is None or low != low:
        return f"{mean:.3f}"
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def _change(estimate: Mapping) -> str:
    return (
        f"{estimate['mean']:+.3f} ({estimate['low']:+.3f} to {estimate['high']:+.3f}), "
        f"p {estimate['p_value']:.4f}"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
