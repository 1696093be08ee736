import numpy as np

from muse_jobs.data.postings import JobPosting
from muse_jobs.study.centring import centred

POSTINGS = [
    JobPosting(str(n), title_th=f"งาน {n}", title_en=f"job {n}") for n in range(40)
]


def encode(texts):
    """A point of the text's number, and far off by its language."""
    vectors = []
    for text in texts:
        number = int(text.split()[-1])
        thai = text.startswith("ง")
        vectors.append([np.sin(number), np.cos(number), 5.0 if thai else -5.0])
    vectors = np.array(vectors)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_translations_meet_and_norms_are_one():
    both = centred(encode, POSTINGS)
    thai, english = both(["งาน 3", "งาน 11"]), both(["job 3", "job 11"])
    assert (encode(["งาน 3"]) @ encode(["job 3"]).T).item() < -0.8
    np.testing.assert_allclose((thai * english).sum(axis=1), 1, atol=0.02)
    assert abs(float(thai[0] @ english[1])) < 0.5
    np.testing.assert_allclose(np.linalg.norm(thai, axis=1), 1)


def test_a_text_of_no_language_loses_the_mean_of_both():
    found = centred(encode, POSTINGS)(["12 3"])
    # The means cancel in the third place: nothing is taken there.
    assert found.shape == (1, 3) and np.isfinite(found).all()
