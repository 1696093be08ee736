import re
from html.parser import HTMLParser

import pytest

from muse_jobs.evaluation.report import render_report
from tests.browser import chromium
from tests.report_sample import estimate, query, sample_report

VOID = {"meta", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """Elements, the text of each table row's cells, and texts by their lang."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.rows, self.languages = [], [], []
        self._open = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self._open.append((tag, attributes))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        opened, _ = self._open.pop()
        assert opened == tag

    def handle_data(self, data):
        tags = [tag for tag, _ in self._open]
        if "td" in tags or "th" in tags:
            self.rows[-1][-1] += data if tags[-1] != "small" else f" {data}"
        if tags[-1:] == ["span"] and "lang" in self._open[-1][1]:
            self.languages.append((self._open[-1][1]["lang"], data))

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture(scope="module")
def html():
    return render_report(sample_report())


def test_same_report_gives_the_same_bytes(html):
    assert render_report(sample_report()) == html


def test_the_page_is_whole_and_asks_for_nothing(html):
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert page.count("script") == page.count("link") == page.count("img") == 0
    for _, attributes in page.elements:
        for name, value in attributes.items():
            if name in ("href", "src", "xlink:href"):
                assert value.startswith("#")
    # The namespaces are the only addresses.
    assert set(re.findall(r"https?://[^\"' )]+", html)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "@import" not in html and not re.search(r"url\((?!#)", html)


def test_ids_are_unique_and_links_lead_to_them(html):
    elements = Page(html).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in elements if tag == "a"]
    assert links == ["#benchmark-1", "#benchmark-2"]
    assert {link[1:] for link in links} <= set(ids)


def test_warnings_come_first(html):
    warning = html.index("language bias is left")
    assert html.index("<h1>") < warning < html.index("Title synonyms, balanced")
    without = sample_report() | {"warnings": []}
    assert "Warnings" not in render_report(without)


def test_the_table_has_every_figure_and_difference(html):
    rows = Page(html).rows
    assert rows == [
        ["", "muse_jobs/1", "plain mUSE", "muse_jobs/1− plain mUSE"],
        [
            "Recall@10, combined pool",
            "0.587 0.552 to 0.621",
            "0.439 0.401 to 0.476",
            "+0.148 * +0.116 to +0.181 p < 0.001",
        ],
        [
            "Recall@10, Thai to English",
            "0.667 0.621 to 0.712",
            "0.637 0.590 to 0.684",
            "+0.030 -0.004 to +0.066 p = 0.084",
        ],
        [
            "LBKL@10",
            "0.064 0.052 to 0.079",
            "0.346 0.297 to 0.398",
            "-0.282 * -0.332 to -0.235 p < 0.001",
        ],
        ["LBKL@10 of blind rankings", "0.053", "0.053", "-"],
        [
            "LBKL@10 above blind",
            "0.011 -0.001 to 0.026",
            "0.293 0.244 to 0.345",
            "-0.282 * -0.332 to -0.235 p < 0.001",
        ],
        ["", "muse_jobs/1", "plain mUSE"],
        ["Accuracy@1, regression", "0.712 0.671 to 0.752", "-"],
    ]


def test_about_counts_settings_and_versions_are_told(html):
    for text in (
        "ISCO-08 titles in Thai",
        "queries: 290 Thai, 290 English; entries: 290 Thai, 290 English; clusters: 238",
        "LBKL: k = 10; epsilon = 0.01; direction = P||Q.",
        "queries: 580; clusters: 238.",
        "savedmodels/muse_jobs/1",
        "tensorflow 2.21.0",
    ):
        assert text in html


def test_a_figure_without_a_label_is_named_by_its_key():
    report = sample_report()
    report["benchmarks"][1]["figures"]["new"] = {"muse_jobs/1": estimate(0.25)}
    assert ["new", "0.250", "-"] in Page(render_report(report)).rows


def test_figures_are_drawn_for_every_encoder(html):
    labels = [
        attributes["aria-label"]
        for tag, attributes in Page(html).elements
        if tag == "svg"
    ]
    assert labels == [
        "Title synonyms, balanced: language histograms of muse_jobs/1",
        "Title synonyms, balanced: language histograms of plain mUSE",
        "Title synonyms, balanced: LBKL by length of the list",
        "Title synonyms, balanced: language bias against recall",
    ]


def test_texts_say_their_language(html):
    languages = Page(html).languages
    assert languages[:4] == [
        ("th", "พนักงานขายทางโทรศัพท์"),
        ("th", "เทเลเซลส์"),
        ("th", "พนักงานขายนอกสถานที่"),
        ("mul", "เจ้าหน้าที่ Telesales"),
    ]
    assert ("en", "Outside Sales Representative") in languages
    assert ("und", "3322") in languages


def test_relevant_results_are_named_so(html):
    items = re.findall(r"<li[^>]*>.*?</li>", html)
    assert ["✓ relevant" in item for item in items if "เทเลเซลส์" in item] == [True] * 2
    assert not any("✓ relevant" in item for item in items if "เซลส์วิ่งตลาด" in item)


@pytest.mark.parametrize("absent", ["histograms", "lbkl_by_k", "worst", "differences"])
def test_missing_parts_are_left_out(absent):
    report = sample_report()
    del report["benchmarks"][0][absent]
    page = Page(render_report(report))
    drawn = {"histograms": 2, "lbkl_by_k": 3}.get(absent, 4)
    assert page.count("svg") == drawn
    assert page.count("article") == (0 if absent == "worst" else 5)
    assert len(page.rows[0]) == (3 if absent == "differences" else 4)


def test_without_benchmarks_there_is_still_a_page():
    page = Page(render_report({"title": "x", "encoders": [{"name": "a"}]}))
    assert page.count("h1") == 1 and page.count("svg") == 0


def test_every_text_is_escaped():
    attack = "<script>alert(1)</script>\"&'"
    report = sample_report()
    report["title"] = attack
    report["warnings"] = [attack]
    report["versions"] = {attack: attack}
    report["encoders"] = [{"name": attack, "source": attack}]
    benchmark = report["benchmarks"][0]
    benchmark |= {"name": attack, "title": attack, "about": attack}
    benchmark["labels"] = {name: attack for name in benchmark["labels"]}
    for part in (benchmark["figures"], benchmark["differences"]):
        for row in part.values():
            row[attack] = estimate(0.5, 0.4, 0.6, p_value=0.5)
    benchmark["histograms"] = {attack: {"th": [1] * 11, attack: [1] * 11}}
    benchmark["lbkl_by_k"]["encoders"] = {attack: [0.1] * 6}
    benchmark["counts"] = {attack: {attack: 1}}
    benchmark["worst"] = {
        attack: [query(attack, attack, 1.0, 1.0, (attack, attack, True))]
    }
    html = render_report(report)
    assert "<script" not in html
    page = Page(html)
    assert page.count("script") == 0
    # No attribute was left early.
    assert (attack, attack) in page.languages


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 400])
def test_a_browser_draws_the_page(html, width, tmp_path):
    from matplotlib.image import imread

    (tmp_path / "report.html").write_text(html, "utf-8")
    chromium(
        tmp_path / "profile",
        f"--window-size={width},2400",
        f"--screenshot={tmp_path / 'report.png'}",
        (tmp_path / "report.html").as_uri(),
    )
    pixels = (imread(tmp_path / "report.png")[..., :3] * 255).round().astype(int)
    for colour in ((0, 0x72, 0xB2), (0xE6, 0x9F, 0)):  # the bars of both languages
        assert (abs(pixels - colour).max(axis=-1) <= 2).sum() > 1000
    assert (pixels.max(axis=-1) < 60).mean() > 0.003  # letters
    assert (pixels.min(axis=-1) > 250).mean() > 0.5  # on white
