import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from muse_jobs.evaluation.drawings import bias_figures, histograms, inline_svg
from tests.report_sample import sample_report

ENCODERS = ["muse_jobs/1", "plain mUSE"]
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def some_figure(name):
    figure = Figure(layout="constrained")
    ax = figure.add_subplot()
    ax.plot([1, 2], [3, 4], marker="o")
    ax.set_title(name, parse_math=False)
    return figure


@pytest.mark.parametrize("name", ["ภาษาไทย", "$x$ & <b>", '"quoted"'])
def test_text_of_a_figure_stays_text(name):
    svg = inline_svg(some_figure(name), name)
    element = ElementTree.fromstring(svg)
    assert element.tag == f"{SVG}svg"
    assert element.get("aria-label") == name
    assert name in texts(svg)
    assert "<b>" not in svg


def test_equal_figures_give_equal_text_without_a_date():
    first, second = (inline_svg(some_figure("a"), "a") for _ in range(2))
    assert first == second
    assert "metadata" not in first and "date" not in first


def test_references_stay_inside_and_figures_share_no_id():
    ids = []
    for name in ("a", "b"):
        svg = inline_svg(some_figure(name), name)
        own = re.findall(r'\bid="([^"]*)"', svg)
        asked = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', svg)
        assert {one or other for one, other in asked} <= set(own)
        assert asked and len(own) == len(set(own))
        ids.append(set(own))
    assert not ids[0] & ids[1]


def test_histograms_of_encoders_share_a_scale():
    benchmark = sample_report()["benchmarks"][0]
    drawn = histograms(benchmark, ENCODERS)
    assert [name in texts(svg) for name, svg in zip(ENCODERS, drawn, strict=True)]
    ticks = [[text for text in texts(svg) if text.isdigit()] for svg in drawn]
    assert ticks[0] == ticks[1]
    assert "80" in ticks[0]  # the highest bar has 92 queries


def test_bias_figures_name_every_encoder():
    benchmark = sample_report()["benchmarks"][0]
    by_k, against_recall = bias_figures(benchmark, ENCODERS)
    assert set(ENCODERS) <= set(texts(by_k)) & set(texts(against_recall))
    assert benchmark["labels"]["recall_at_10_combined"] in texts(against_recall)
    assert benchmark["labels"]["lbkl_excess"] in texts(against_recall)


def test_dollar_signs_of_names_start_no_formula():
    name = "$x$_1"
    benchmark = sample_report()["benchmarks"][0]
    benchmark["histograms"] = {name: benchmark["histograms"]["plain mUSE"]}
    benchmark["lbkl_by_k"]["encoders"] = {name: [0.1] * 6}
    benchmark["labels"]["lbkl_excess"] = name
    drawn = histograms(benchmark, [name]) + bias_figures(benchmark, ENCODERS)
    assert [name in texts(svg) for svg in drawn] == [True] * 3


def test_without_values_nothing_is_drawn():
    classification = sample_report()["benchmarks"][1]
    assert histograms(classification, ENCODERS) == []
    assert bias_figures(classification, ENCODERS) == []
