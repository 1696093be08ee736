"""The report of an evaluation as one page of HTML that needs no other file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources

from muse_jobs.evaluation.drawings import bias_figures, histograms

LANGUAGES = {"th": "Thai", "en": "English", "und": "undetermined"}
# What HTML's lang attribute calls a text in several languages (ISO 639-2).
HTML_LANGUAGES = {"mixed": "mul"}


def render_report(report: Mapping) -> str:
    """Tables, figures and the most biased queries of a report.

    The page has no scripts and asks for nothing from elsewhere. Equal reports give
    equal pages.

    Args:
        report: what `muse_jobs.evaluate` saves as JSON. Parts that a benchmark lacks
            are left out; a missing number is shown as ``-``.

    Returns:
        The page.

    Raises:
        InputError: there are figures to draw, and the extra ``plots`` is missing.
    """
    encoders = [encoder["name"] for encoder in report["encoders"]]
    style = resources.files(__package__).joinpath("report.css").read_text("utf-8")
    benchmarks = report.get("benchmarks", [])
    return _lines(
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light">',
        f"<title>{escape(report['title'])}</title>",
        f"<style>\n{style}</style>",
        "</head>",
        "<body>",
        "<header>",
        f"<h1>{escape(report['title'])}</h1>",
        _warnings(report.get("warnings", [])),
        _encoders(report["encoders"]),
        _contents(benchmarks),
        "</header>",
        "<main>",
        *(_benchmark(each, n, encoders) for n, each in enumerate(benchmarks, start=1)),
        "</main>",
        f"<footer>{escape(_pairs(report.get('versions', {}), ' '))}</footer>",
        "</body>",
        "</html>\n",
    )


def _warnings(warnings: Iterable[str]) -> str:
    items = _lines(*(f"<li>{escape(warning)}</li>" for warning in warnings))
    if not items:
        return ""
    return (
        f'<section class="warnings">\n<h2>Warnings</h2>\n<ul>\n{items}\n</ul>\n'
        "</section>"
    )


def _encoders(encoders: Iterable[Mapping]) -> str:
    return _lines(
        '<dl class="encoders">',
        *(
            f"<div><dt>{escape(encoder['name'])}</dt> "
            f"<dd>{escape(encoder.get('source') or '-')}</dd></div>"
            for encoder in encoders
        ),
        "</dl>",
    )


def _contents(benchmarks: Iterable[Mapping]) -> str:
    links = [
        f'<li><a href="#benchmark-{n}">{escape(each["title"])}</a></li>'
        for n, each in enumerate(benchmarks, start=1)
    ]
    return _lines("<nav><ul>", *links, "</ul></nav>") if len(links) > 1 else ""


def _benchmark(benchmark: Mapping, number: int, encoders: list[str]) -> str:
    facts = _pairs(benchmark.get("counts", {}), ": ")
    if benchmark.get("settings"):
        facts += f". LBKL: {_pairs(benchmark['settings'], ' = ')}"
    return _lines(
        f'<section id="benchmark-{number}">',
        f"<h2>{escape(benchmark['title'])}</h2>",
        f"<p>{escape(benchmark.get('about', ''))}</p>",
        f'<p class="facts">{escape(facts)}.</p>' if facts else "",
        _table(benchmark, encoders),
        _figures("What queries see", histograms(benchmark, encoders)),
        _figures("Language bias", bias_figures(benchmark, encoders)),
        _worst(benchmark, encoders),
        "</section>",
    )


def _table(benchmark: Mapping, encoders: list[str]) -> str:
    figures, differences = benchmark["figures"], benchmark.get("differences", {})
    labels = benchmark.get("labels", {})
    labels = labels | {name: name for name in figures if name not in labels}
    others = [
        name for name in encoders if any(name in row for row in differences.values())
    ]
    heads = [escape(name) for name in encoders]
    heads += [f"{escape(encoders[0])}<br>− {escape(other)}" for other in others]
    rows = []
    for figure, label in labels.items():
        if figure not in figures:
            continue
        cells = [_value(figures[figure].get(name, {})) for name in encoders]
        row = differences.get(figure, {})
        cells += [_difference(row.get(other, {})) for other in others]
        rows.append(
            f'<tr><th scope="row">{escape(label)}</th>{"".join(cells)}</tr>',
        )
    note = "Mean and 95 % interval."
    if others:
        note += " * marks a difference whose interval leaves out zero."
    return _lines(
        '<div class="wide" tabindex="0"><table>',
        "<thead><tr><td></td>",
        *(f'<th scope="col">{head}</th>' for head in heads),
        "</tr></thead>",
        "<tbody>",
        *rows,
        "</tbody>",
        "</table></div>",
        f'<p class="facts">{note}</p>',
    )


def _value(estimate: Mapping) -> str:
    return f"<td>{_number(estimate.get('mean'))}{_interval(estimate)}</td>"


def _difference(estimate: Mapping) -> str:
    low, high, p = (estimate.get(n, math.nan) for n in ("low", "high", "p_value"))
    mean = _number(estimate.get("mean"), signed=True)
    interval = _interval(estimate, signed=True)
    if not _missing(p):
        interval += f"<small>p {'&lt; 0.001' if p < 0.001 else f'= {p:.3f}'}</small>"
    if not _missing(low) and not _missing(high) and (low > 0 or high < 0):
        return f'<td class="clear">{mean} *{interval}</td>'
    return f"<td>{mean}{interval}</td>"


def _interval(estimate: Mapping, *, signed: bool = False) -> str:
    bounds = estimate.get("low"), estimate.get("high")
    if all(map(_missing, bounds)):
        return ""
    low, high = (_number(bound, signed=signed) for bound in bounds)
    return f"<small>{low} to {high}</small>"


def _figures(heading: str, drawn: list[str]) -> str:
    if not drawn:
        return ""
    return _lines(f"<h3>{heading}</h3>", '<div class="figures">', *drawn, "</div>")


def _worst(benchmark: Mapping, encoders: list[str]) -> str:
    worst = benchmark.get("worst", {})
    shown = [name for name in encoders if worst.get(name)]
    if not shown:
        return ""
    parts = ["<h3>The most biased queries</h3>"]
    for place, name in enumerate(shown):
        parts += [
            f"<details{' open' if place == 0 else ''}>",
            f"<summary>{escape(name)}</summary>",
            '<div class="queries">',
            *map(_query, worst[name]),
            "</div>\n</details>",
        ]
    return _lines(*parts)


def _query(query: Mapping) -> str:
    return _lines(
        f"<article>\n<h4>{_tagged(query)}</h4>",
        f'<p class="facts">LBKL {_number(query.get("lbkl"), digits=2)}. Share of Thai: '
        f"{_number(query.get('seen_th'), digits=2)}, should be "
        f"{_number(query.get('truth_th'), digits=2)}.</p>",
        "<ol>",
        *(
            f'<li class="relevant">{_tagged(result)} <strong>✓ relevant</strong></li>'
            if result["relevant"]
            else f"<li>{_tagged(result)}</li>"
            for result in query["results"]
        ),
        "</ol>\n</article>",
    )


def _tagged(text: Mapping) -> str:
    """A text, named ``query`` or ``text``, behind the tag of its language."""
    language = text["language"]
    known = language if language in ("th", "en") else "other"
    return (
        f'<span class="tag {known}">{escape(LANGUAGES.get(language, language))}</span> '
        f'<span lang="{escape(HTML_LANGUAGES.get(language, language))}">'
        f"{escape(text['query'] if 'query' in text else text['text'])}</span>"
    )


def _pairs(values: Mapping, joint: str) -> str:
    """``{"queries": {"th": 5}, "clusters": 3}`` -> ``queries: 5 Thai; clusters: 3``."""
    return "; ".join(
        f"{name}{joint}{_languages(value) if isinstance(value, Mapping) else value}"
        for name, value in values.items()
    )


def _languages(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {LANGUAGES.get(name, name)}" for name, n in counts.items())


def _number(value: float | None, *, digits: int = 3, signed: bool = False) -> str:
    if _missing(value):
        return "-"
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)
