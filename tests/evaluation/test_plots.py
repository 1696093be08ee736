import builtins

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from muse_jobs.errors import InputError
from muse_jobs.evaluation.plots import (
    language_histograms,
    lbkl_against_recall,
    lbkl_by_k,
)

COUNTS = {"th": [0, 1, 2, 3, 9], "en": [8, 4, 2, 0, 0]}
TRUTH = {"th": 0.5, "en": 0.4}


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def drawn(ax):
    """Lays the figure out; warnings, such as of axes without room, are errors."""
    ax.figure.draw_without_rendering()
    return ax


def test_bars_are_the_counts_around_their_share():
    ax = drawn(language_histograms(COUNTS, TRUTH, k=4, title="muse_jobs/1"))
    thai, english = ax.containers
    assert [bar.get_height() for bar in thai] == COUNTS["th"]
    assert [bar.get_height() for bar in english] == COUNTS["en"]
    shares = np.linspace(0, 1, 5)
    for bars, other in ((thai, english), (english, thai)):
        centres = np.array([bar.get_x() + bar.get_width() / 2 for bar in bars])
        beside = np.array([bar.get_x() + bar.get_width() / 2 for bar in other])
        np.testing.assert_allclose((centres + beside) / 2, shares, atol=1e-12)
        # Every bar is nearer to its own share than to the next.
        assert abs(centres - shares).max() + thai[0].get_width() / 2 < 0.5 / 4
    # Thai bars end where English ones start: neither hides the other.
    assert thai[0].get_x() + thai[0].get_width() <= english[0].get_x() + 1e-12
    colours = {to_hex(bars[0].get_facecolor()) for bars in (thai, english)}
    assert len(colours) == 2
    left, right = ax.get_xlim()
    assert left <= thai[0].get_x()
    assert right >= english[-1].get_x() + english[-1].get_width()
    assert ax.get_title() == "muse_jobs/1"


def test_midpoint_and_truth_are_marked():
    ax = language_histograms(COUNTS, TRUTH, k=4)
    marks = {label: line.get_xdata()[0] for label, line in lines(ax).items()}
    assert marks == {
        "midpoint": 0.5,
        "truth, Thai (0.50)": 0.5,
        "truth, English (0.40)": 0.4,
    }
    assert legend(ax) == [
        "Thai queries (15)",
        "English queries (14)",
        "midpoint",
        "truth, Thai (0.50)",
        "truth, English (0.40)",
    ]


@pytest.mark.parametrize("truth", [{}, {"th": None}, {"th": float("nan")}])
def test_one_language_without_truth(truth):
    ax = drawn(language_histograms({"th": COUNTS["th"]}, truth, k=4))
    assert len(ax.containers) == 1
    assert legend(ax) == ["Thai queries (15)", "midpoint"]


def test_counts_of_another_k_are_refused():
    with pytest.raises(InputError, match="expected k . 1 = 11 counts of th .* 5"):
        language_histograms(COUNTS, TRUTH, k=10)


def test_lines_are_the_values():
    ax = drawn(
        lbkl_by_k(
            [1, 5, 10],
            {"a": [1.5, 0.3, 0.1], "b": [1.6, None, 0.4]},
            blind=[1.6, 0.2, 0.05],
            ceiling=[1.62, 1.62, 1.62],
        )
    )
    found = {label: line.get_ydata() for label, line in lines(ax).items()}
    assert legend(ax) == ["one language first (ceiling)", "blind ranking", "a", "b"]
    np.testing.assert_array_equal(found["a"], [1.5, 0.3, 0.1])
    np.testing.assert_array_equal(found["b"], [1.6, np.nan, 0.4])
    np.testing.assert_array_equal(found["blind ranking"], [1.6, 0.2, 0.05])
    np.testing.assert_array_equal(found["one language first (ceiling)"], [1.62] * 3)
    for line in ax.lines:
        np.testing.assert_array_equal(line.get_xdata(), [1, 5, 10])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "5", "10"]
    assert ax.get_ylim()[0] == 0


def test_a_point_an_encoder_with_a_cross_of_intervals():
    ax = drawn(
        lbkl_against_recall(
            {
                "a": {"mean": 0.6, "low": 0.5, "high": 0.7},
                "b": {"mean": 0.4, "low": None, "high": None},
                "no lbkl": {"mean": 0.9},
                "unknown": {"mean": None},
            },
            {
                "b": {"mean": 0.3},
                "a": {"mean": 0.1, "low": -0.1, "high": 0.2},
                "unknown": {"mean": 0.2},
            },
            recall_label="recall",
            lbkl_label="bias",
        )
    )
    points = {
        label: (*line.get_xdata(), *line.get_ydata())
        for label, line in lines(ax).items()
        if label in ("a", "b")
    }
    assert points == {"a": (0.6, 0.1), "b": (0.4, 0.3)}
    assert legend(ax) == ["a", "b"]
    bars = [each.get_segments()[0].tolist() for each in ax.collections]
    assert bars == [
        [[0.5, 0.1], [0.7, 0.1]],
        [[0.6, -0.1], [0.6, 0.2]],
        [[0.4, 0.3], [0.4, 0.3]],
        [[0.4, 0.3], [0.4, 0.3]],
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("recall", "bias")


def test_encoders_differ_by_more_than_colour():
    values = {str(n): [0.1 * n] for n in range(35)}
    ax = lbkl_by_k([10], values, blind=[0.05], ceiling=[1.6])
    looks = {
        (line.get_color(), line.get_marker())
        for line in ax.lines
        if line.get_label() in values
    }
    assert len(looks) == 35
    assert len({ax.lines[2].get_marker(), ax.lines[3].get_marker()}) == 2


def test_long_names_keep_their_end_and_leave_room():
    start = "https://tfhub.dev/google/universal-sentence-encoder-multilingual/"
    ax = lbkl_by_k(
        [1, 10],
        {start + "3": [1, 0.3], start + "4": [1, 0.2]},
        blind=[1.6, 0.1],
        ceiling=[1.6, 1.6],
    )
    drawn(ax)
    shown = legend(ax)[2:]
    assert [name[-2:] for name in shown] == ["/3", "/4"]
    figure = ax.figure.bbox
    box = ax.get_legend().get_window_extent()
    assert figure.x0 <= box.x0 and box.x1 <= figure.x1 and figure.y0 <= box.y0
    assert ax.get_window_extent().width > 0.6 * figure.width


def test_draws_on_given_axes_and_leaves_pyplot_alone():
    ours = Figure().add_subplot()
    assert language_histograms(COUNTS, TRUTH, k=4, ax=ours) is ours
    assert lbkl_by_k([1], {}, blind=[1], ceiling=[1], ax=ours) is ours
    assert lbkl_against_recall({}, {}, ax=ours) is ours
    theirs = lbkl_against_recall({}, {})
    assert theirs is not ours and legend(theirs) == []
    assert pyplot.get_fignums() == []


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r'pip install "muse-jobs\[plots\]"'):
        language_histograms(COUNTS, TRUTH, k=4)
