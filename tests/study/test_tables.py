import numpy as np
import pytest

from muse_jobs.evaluation.benchmarks import Benchmark
from muse_jobs.evaluation.sets import Evaluation, RetrievalSet
from muse_jobs.study.page import draw_study, render_study
from muse_jobs.study.runs import Measured
from muse_jobs.study.settings import CorpusSettings, RunSettings, StudySettings
from muse_jobs.study.tables import PAPER, study_tables
from muse_jobs.training.recipes import RECIPES

RNG = np.random.default_rng(0)
JOBS = 30
CLUSTERS = tuple(f"job {n // 4}" for n in range(4 * JOBS))
TITLES = RetrievalSet(
    queries=tuple(f"q{n}" for n in range(4 * JOBS)),
    query_languages=("th", "en") * (2 * JOBS),
    entries=tuple(f"q{n}" for n in range(4 * JOBS)),
    entry_languages=("th", "en") * (2 * JOBS),
    relevant=tuple(
        tuple(m for m in range(n // 4 * 4, n // 4 * 4 + 4) if m != n)
        for n in range(4 * JOBS)
    ),
    own=tuple(range(4 * JOBS)),
    clusters=CLUSTERS,
)
FIGURES = (
    "recall_at_10_combined",
    "recall_at_10_th_en",
    "recall_at_10_en_th",
    "recall_at_10_th_th",
    "recall_at_10_en_en",
    "mrr",
    "lbkl",
)
RUNS = {
    "plain": (0.4, 0.5),
    "jd": (0.5, 0.5),
    "jt": (0.6, 0.3),
    "paper": (0.7, 0.2),
    "ours": (0.8, 0.11),
}


def evaluation(recall, bias, seed):
    noise = np.random.default_rng(seed).normal(0, 0.01, (len(FIGURES), len(CLUSTERS)))
    values = {
        name: (bias if name == "lbkl" else recall) + own
        for name, own in zip(FIGURES, noise, strict=True)
    }
    figures = {name: float(own.mean()) for name, own in values.items()}
    figures["lbkl_blind"] = 0.1
    figures["lbkl_excess"] = figures["lbkl"] - 0.1
    top = np.random.default_rng(seed).permuted(
        np.tile(np.arange(len(CLUSTERS)), (len(CLUSTERS), 1)), axis=1
    )
    return Evaluation(figures, values, CLUSTERS, top[:, :20])


def run_settings(name):
    training = None if name == "plain" else {"tasks": "jt"}
    seeds = (0,) if name == "plain" else (0, 1, 2)
    return RunSettings(name, name.upper(), seeds, training, RECIPES["paper"], False)


@pytest.fixture(scope="module")
def report():
    settings = StudySettings(
        CorpusSettings(), tuple(map(run_settings, RUNS)), "plain", "paper", "ours"
    )
    language = Evaluation(
        {"language_accuracy": 0.9, "language_variance": 0.04},
        {"language_accuracy": np.full(len(CLUSTERS), 0.9)},
        CLUSTERS,
    )
    occupations = Evaluation(
        {"nearest_accuracy_at_1": 0.2, "regression_accuracy_at_1": 0.3},
        {
            "nearest_accuracy_at_1": np.full(len(CLUSTERS), 0.2),
            "regression_accuracy_at_1": np.full(len(CLUSTERS), 0.3),
        },
        CLUSTERS,
    )
    knob = [
        {"strength": s, "recall": 0.5, "own_recall": 0.6, "other_recall": 0.4}
        | {"lbkl": 0.2, "own_share": 0.5}
        for s in (0.0, 0.1)
    ]
    measured = []
    for number, (name, (recall, bias)) in enumerate(RUNS.items()):
        for seed in run_settings(name).seeds:
            own = evaluation(recall, bias, 10 * number + seed)
            measured.append(
                Measured(
                    run_settings(name),
                    seed,
                    {
                        "titles": own,
                        "descriptions": own,
                        "occupations": occupations,
                        "language": language,
                        "xquad-r": own,
                    },
                    {"cycles": 4, "best_cycle": 2},
                    knob,
                )
            )

    def benchmark(title, retrieval=None):
        return Benchmark(title, title, "", None, (), retrieval)

    benchmarks = {
        "titles": benchmark("Titles", TITLES),
        "descriptions": benchmark("Descriptions", TITLES),
        "occupations": benchmark("Occupations"),
        "language": benchmark("Language"),
        "xquad-r": benchmark("XQuAD-R", TITLES),
    }
    return {
        "encoder": "tiny",
        "counts": {"test units": JOBS},
        "checks": {"leaks": 0},
        "names": {"baseline": "plain", "recipe": "paper", "ours": "ours"},
        "titles": {name: name.upper() for name in RUNS},
        **study_tables(settings, measured, benchmarks),
        "gradients": {"jt-jd": {"embedding": 0.25}},
        "knob": {"plain": knob, "ours": knob},
        "runs": [{"run": m.run.name, "seed": m.seed, **m.training} for m in measured],
    }


def test_means_are_over_seeds_and_intervals_hold_them(report):
    figures = report["benchmarks"]["titles"]["figures"]
    for name, (recall, bias) in RUNS.items():
        found = figures["recall_at_10_combined"][name]
        assert found["mean"] == pytest.approx(recall, abs=0.005)
        assert found["low"] < found["mean"] < found["high"]
        assert len(found["seeds"]) == (1 if name == "plain" else 3)
        assert figures["lbkl_excess"][name]["mean"] == pytest.approx(
            bias - 0.1, abs=0.005
        )


def test_differences_are_paired_and_tested(report):
    differences = report["benchmarks"]["titles"]["differences"]
    found = differences["plain"]["recall_at_10_combined"]["ours"]
    assert found["mean"] == pytest.approx(0.4, abs=0.005)
    assert 0.39 < found["low"] < found["high"] < 0.41
    assert found["p_value"] < 0.001
    found = differences["paper"]["lbkl"]["ours"]
    assert found["mean"] == pytest.approx(-0.09, abs=0.005)
    assert "paper" not in differences["paper"]["lbkl"]


def test_bars_are_met_or_missed_by_their_figures(report):
    bars = {bar["bar"]: bar for bar in report["bars"]}
    assert bars["Recall@10 combined, points above plain mUSE"]["met"]
    removed = bars["excess LBKL removed, per cent"]
    # 0.4 of excess became 0.01: 97.5 per cent are gone.
    assert removed["reached"] == pytest.approx(97.5, abs=1)
    order = bars["full above JT above JD above plain: least step"]
    assert order["met"] and order["reached"] == pytest.approx(10, abs=0.5)
    assert bars["xquad-r, LBKL@10: better end of the change"]["met"]


def test_the_page_has_every_run_and_the_paper_beside_it(report):
    page = render_study(report)
    for name in RUNS:
        assert f"| {name.upper()} |" in page
    assert "79.43 %" in page and "61.91 %" in page
    assert "| jt-jd | +0.250 |" in page
    rows = [line.count("|") for line in page.splitlines() if line.startswith("|")]
    assert min(rows) > 2
    assert "nan" not in page


def test_the_papers_figures_are_those_of_the_paper():
    # arXiv 2502.03220: its ablation and its table of LBKL.
    assert PAPER["recall_at_10"] == {
        "plain": 61.91,
        "jf": 61.50,
        "jd": 66.41,
        "jt": 77.43,
        "paper": 79.43,
    }
    assert PAPER["lbkl"] == {"plain": 1.20, "jd": 1.26, "jt": 0.40}


def test_figures_are_written_whole(report, tmp_path):
    files = draw_study(report, tmp_path)
    assert [file.name for file in files] == [
        "histograms.png",
        "frontier.png",
        "knob.png",
    ]
    for file in files:
        assert file.read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob(".*"))
