import json

import numpy as np
import pytest

from muse_jobs.evaluation.benchmarks import Benchmark
from muse_jobs.evaluation.sets import Evaluation, evaluate_retrieval
from muse_jobs.evaluation.summary import signs_of_failure, summarise
from muse_jobs.files import to_json
from tests.evaluation.test_sets import DATA, encode

BENCHMARK = Benchmark("titles", "Titles", "about", None, DATA.texts, DATA)


def biased(texts):
    """The same vectors, pushed apart by language."""
    offset = np.array([[1.0 if " th " in t else -1.0] for t in texts])
    vectors = np.hstack([encode(texts), 2 * offset])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def summary():
    evaluations = {
        "biased": evaluate_retrieval(biased, DATA),
        "fair": evaluate_retrieval(encode, DATA),
    }
    return summarise(BENCHMARK, evaluations), evaluations


def test_figures_intervals_and_differences(summary):
    found, evaluations = summary
    for name, of_encoders in found["figures"].items():
        for encoder, estimate in of_encoders.items():
            value = evaluations[encoder].figures[name]
            assert estimate["mean"] == value
            if not np.isnan(estimate["low"]):
                assert estimate["low"] <= value + 1e-9
                assert value <= estimate["high"] + 1e-9
    change = found["differences"]["lbkl"]["fair"]
    assert change["mean"] == pytest.approx(
        evaluations["biased"].figures["lbkl"] - evaluations["fair"].figures["lbkl"]
    )
    assert change["low"] > 0 and change["p_value"] < 0.01
    excess = found["figures"]["lbkl_excess"]["fair"]
    plain = found["figures"]["lbkl"]["fair"]
    assert excess["high"] - excess["low"] == pytest.approx(plain["high"] - plain["low"])


def test_language_bias_for_the_pictures(summary):
    found, evaluations = summary
    histogram = found["histograms"]["biased"]
    # 24 Thai queries; a biased ranking shows them Thai titles alone.
    assert sum(histogram["th"]) == sum(histogram["en"]) == 24
    assert histogram["th"][10] >= 20 and histogram["en"][0] >= 20
    assert found["truth"] == {"th": 0.5, "en": 0.5}
    by_k = found["lbkl_by_k"]
    at_10 = by_k["k"].index(10)
    assert by_k["encoders"]["fair"][at_10] == evaluations["fair"].figures["lbkl"]
    assert by_k["blind"][0] > by_k["blind"][at_10]  # counting noise
    worst = found["worst"]["biased"]
    assert worst == sorted(worst, key=lambda query: -query["lbkl"])
    for query in worst:
        assert len(query["results"]) == 10
        assert query["query"] not in [result["text"] for result in query["results"]]
    json.loads(to_json(found))


def test_a_classification_has_no_language_bias():
    values = np.array([1.0, 0.0, 1.0])
    evaluation = Evaluation({"language_accuracy": 2 / 3}, {"language_accuracy": values})
    evaluation = Evaluation(evaluation.figures, evaluation.per_query, list("abc"))
    found = summarise(
        Benchmark("language", "L", "about", None, ()), {"one": evaluation}
    )
    assert "histograms" not in found and found["differences"] == {}
    assert found["counts"] == {"queries": 3, "clusters": 3}


def test_signs_of_failure(summary):
    found, _ = summary
    (sign,) = signs_of_failure([found], ["biased", "fair"])
    assert "language bias is left" in sign
    general = {**found, "name": "xquad-r"}
    signs = signs_of_failure([general], ["biased", "fair"])
    assert any("outside the domain" in sign and "fair" in sign for sign in signs)

    def of(name, figure, mean):
        return {"name": name, "figures": {figure: {"one": {"mean": mean}}}}

    both = [of("descriptions", "mrr", 0.7), of("titles", "recall_at_10_combined", 0.2)]
    (sign,) = signs_of_failure(both, ["one"])
    assert "matching task has taken over" in sign
    both[1] = of("titles", "recall_at_10_combined", 0.5)
    assert signs_of_failure(both, ["one"]) == []
