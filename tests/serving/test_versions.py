import shutil
from pathlib import Path

import pytest

from muse_jobs import versions
from muse_jobs.errors import InputError
from muse_jobs.serving.versions import list_versions, promote, read_labels, roll_back

SHIPPED = Path(__file__).parents[2] / "savedmodels" / "serving"


@pytest.fixture
def model(tmp_path):
    """A model's folder with three versions, and the shipped config."""
    base = tmp_path / "muse_jobs"
    for number in (1, 2, 10):
        (base / str(number)).mkdir(parents=True)
        (base / str(number) / "saved_model.pb").write_bytes(b"x")
    config = shutil.copy(SHIPPED / "models.config", tmp_path)
    return base, config


def served(config):
    """The versions that the server loads, read with its own messages."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    parsed = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(Path(config).read_text(), parsed)
    (entry,) = parsed.model_config_list.config
    return list(entry.model_version_policy.specific.versions)


def test_versions_are_counted_not_spelled(model):
    assert list_versions(model[0]) == [1, 2, 10]
    assert list_versions(model[0] / "nowhere") == []


def test_a_canary_is_promoted_and_rolled_back(model):
    base, config = model
    assert read_labels(config, "muse_jobs") == {"stable": 1}
    assert promote(config, base, 2, label="canary") == {"stable": 1, "canary": 2}
    assert served(config) == [1, 2]
    assert promote(config, base, 2) == {"stable": 2, "previous": 1}
    assert served(config) == [1, 2]  # what a roll-back needs is loaded
    assert roll_back(config, base) == {"stable": 1}
    assert served(config) == [1]
    assert read_labels(config, "muse_jobs") == {"stable": 1}


def test_a_canary_in_the_place_of_another_is_loaded_before_it_is_labelled(model):
    base, config = model
    promote(config, base, 2, label="canary")
    assert promote(config, base, 10, label="canary") == {"stable": 1}
    assert served(config) == [1, 10]
    assert promote(config, base, 10, label="canary") == {"stable": 1, "canary": 10}
    assert served(config) == [1, 10]


def test_the_stable_version_again_changes_nothing(model):
    base, config = model
    promote(config, base, 1)
    before = Path(config).read_text()
    promote(config, base, 1)
    assert Path(config).read_text() == before


def test_the_shipped_canary_config_is_what_the_command_makes(model):
    base, config = model
    promote(config, base, 2, label="canary")
    shipped = (SHIPPED / "models.canary.config").read_text().splitlines()
    made = Path(config).read_text().splitlines()
    assert [line for line in shipped if not line.startswith("#")] == made


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda base, config: promote(config, base, 3), "there .1, 2, 10., received 3"),
        (lambda base, config: promote(config, base, 2), "2 is not loaded"),
        (lambda base, config: roll_back(config, base), "no version is labelled prev"),
        (lambda base, config: read_labels(config, "other"), "a model named other"),
        (lambda base, config: promote("no.config", base, 1), "no.config: no such file"),
    ],
)
def test_what_cannot_be_is_one_error_and_changes_nothing(model, act, message):
    base, config = model
    before = Path(config).read_text()
    with pytest.raises(InputError, match=message):
        act(base, config)
    assert Path(config).read_text() == before


def test_a_config_of_another_form(model):
    base, config = model
    Path(config).write_text("model_config_list { what: 1 }")
    with pytest.raises(InputError, match="expected a ModelServerConfig"):
        promote(config, base, 1)


def test_the_command(model, capsys):
    base, config = model
    where = ["--model", str(base), "--config", str(config)]
    assert versions.main(["promote", "10", "--canary", *where]) == 0
    assert capsys.readouterr().out == "canary: 10, stable: 1\n"
    assert versions.main(["promote", "10", *where]) == 0
    assert capsys.readouterr().out == "previous: 1, stable: 10\n"
    assert versions.main(["list", *where]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "10"]
    assert lines[0].endswith("previous") and lines[2].endswith("stable")
    assert versions.main(["rollback", *where]) == 0
    assert capsys.readouterr().out == "stable: 1\n"
