import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muse_jobs.data.mining import NEAR_KEPT, PairMiner, _SetIndex
from tests.iou import iou

SETS = st.lists(st.frozensets(st.sampled_from("abcd"), max_size=3), min_size=2)


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        ("ab", "ab", 1.0),
        ("a", "ab", 0.5),
        ("ab", "bc", 1 / 3),
        ("a", "b", 0.0),
        ("", "", 0.0),
        # ISCO units of one minor group share major, sub-major and minor of 5 codes
        (["2", "25", "251", "2511"], ["2", "25", "251", "2512"], 0.6),
        (["2", "25", "251", "2511"], ["2", "25", "252", "2521"], 1 / 3),
    ],
)
def test_iou(first, second, value):
    assert iou(first, second) == pytest.approx(value)


@given(SETS, st.integers(0, 3))
def test_drawn_pairs_keep_their_promises(sets, seed):
    groups = [f"job {number}" for number in range(len(sets))]
    titles = [[f"title {number}"] for number in range(len(sets))]
    pairs = PairMiner(sets, groups, titles).draw(np.random.default_rng(seed))
    assert len(pairs.labels) == 3 * len(sets)
    own, negative, hard = pairs.titles.reshape(-1, 3).T
    described = pairs.descriptions.reshape(-1, 3)
    assert sorted(own) == list(range(len(sets)))
    assert (described == own[:, None]).all()
    np.testing.assert_array_equal(pairs.labels.reshape(-1, 3), [[1, 0, 0]] * len(sets))
    for row, far, near in zip(own, negative, hard, strict=True):
        others = [o for o in range(len(sets)) if o != row]
        assert far in others and near in others
        # A negative is far where there is a far one, a hard negative near likewise.
        if any(iou(sets[row], sets[o]) < 0.5 for o in others):
            assert iou(sets[row], sets[far]) < 0.5
        if any(iou(sets[row], sets[o]) >= 0.5 for o in others):
            assert iou(sets[row], sets[near]) >= 0.5


def test_titles_of_the_same_job_or_of_the_same_key_are_no_negatives():
    sets = ["a"] * 6
    groups = ["x", "x", "y", "y", "z", "z"]
    titles = [["t1", "t2"], ["t3"], ["t2", "t4"], ["t5"], ["t6"], ["t7"]]
    miner = PairMiner(sets, groups, titles)
    for seed in range(30):
        pairs = miner.draw(np.random.default_rng(seed))
        for row, title in zip(pairs.descriptions, pairs.titles, strict=True):
            if row != title:
                assert groups[row] != groups[title]
                assert not set(titles[row]) & set(titles[title])


def test_the_same_seed_draws_the_same_pairs():
    arguments = ([{"a"}, {"a", "b"}, {"c"}] * 5, list("abcdefghijklmno"), ["x"] * 15)
    arguments = (*arguments[:2], [[str(n)] for n in range(15)])
    one, other = (PairMiner(*arguments).draw(np.random.default_rng(7)) for _ in "12")
    np.testing.assert_array_equal(one.titles, other.titles)


def test_near_classes_are_drawn_by_the_number_of_their_postings():
    # 1 posting asks; 30 others share its set, 10 have half of it.
    sets = [{"a"}] * 31 + [{"a", "b"}] * 10 + [{"z"}] * 5
    groups = [str(number) for number in range(len(sets))]
    miner = PairMiner(sets, groups, [[g] for g in groups])
    drawn = []
    for seed in range(400):
        pairs = miner.draw(np.random.default_rng(seed))
        place = np.flatnonzero(pairs.descriptions == 0)[2]
        drawn.append(pairs.titles[place])
    assert 0.68 < np.mean(np.array(drawn) <= 30) < 0.82


def test_one_dominant_job_does_not_change_the_number_of_pairs():
    groups = ["big"] * 90 + ["small"]
    miner = PairMiner([{"a"}] * 91, groups, [[str(n)] for n in range(91)])
    for seed in range(5):
        pairs = miner.draw(np.random.default_rng(seed))
        assert len(pairs.titles) == 3 * len(miner) == 273
        other = pairs.labels == 0
        big = pairs.descriptions[other] < 90
        assert (pairs.titles[other][big] == 90).all()


def test_a_posting_that_shares_a_title_with_all_others_is_left_out():
    titles = [["x", "y"], ["x", "a"], ["y", "b"]]
    miner = PairMiner([{"a"}] * 3, ["1", "2", "3"], titles)
    assert len(miner) == 2
    assert 0 not in miner.draw(np.random.default_rng(0)).descriptions


def test_one_job_alone_has_no_negatives():
    with pytest.raises(ValueError, match="two jobs at least"):
        PairMiner([{"a"}, {"b"}], ["x", "x"], [["t"], ["u"]])


def test_pairs_do_not_depend_on_pythons_hash_seed():
    """Sets of strings iterate in another order in every process."""
    code = (
        "import numpy as np\n"
        "from muse_jobs.data.mining import PairMiner\n"
        "sets = [{c, d} for c in 'abcdef' for d in 'cdefgh']\n"
        "names = [str(n) for n in range(len(sets))]\n"
        "miner = PairMiner(sets, names, [[n] for n in names])\n"
        "print(miner.draw(np.random.default_rng(0)).titles.tolist())\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


@given(SETS, st.floats(0.1, 1.0))
def test_the_inverted_index_finds_every_near_set(sets, threshold):
    distinct = list(dict.fromkeys(sets))
    index = _SetIndex(distinct, threshold)
    for number, own in enumerate(distinct):
        others = np.arange(len(distinct))
        values = [iou(own, distinct[other]) for other in others]
        found = index.iou(np.full(len(others), number), others)
        np.testing.assert_allclose(found, values)
        near = np.flatnonzero(found >= threshold)
        np.testing.assert_array_equal(index.near(number), near)


def test_of_very_many_near_sets_some_are_kept():
    sets = [{"a", "b", str(number)} for number in range(NEAR_KEPT + 100)]
    index = _SetIndex([*sets, {"z"}], 0.5)
    near = index.near(3)
    assert len(near) == len(set(near)) == NEAR_KEPT
    assert near.max() < len(sets)
    np.testing.assert_array_equal(near, index.near(3))
