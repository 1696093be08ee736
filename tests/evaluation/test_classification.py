import numpy as np
import pytest

from muse_jobs.evaluation.classification import OccupationTitles, evaluate_occupations

DATA = OccupationTitles(
    queries=("ครู", "cook", "พ่อครัว", "pilot"),
    query_languages=("th", "en", "th", "en"),
    query_classes=("isco:23", "isco:51", "isco:51", "isco:31"),
    references=("teacher", "chef", "tutor"),
    reference_classes=("isco:23", "isco:51", "isco:23"),
    clusters=("a", "b", "b", "c"),
)
VECTORS = {
    "ครู": (1, 0),
    "teacher": (1, 0),
    "tutor": (0.8, 0.6),
    "cook": (0, 1),
    "chef": (0, 1),
    "พ่อครัว": (1, 0),
    "pilot": (0, 1),
}


def encode(texts):
    return np.array([VECTORS[text] for text in texts], np.float32)


def test_classes_by_nearest_title():
    figures = evaluate_occupations(encode, DATA).figures
    # Right: the teacher and the English cook; the Thai cook is near the teacher, and no
    # reference is a pilot.
    assert figures["nearest_accuracy_at_1"] == 0.5
    assert figures["nearest_accuracy_at_1_th"] == 0.5
    assert "head_accuracy_at_1" not in figures


def test_a_class_that_the_head_does_not_know_is_missed():
    def field_scores(texts):
        assert tuple(texts) == DATA.queries
        # Best first: 23, 51 (right); 51, 23 (right); 99, 51; anything.
        scores = [[0.9, 0.8, 0], [0.1, 0.7, 0], [0, 0.4, 0.9], [1, 1, 1]]
        return np.array(scores), ("isco:23", "isco:51", "isco:99")

    found = evaluate_occupations(encode, DATA, field_scores=field_scores)
    assert found.per_query["head_accuracy_at_1"].tolist() == [1, 1, 0, 0]
    assert found.figures["head_accuracy_at_3"] == 0.75
    assert found.figures["head_accuracy_at_1_en"] == 0.5


def test_a_head_with_other_fields_is_not_asked():
    def field_scores(texts):
        return np.ones((len(texts), 1)), ("sales",)

    found = evaluate_occupations(encode, DATA, field_scores=field_scores)
    assert not any(name.startswith("head_") for name in found.figures)


@pytest.mark.parametrize("k", [1, 3])
def test_per_query_values_make_the_figures(k):
    found = evaluate_occupations(encode, DATA)
    for kind in ("nearest", "regression"):
        name = f"{kind}_accuracy_at_{k}"
        assert found.figures[name] == found.per_query[name].mean()
