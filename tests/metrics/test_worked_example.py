"""The numbers of docs/metrics.md are those of the code, and the reverse."""

import math
import re
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from muse_jobs import metrics
from muse_jobs.data.text import language_of
from muse_jobs.metrics import (
    blind_lbkl,
    language_shares,
    lbkl,
    max_at_r,
    mrr,
    one_language_lbkl,
    query_lbkl,
    recall_at_k,
    tlr_at_k,
)

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
EXAMPLE = PAGE.split("### An example by hand")[1].split("### Beside it")[0]
ROWS = [
    [cell.strip() for cell in line.replace(r"\|", "/").strip("|").split("|")]
    for line in EXAMPLE.splitlines()
    if line.startswith("|")
]
TITLES = [row for row in ROWS if row[0].isdigit()]
VALUES = {row[0]: float(row[2]) for row in ROWS if len(row) == 3 and "." in row[2]}
LANGUAGES = [row[2] for row in TITLES]
RELEVANT = [[int(row[3]) - 1] for row in TITLES]
RANKED = [[int(number) - 1 for number in row[4].split()] for row in TITLES]
OWN = list(range(6))
TRUTH = {"relevant": RELEVANT, "languages": LANGUAGES, "own": OWN, "k": 2}


def test_the_example_is_whole():
    assert (
        [language_of(row[1]) for row in TITLES] == LANGUAGES == 3 * ["th"] + 3 * ["en"]
    )
    for query, ranking in enumerate(RANKED):
        assert sorted([query, *ranking]) == OWN


def test_each_title_has_the_shares_and_the_divergence_of_its_row():
    p, q, names = language_shares(RANKED, **TRUTH)
    np.testing.assert_array_equal(p, 0.5)
    seen = q[:, names.index("th")] * 2
    np.testing.assert_array_equal(seen, [int(row[5]) for row in TITLES])
    written = [float(row[6]) for row in TITLES]
    np.testing.assert_allclose(query_lbkl(RANKED, **TRUTH), written, atol=5e-5)


def test_the_steps_add_up():
    thai, english = re.findall(r"Q\(..\) = \((\d) \+ 0\.01\) / 1\.02 = (\S+)", EXAMPLE)
    _, q, names = language_shares(RANKED, **TRUTH)
    for language, (share, smoothed) in (("th", thai), ("en", english)):
        assert q[0, names.index(language)] == int(share)
        assert (int(share) + 0.01) / 1.02 == pytest.approx(float(smoothed), abs=5e-5)
    terms = re.search(r"= (\S+) \+ (\S+) = (\S+)$", EXAMPLE, re.M).groups()
    first, second, total = map(float, terms)
    assert first == pytest.approx(0.5 * math.log(0.5 * 1.02 / 1.01), abs=5e-5)
    assert second == pytest.approx(0.5 * math.log(0.5 * 1.02 / 0.01), abs=5e-5)
    assert total == pytest.approx(query_lbkl(RANKED, **TRUTH)[0], abs=5e-5)


def test_the_figures_are_those_of_the_table():
    rankings = list(permutations(range(1, 6)))
    every_ranking = lbkl(
        rankings,
        [RELEVANT[0]] * len(rankings),
        LANGUAGES,
        own=[0] * len(rankings),
        k=2,
    )
    ceiling = {**TRUTH, "query_languages": LANGUAGES}
    found = {
        "LBKL": lbkl(RANKED, **TRUTH),
        "blind reference": every_ranking,
        "one-language ceiling": one_language_lbkl(**ceiling),
        "excess": lbkl(RANKED, **TRUTH) - every_ranking,
        "LBKL, pooled": lbkl(RANKED, **TRUTH, aggregate="pooled"),
        "LBKL of the ceiling, Q // P": one_language_lbkl(**ceiling, direction="Q||P"),
        "Recall@2": recall_at_k(RANKED, RELEVANT, k=2),
        "TLR@2": tlr_at_k(RANKED, RELEVANT, LANGUAGES, LANGUAGES, k=2),
        "MRR": mrr(RANKED, RELEVANT),
        "Max@R": max_at_r(RANKED, RELEVANT),
    }
    assert found == pytest.approx(VALUES, abs=5e-5)


def test_the_blind_reference_nears_that_of_every_ranking():
    # 120,000 draws of 0 or 1.6243: one standard error is 0.0023
    found = blind_lbkl(**TRUTH, repeats=20_000)
    assert found == pytest.approx(VALUES["blind reference"], abs=0.009)


def test_the_first_lines_give_what_they_say():
    code = re.search(r"```python\n(.*?)```", PAGE, re.S)[1]
    names = {}
    exec(code, names)
    recall, bias = map(float, re.findall(r"k=2\)\s+# (\S+)", code))
    sample = names["ranked"], names["relevant"]
    assert recall_at_k(*sample, k=2) == recall
    assert lbkl(*sample, ["th", "th", "en"], k=2) == pytest.approx(bias, abs=5e-5)


def test_every_metric_is_described():
    means = set(metrics.__all__) - {"NOT_COUNTED", "language_shares", "mean_of_defined"}
    for name in means:
        assert name.startswith("query_") or f"`{name}`" in PAGE, name
