import numpy as np
import pytest

from muse_jobs.evaluation.sets import RetrievalSet
from muse_jobs.study.knob import STRENGTHS, knob

JOBS = 12
DATA = RetrievalSet(
    queries=tuple(
        f"{job} {language}" for job in range(JOBS) for language in ("th", "en")
    ),
    query_languages=("th", "en") * JOBS,
    entries=tuple(
        f"{job} {language}" for job in range(JOBS) for language in ("th", "en")
    ),
    entry_languages=("th", "en") * JOBS,
    relevant=tuple((n ^ 1,) for n in range(2 * JOBS)),
    own=tuple(range(2 * JOBS)),
    clusters=tuple(f"job {n // 2}" for n in range(2 * JOBS)),
)


def encode(texts):
    """A job's two titles have one vector."""
    vectors = np.eye(JOBS, dtype=np.float32)
    return np.stack([vectors[int(text.split()[0])] for text in texts])


def test_a_strong_preference_leaves_one_language():
    steps = {step["strength"]: step for step in knob(encode, DATA)}
    assert list(steps) == list(STRENGTHS)
    assert steps[0.0]["recall"] == steps[0.0]["other_recall"] == 1.0
    assert steps[2.0]["own_share"] == 1.0 and steps[2.0]["recall"] == 0.0
    shares = [steps[strength]["own_share"] for strength in STRENGTHS]
    assert shares == sorted(shares)
    # The truth is the other language's title; one language first is the ceiling.
    assert steps[2.0]["lbkl"] > steps[0.0]["lbkl"]
    assert np.isnan(steps[0.0]["own_recall"])  # there is none to be found


def test_recall_of_the_own_language_is_that_of_its_entries():
    data = RetrievalSet(
        queries=("0 th",),
        query_languages=("th",),
        entries=("0 en", "0 th", "1 th", "2 en"),
        entry_languages=("en", "th", "th", "en"),
        relevant=((0, 2),),
        own=(1,),
        clusters=("a",),
    )
    (step,) = (s for s in knob(encode, data) if s["strength"] == 0.0)
    assert step["own_recall"] == pytest.approx(1.0)
    assert step["own_share"] == pytest.approx(1 / 3)
