"""Evaluations of several encoders as one dict: for JSON, a table, a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from muse_jobs.evaluation.benchmarks import Benchmark
from muse_jobs.evaluation.sets import (
    DEPTH,
    LANGUAGES,
    LBKL_SETTINGS,
    Evaluation,
    K,
    RetrievalSet,
    lbkl_references,
)
from muse_jobs.evaluation.uncertainty import bootstrap, permutation_p_value
from muse_jobs.metrics import language_histogram, language_shares, lbkl

WORST = 8
DEPTHS = (1, 2, 5, 10, 20, DEPTH)
# figure -> how it is named, in the order of the table
LABELS = {
    f"recall_at_{K}_combined": "Recall@10, combined pool",
    f"recall_at_{K}_th_en": "Recall@10, Thai to English",
    f"recall_at_{K}_en_th": "Recall@10, English to Thai",
    f"recall_at_{K}_th_th": "Recall@10, Thai to Thai",
    f"recall_at_{K}_en_en": "Recall@10, English to English",
    "lbkl": "LBKL@10",
    "lbkl_blind": "LBKL@10 of blind rankings",
    "lbkl_ceiling": "LBKL@10, own language first",
    "lbkl_excess": "LBKL@10 above blind",
    "mrr": "MRR",
    "map": "MAP",
    f"ndcg_at_{K}": "nDCG@10",
    "r_precision": "R-precision",
    f"tlr_at_{K}": "TLR@10, of the other language",
    "max_at_r": "Max@R, normalised",
    "mrc": "MRC of translated queries",
    "nearest_accuracy_at_1": "Accuracy@1, nearest title",
    "nearest_accuracy_at_3": "Accuracy@3, nearest title",
    "nearest_accuracy_at_1_th": "Accuracy@1, nearest title, Thai",
    "nearest_accuracy_at_1_en": "Accuracy@1, nearest title, English",
    "regression_accuracy_at_1": "Accuracy@1, regression",
    "regression_accuracy_at_3": "Accuracy@3, regression",
    "regression_accuracy_at_1_th": "Accuracy@1, regression, Thai",
    "regression_accuracy_at_1_en": "Accuracy@1, regression, English",
    "head_accuracy_at_1": "Accuracy@1, fields head",
    "head_accuracy_at_3": "Accuracy@3, fields head",
    "head_accuracy_at_1_th": "Accuracy@1, fields head, Thai",
    "head_accuracy_at_1_en": "Accuracy@1, fields head, English",
    "language_accuracy": "language told from the vector",
    "language_variance": "variance that is between the languages",
}
# The combined pool below this share of the separate ones: language bias is left.
FALLS_BEHIND = 0.85
GENERAL = ("xquad-r", "parallel")
HIGH, LOW = 0.6, 0.3


def summarise(
    benchmark: Benchmark, evaluations: Mapping[str, Evaluation]
) -> dict[str, Any]:
    """What a report says of one benchmark.

    Args:
        benchmark: the measured one.
        evaluations: encoder's name to its evaluation; the first is compared with the
            others.

    Returns:
        Counts, figures with 95 % intervals (bootstrap over clusters), differences of
        the first encoder to the others with paired intervals and p-values (permutation
        test), and for retrieval sets histograms, LBKL by k and the most biased queries.
    """
    first, *others = evaluations
    base = evaluations[first]
    shown = [name for name in LABELS if not np.isnan(base.figures.get(name, np.nan))]
    figures = {
        name: {
            encoder: _estimate(evaluation, name)
            for encoder, evaluation in evaluations.items()
        }
        for name in shown
    }
    differences = {
        name: {
            other: _difference(base, evaluations[other], name)
            for other in others
            if _values_of(name) in evaluations[other].per_query
        }
        for name in shown
        if others and _values_of(name) in base.per_query
    }
    summary: dict[str, Any] = {
        "name": benchmark.name,
        "title": benchmark.title,
        "about": benchmark.about,
        "labels": {name: LABELS[name] for name in shown},
        "figures": figures,
        "differences": differences,
    }
    if benchmark.retrieval is None:
        queries = len(next(iter(base.per_query.values())))
        counts = {"queries": queries, "clusters": len(set(base.clusters))}
        return {**summary, "counts": counts}
    data = benchmark.retrieval
    summary["counts"] = {
        "queries": dict(Counter(data.query_languages)),
        "entries": dict(Counter(data.entry_languages)),
        "clusters": len(set(data.clusters)),
    }
    if set(data.entry_languages) >= set(LANGUAGES):
        summary |= _language_bias(data, evaluations)
    return summary


def signs_of_failure(benchmarks: Sequence[dict], encoders: Sequence[str]) -> list[str]:
    """Sentences on what is known to go wrong and shows in the figures.

    Args:
        benchmarks: of `summarise`.
        encoders: the first is judged, the others are what it is compared with.

    Returns:
        One for each sign: the combined pool far behind the separate ones, LBKL outside
        the domain above another encoder's, descriptions matched while titles are not
        found.
    """
    first = encoders[0]
    found = []
    means = {
        benchmark["name"]: {
            name: of_encoders[first]["mean"]
            for name, of_encoders in benchmark["figures"].items()
        }
        for benchmark in benchmarks
    }
    for benchmark in benchmarks:
        own = means[benchmark["name"]]
        cross = [own.get(f"recall_at_{K}_{pair}") for pair in ("th_en", "en_th")]
        combined = own.get(f"recall_at_{K}_combined")
        if combined is not None and None not in cross:
            separate = sum(filter(None, cross)) / 2
            if combined < FALLS_BEHIND * separate:
                found.append(
                    f"{benchmark['name']}: Recall@10 is {combined:.3f} in the combined "
                    f"pool and {separate:.3f} in the separate ones: language bias is "
                    "left"
                )
        if benchmark["name"] in GENERAL:
            for other, change in benchmark["differences"].get("lbkl", {}).items():
                if change["low"] > 0:
                    found.append(
                        f"{benchmark['name']}: LBKL is {change['mean']:.3f} above that "
                        f"of {other}: bias outside the domain, a sign of overfitting"
                    )
    matching = means.get("descriptions", {}).get("mrr")
    titles = means.get("titles", {}).get(f"recall_at_{K}_combined")
    if matching is not None and titles is not None and matching > HIGH > LOW > titles:
        found.append(
            f"descriptions are matched (MRR {matching:.3f}) while title synonyms are "
            f"not found (Recall@10 {titles:.3f}): the matching task has taken over"
        )
    return found


def _values_of(figure: str) -> str:
    """Excess LBKL differs from LBKL by a constant and has its interval."""
    return "lbkl" if figure == "lbkl_excess" else figure


def _estimate(evaluation: Evaluation, figure: str) -> dict[str, float]:
    mean = evaluation.figures.get(figure, float("nan"))
    values = evaluation.per_query.get(_values_of(figure))
    if values is None:
        return {"mean": mean, "low": float("nan"), "high": float("nan")}
    estimate = bootstrap(values, evaluation.clusters)
    shift = mean - estimate.mean
    return {
        "mean": mean,
        "low": estimate.low + shift,
        "high": estimate.high + shift,
    }


def _difference(one: Evaluation, other: Evaluation, figure: str) -> dict[str, float]:
    change = one.per_query[_values_of(figure)] - other.per_query[_values_of(figure)]
    estimate = bootstrap(change, one.clusters)
    return {
        "mean": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "p_value": permutation_p_value(change, one.clusters),
    }


def _language_bias(
    data: RetrievalSet, evaluations: Mapping[str, Evaluation]
) -> dict[str, Any]:
    languages = np.array(data.entry_languages)
    truth: dict[str, float] = {}
    histograms: dict[str, dict[str, list[int]]] = {}
    worst: dict[str, list[dict]] = {}
    by_k: dict[str, Any] = {"k": list(DEPTHS)}
    references = [lbkl_references(data, k=k) for k in DEPTHS]
    by_k["blind"] = [blind for blind, _ in references]
    by_k["ceiling"] = [ceiling for _, ceiling in references]
    by_k["encoders"] = {}
    for name, evaluation in evaluations.items():
        settings = {**LBKL_SETTINGS, "own": data.own}
        by_k["encoders"][name] = [
            lbkl(evaluation.top, data.relevant, languages, **{**settings, "k": k})
            for k in DEPTHS
        ]
        histograms[name], truth = histograms_by_language(data, evaluation)
        worst[name] = _most_biased(data, evaluation)
    return {
        "settings": LBKL_SETTINGS,
        "histograms": histograms,
        "truth": truth,
        "lbkl_by_k": by_k,
        "worst": worst,
    }


def histograms_by_language(
    data: RetrievalSet, evaluation: Evaluation
) -> tuple[dict[str, list[int]], dict[str, float]]:
    """The language histogram of the queries of each language, and where it belongs.

    Args:
        data: the set.
        evaluation: on it.

    Returns:
        By query language, `muse_jobs.metrics.language_histogram`'s counts and the mean
        share of Thai that the queries should see; without languages that do not ask.
    """
    asked = np.array(data.query_languages)
    histograms, truth = {}, {}
    for language in LANGUAGES:
        rows = np.flatnonzero(asked == language)
        if not len(rows):
            continue
        chosen = {
            "ranked": evaluation.top[rows],
            "relevant": [data.relevant[row] for row in rows],
            "languages": np.array(data.entry_languages),
            "own": [data.own[row] for row in rows],
            "k": K,
        }
        histograms[language] = language_histogram(**chosen)[0].tolist()
        shares, _, names = language_shares(**chosen)
        truth[language] = float(np.nanmean(shares[:, names.index("th")]))
    return histograms, truth


def _most_biased(data: RetrievalSet, evaluation: Evaluation) -> list[dict]:
    """The queries with the highest LBKL, of equals the first, and what they see."""
    values = np.nan_to_num(evaluation.per_query["lbkl"], nan=-1.0)
    found = []
    wanted, seen, names = language_shares(
        evaluation.top,
        data.relevant,
        data.entry_languages,
        own=data.own,
        k=K,
    )
    thai = names.index("th")
    for row in np.argsort(-values, kind="stable")[:WORST]:
        if values[row] < 0:
            break
        results = [e for e in evaluation.top[row] if e != data.own[row]][:K]
        found.append(
            {
                "query": data.queries[row],
                "language": data.query_languages[row],
                "lbkl": float(values[row]),
                "truth_th": float(wanted[row, thai]),
                "seen_th": float(seen[row, thai]),
                "results": [
                    {
                        "text": data.entries[entry],
                        "language": data.entry_languages[entry],
                        "relevant": int(entry) in data.relevant[row],
                    }
                    for entry in results
                ],
            }
        )
    return found
