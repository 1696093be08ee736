import dataclasses
import json

import numpy as np
import pytest

import muse_jobs
from muse_jobs.errors import InputError
from muse_jobs.evaluation.measuring import measure
from tests import hash_encoder


def constant(texts):
    """A ranking in the order of the pool: all vectors are equal."""
    return np.tile(np.eye(1, 4, dtype=np.float32), (len(texts), 1))


def unit(texts):
    vectors = hash_encoder.encode(texts)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.tsv"
    rows = [f"คำที่ {n}\tword {n}" for n in range(30)]
    path.write_text("\n".join(["th\ten", *rows]), "utf-8")
    return path


def test_encoders_are_named_and_the_first_is_compared(pairs):
    report = muse_jobs.evaluate_encoder(
        {"hash": unit, "constant": constant}, {"parallel": pairs}
    )
    (benchmark,) = report["benchmarks"]
    assert [e["name"] for e in report["encoders"]] == ["hash", "constant"]
    assert set(benchmark["figures"]["mrr"]) == {"hash", "constant"}
    assert set(benchmark["differences"]["mrr"]) == {"constant"}
    own = benchmark["figures"]["mrr"]
    change = benchmark["differences"]["mrr"]["constant"]
    assert change["mean"] == pytest.approx(
        own["hash"]["mean"] - own["constant"]["mean"]
    )
    json.dumps(report)


def test_the_report_becomes_a_page(pairs):
    pytest.importorskip("matplotlib")
    report = muse_jobs.evaluate_encoder({"hash": unit}, {"parallel": pairs})
    page = muse_jobs.render_report(report)
    assert page.startswith("<!DOCTYPE html>") and "hash" in page


def test_an_unknown_benchmark_is_named(pairs):
    with pytest.raises(InputError, match="paralel"):
        muse_jobs.evaluate_encoder({"hash": unit}, {"paralel": pairs})


def test_no_encoder_is_said(pairs):
    with pytest.raises(InputError, match="received none"):
        muse_jobs.evaluate_encoder({}, {"parallel": pairs})


def test_units_that_leave_nothing_are_said(public_data):
    with pytest.raises(InputError, match="titles=.*: nothing is left"):
        muse_jobs.evaluate_encoder(
            {"hash": unit}, {"titles": public_data}, units={"isco:none"}
        )


def test_a_fields_head_and_the_walk_are_passed_on(pairs):
    """``track`` sees a step for each benchmark and encoder, and then the intervals."""
    seen = []

    def evaluate(encode, field_scores):
        heads.append(field_scores)
        return benchmark.evaluate(encode, None)

    def track(items, description):
        for item in items:
            seen.append(description)
            yield item

    heads = []
    benchmark = muse_jobs.open_benchmark("parallel", pairs)
    report = measure(
        [dataclasses.replace(benchmark, evaluate=evaluate)],
        {"hash": unit, "constant": constant},
        sources={"hash": "tests"},
        field_scores={"hash": constant, "constant": None},
        track=track,
    )
    assert heads == [constant, None]
    assert seen == ["evaluate"] * 2 + ["intervals"]
    sources = {encoder["name"]: encoder["source"] for encoder in report["encoders"]}
    assert sources == {"hash": "tests", "constant": "constant"}
