import pytest

from muse_jobs.errors import InputError
from muse_jobs.study.settings import load_settings
from muse_jobs.training.recipes import RECIPES

SMALL = """
seeds = [0, 1]
baseline = "plain"
recipe = "paper"
ours = "ours"
[training]
cycles = 8
[runs.plain]
title = "as it comes"
[runs.paper]
tasks = "jt,jd,jf"
recipe = "paper"
[runs.ours]
tasks = "jt"
cycles = 9
varied_titles = false
general = true
seeds = [1]
[quick]
seeds = [0]
only = ["plain", "paper", "ours"]
[quick.training]
cycles = 2
"""


def write(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text, "utf-8")
    return path


def test_runs_have_the_common_settings_and_their_own(tmp_path):
    settings = load_settings(write(tmp_path, SMALL))
    plain, paper, ours = settings.runs
    assert plain.training is None and plain.seeds == (0,)
    assert paper.training == {"tasks": "jt,jd,jf", "cycles": 8, "recipe": "paper"}
    assert paper.recipe == RECIPES["paper"] and paper.seeds == (0, 1)
    assert ours.training == {"tasks": "jt", "cycles": 9}
    assert ours.seeds == (1,) and ours.general
    assert not ours.recipe.varied_titles and ours.recipe.same_language_negatives


def test_a_smaller_size_is_put_over_the_rest(tmp_path):
    settings = load_settings(write(tmp_path, SMALL), size="quick")
    assert settings.run("paper").training["cycles"] == 2
    assert settings.run("ours").training["cycles"] == 9
    assert {run.seeds for run in settings.runs} == {(0,)}


@pytest.mark.parametrize("size", ["full", "quick", "smallest"])
def test_the_shipped_configuration_is_whole_in_every_size(size):
    settings = load_settings(size=size)
    names = [run.name for run in settings.runs]
    assert {settings.baseline, settings.recipe, settings.ours} <= set(names)
    assert all(run.seeds for run in settings.runs)
    if size == "full":
        assert {"plain", "jf", "jd", "jt", "paper", "ours"} <= set(names)
        assert settings.run("paper").seeds == (0, 1, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("cycles = 8", "cycels = 8"), "cycels"),
        (('ours = "ours"', 'ours = "best"'), r"\[runs.best\]"),
        (("cycles = 8", "cycles = 0"), "cycles"),
        (("[training]", "[training"), "study.toml"),
        (('tasks = "jt"', 'tasks = "jx"'), "jx"),
    ],
)
def test_what_the_study_does_not_know_is_one_clear_error(tmp_path, change, message):
    path = write(tmp_path, SMALL.replace(*change))
    with pytest.raises(InputError, match=message):
        load_settings(path)


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match="nowhere.toml"):
        load_settings("nowhere.toml")
