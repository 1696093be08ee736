import numpy as np
import pytest

from muse_jobs.data.postings import JobPosting
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.splits import split_postings
from muse_jobs.evaluation.comparison import compare, format_table
from muse_jobs.evaluation.evaluators import (
    TitlePool,
    evaluate_field_scores,
    evaluate_matching,
    evaluate_titles,
    title_pool,
)
from muse_jobs.evaluation.postings import evaluate_postings
from muse_jobs.evaluation.uncertainty import bootstrap

JOBS = 40
KINDS = ("th", "th", "en", "en")
POOL = TitlePool(
    titles=tuple(
        f"{job} {kind} {n}" for job in range(JOBS) for n, kind in enumerate(KINDS)
    ),
    languages=KINDS * JOBS,
    jobs=tuple(str(job) for job in range(JOBS) for _ in KINDS),
)


def vectors_of(offset, noise=0.35, seed=0):
    """Titles of one job lie around its point; a constant offset tells the language."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(JOBS, 64))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    direction = rng.normal(size=64)
    direction /= np.linalg.norm(direction)
    rows = {}
    for title, language, job in zip(
        POOL.titles, POOL.languages, POOL.jobs, strict=True
    ):
        sign = 1 if language == "th" else -1
        row = points[int(job)] + noise * rng.normal(size=64) / 8
        row = row + sign * offset * direction
        rows[title] = (row / np.linalg.norm(row)).astype(np.float32)
    return lambda texts: np.stack([rows[text] for text in texts])


def test_a_language_offset_raises_lbkl_and_leaves_recall_within_a_language():
    found = [
        evaluate_titles(vectors_of(offset), POOL).figures
        for offset in (0.0, 0.5, 1.0, 2.0)
    ]
    values = [figures["lbkl"] for figures in found]
    assert values == sorted(values)
    assert values[-1] > found[-1]["lbkl_ceiling"] * 0.95
    combined = [figures["recall_at_10_combined"] for figures in found]
    assert combined[0] == 1.0
    assert combined[-1] == pytest.approx(1 / 3, abs=0.05)  # the own language's title
    assert found[-1]["recall_at_10_th_en"] > 0.9  # a separate pool knows no bias
    assert found[0]["lbkl_excess"] == found[0]["lbkl"] - found[0]["lbkl_blind"]


def test_the_order_of_the_pool_changes_nothing():
    order = np.random.default_rng(3).permutation(len(POOL.titles))
    shuffled = TitlePool(
        *(tuple(column[i] for i in order) for column in (POOL.titles, POOL.languages)),
        tuple(POOL.jobs[i] for i in order),
    )
    one = evaluate_titles(vectors_of(0.7), POOL).figures
    other = evaluate_titles(vectors_of(0.7), shuffled).figures
    for name, value in one.items():
        tolerance = 0.02 if "blind" in name or "excess" in name else 1e-9
        assert other[name] == pytest.approx(value, abs=tolerance), name


def test_title_pool_is_even_and_counts_a_key_once():
    postings = [
        JobPosting("1", "พนักงานขาย", "Sales", role="sales"),
        JobPosting("2", " พนักงานขาย", "SALES", role="sales"),
        JobPosting("3", "เซลส์", "Sales Rep", role="sales"),
        JobPosting("4", "Chef", "Chef", role="chef"),
    ]
    pool = title_pool(postings, per_job=2)
    assert len(pool.titles) == 5
    assert pool.languages.count("th") == 2
    uneven = [*postings, JobPosting("5", "แคดดี้", None, role="caddie")]
    uneven += [JobPosting("6", "แคดดี้สนาม", "Caddie", role="caddie")]
    languages = title_pool(uneven).languages
    assert languages.count("th") == 3 and languages.count("en") == 4
    chef = pool.titles.index("Chef")
    assert pool.languages[chef] == "en"  # in both columns: by its letters
    assert title_pool(postings[::-1], per_job=2) == pool


def test_matching_and_fields_by_hand():
    postings = [
        JobPosting("1", "ก", None, "dog", ("a",), role="x"),
        JobPosting("2", "ข", None, "cat", ("a", "b"), role="y"),
    ]
    table = {"ก": [1, 0], "ข": [0, 1], "dog": [0.8, 0.6], "cat": [0.8, 0.6]}
    found = evaluate_matching(
        lambda texts: np.array([table[t] for t in texts]), postings
    )
    assert found.figures["matching_accuracy_at_1"] == 0.5
    assert found.figures["matching_accuracy_at_10"] == 1.0
    scores = np.array([[0.1, 0.9, 0.5, 0.3], [0.1, 0.9, 0.5, 0.3]])
    fields = evaluate_field_scores(scores, postings, ["a", "b", "c", "d"])
    assert fields.figures == {
        "fields_accuracy_at_1": 0.5,
        "fields_accuracy_at_3": 0.5,
    }


def test_bootstrap_by_clusters():
    values = np.repeat(np.random.default_rng(0).normal(size=50), 20)
    clusters = np.repeat(np.arange(50), 20)
    clustered = bootstrap(values, clusters)
    naive = bootstrap(values, np.arange(1000))
    # The standard error of a mean of 50 values, not of 1000.
    expected = 1.96 * values.std() / np.sqrt(50)
    assert (clustered.high - clustered.low) / 2 == pytest.approx(expected, rel=0.15)
    assert clustered.high - clustered.low > 3 * (naive.high - naive.low)
    assert clustered.low < values.mean() < clustered.high
    assert bootstrap(values, clusters) == clustered
    assert bootstrap(values, clusters, seed=1) != clustered


def test_bootstrap_leaves_nan_out():
    estimate = bootstrap(np.array([1.0, np.nan, 1.0]), ["a", "b", "c"])
    assert (estimate.mean, estimate.low, estimate.high) == (1, 1, 1)
    assert estimate.clear_of_zero
    assert np.isnan(bootstrap(np.array([np.nan]), ["a"]).mean)


def test_comparison_pairs_the_queries():
    base = evaluate_titles(vectors_of(1.0), POOL)
    tuned = evaluate_titles(vectors_of(0.0), POOL)
    rows = {row.figure: row for row in compare([base], [tuned])}
    lbkl = rows["lbkl"]
    assert lbkl.difference.mean == pytest.approx(lbkl.tuned - lbkl.base)
    assert lbkl.difference.high < 0
    assert rows["lbkl_excess"].difference == lbkl.difference
    table = format_table(list(rows.values()), "plain", "tuned")
    assert "LBKL@10 above blind" in table and f"{lbkl.tuned:.3f}" in table
    assert len({len(line.split("  ")[0]) for line in table.splitlines()}) > 1


def test_plain_muse_on_the_sample_is_biased(encoder):
    """Figures of the packaged weights on the held-out roles; the whole evaluation."""
    from muse_jobs.encoder.encode import text_encoder

    split = split_postings(sample_postings(postings_per_role=8))
    found = evaluate_postings(text_encoder(encoder, max_tokens=64), split)
    figures = {k: v for evaluation in found for k, v in evaluation.figures.items()}
    assert 0.3 < figures["recall_at_10_combined"] < figures["recall_at_10_th_en"] < 0.7
    assert 0.1 < figures["lbkl_excess"] < 0.4
    assert figures["lbkl_ceiling"] > 1.4
    assert figures["pair_auc"] > 0.75
    assert figures["fields_accuracy_at_3"] > 0.6
