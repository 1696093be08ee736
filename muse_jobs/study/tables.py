"""The measured runs as one dict: means, intervals and paired tests of every figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from muse_jobs.evaluation.benchmarks import Benchmark
from muse_jobs.evaluation.sets import Evaluation, K
from muse_jobs.evaluation.summary import LABELS, histograms_by_language
from muse_jobs.evaluation.uncertainty import bootstrap, permutation_p_value
from muse_jobs.study.runs import Measured
from muse_jobs.study.settings import StudySettings

# The paper's figures, on its own data (arXiv 2502.03220): never to be mixed with ours.
PAPER = {
    "recall_at_10": {
        "plain": 61.91,
        "jf": 61.50,
        "jd": 66.41,
        "jt": 77.43,
        "paper": 79.43,
    },
    "lbkl": {"plain": 1.20, "jd": 1.26, "jt": 0.40},
    "lbkl_xquad_r": {"plain": 0.02, "paper": 0.04},
}
RECALL = f"recall_at_{K}_combined"
WITHIN = (f"recall_at_{K}_th_th", f"recall_at_{K}_en_en")
ACROSS = (f"recall_at_{K}_th_en", f"recall_at_{K}_en_th")
# benchmark -> the figure that says whether it is retrieved as well as before
GENERAL = {"xquad-r": RECALL, "msdocs": "mrr", "tatoeba": "mrr"}


def study_tables(
    settings: StudySettings,
    measured: Sequence[Measured],
    benchmarks: Mapping[str, Benchmark],
) -> dict[str, object]:
    """Every figure of every run, compared with the baseline and the paper's recipe.

    Args:
        settings: the study's.
        measured: all runs of all seeds.
        benchmarks: that they were measured on.

    Returns:
        For each benchmark its figures (mean over the seeds, 95 % interval over seeds
        and queries, the seeds' own means) and the paired differences; the histograms of
        the first seed; and the bars.
    """
    by_run: dict[str, dict[int, Measured]] = {}
    for one in measured:
        by_run.setdefault(one.run.name, {})[one.seed] = one
    found: dict[str, dict] = {}
    for name, benchmark in benchmarks.items():
        evaluations = {
            run: {seed: one.evaluations[name] for seed, one in seeds.items()}
            for run, seeds in by_run.items()
        }
        first = next(iter(evaluations[settings.baseline].values()))
        shown = [label for label in LABELS if label in first.figures]
        found[name] = {
            "title": benchmark.title,
            "labels": {figure: LABELS[figure] for figure in shown},
            "queries": len(first.clusters),
            "clusters": len(set(first.clusters)),
            "figures": {
                figure: {
                    run: _estimate(list(seeds.values()), figure)
                    for run, seeds in evaluations.items()
                }
                for figure in shown
            },
            "differences": {
                other: {
                    figure: {
                        run: _difference(seeds, evaluations[other], figure)
                        for run, seeds in evaluations.items()
                        if run != other
                    }
                    for figure in shown
                    if _values_of(figure) in first.per_query
                }
                for other in (settings.baseline, settings.recipe)
            },
        }
        if benchmark.retrieval is not None:
            found[name]["histograms"] = {}
            for run, seeds in evaluations.items():
                counts, truth = histograms_by_language(
                    benchmark.retrieval, seeds[min(seeds)]
                )
                found[name]["histograms"][run] = counts
                found[name]["truth"] = truth
    return {"benchmarks": found, "bars": _bars(settings, found), "paper": PAPER}


def _values_of(figure: str) -> str:
    """Excess LBKL differs from LBKL by a constant and has its interval."""
    return "lbkl" if figure == "lbkl_excess" else figure


def _estimate(evaluations: Sequence[Evaluation], figure: str) -> dict[str, object]:
    means = [evaluation.figures[figure] for evaluation in evaluations]
    mean = float(np.mean(means))
    name = _values_of(figure)
    if name not in evaluations[0].per_query:
        return {"mean": mean, "low": float("nan"), "high": float("nan"), "seeds": means}
    values = np.stack([evaluation.per_query[name] for evaluation in evaluations])
    estimate = bootstrap(values, evaluations[0].clusters)
    shift = mean - estimate.mean
    return {
        "mean": mean,
        "low": estimate.low + shift,
        "high": estimate.high + shift,
        "seeds": means,
    }


def _difference(
    one: Mapping[int, Evaluation], other: Mapping[int, Evaluation], figure: str
) -> dict[str, float]:
    """Seed by seed; what was not trained, or with one seed, stands for all seeds."""
    name = _values_of(figure)
    seeds = sorted(set(one) & set(other)) if len(other) > 1 else sorted(one)
    values = np.stack(
        [
            one[seed].per_query[name]
            - (other[seed] if seed in other else other[min(other)]).per_query[name]
            for seed in seeds or [min(one)]
        ]
    )
    clusters = one[min(one)].clusters
    estimate = bootstrap(values, clusters)
    return {
        "mean": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "p_value": permutation_p_value(values.mean(axis=0), clusters),
    }


def _bars(settings: StudySettings, found: Mapping[str, dict]) -> list[dict]:
    """What was to be reached, what was, and whether it is enough."""
    titles = found["titles"]["figures"]
    plain, ours = settings.baseline, settings.ours

    def mean(figure: str, run: str) -> float:
        return titles[figure][run]["mean"]

    def gain(figure: str) -> float:
        return 100 * (mean(figure, ours) - mean(figure, plain))

    removed = 1 - mean("lbkl_excess", ours) / mean("lbkl_excess", plain)
    worst = min(gain(figure) for figure in (*WITHIN, *ACROSS))
    across = min(gain(figure) for figure in ACROSS)
    bars = [
        _bar("Recall@10 combined, points above plain mUSE", 20.0, gain(RECALL)),
        _bar("excess LBKL removed, per cent", 97.0, 100 * removed),
        _bar("least gain within and across languages, points", 0.0, worst),
        _bar("least gain across languages, points", 10.0, across),
    ]
    order = [run for run in ("paper", "jt", "jd") if run in titles[RECALL]] + [plain]
    if len(order) == 4:
        values = [mean(RECALL, run) for run in order]
        falls = min(a - b for a, b in zip(values, values[1:], strict=False))
        bars.append(
            _bar("full above JT above JD above plain: least step", 0.0, 100 * falls)
        )
    for name, figure in GENERAL.items():
        if name in found:
            for own, sign in ((figure, 1), ("lbkl", -1)):
                change = found[name]["differences"][plain][own][ours]
                # No worse beyond the interval: the better end is not below zero.
                end = change["high"] if sign > 0 else -change["low"]
                label = found[name]["labels"][own]
                bars.append(
                    _bar(f"{name}, {label}: better end of the change", 0.0, end)
                )
    return bars


def _bar(name: str, wanted: float, reached: float) -> dict[str, object]:
    return {
        "bar": name,
        "wanted": wanted,
        "reached": reached,
        "met": bool(reached >= wanted),
    }
