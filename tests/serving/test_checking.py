import shutil

import pytest
import tensorflow as tf

from muse_jobs import export
from muse_jobs.encoder.quantized import quantize
from muse_jobs.errors import InputError
from muse_jobs.serving.checking import check_version
from muse_jobs.serving.savedmodel import export_savedmodel
from muse_jobs.serving.warmup import WARMUP_FILE, prediction_log
from muse_jobs.training.heads import FieldHead, MatchingHead

FILES = {"report.json": "{}", "model_card.md": "# Model card"}


@pytest.fixture(scope="module")
def whole(encoder, tmp_path_factory):
    return export_savedmodel(
        encoder,
        tmp_path_factory.mktemp("models"),
        matching=MatchingHead(512),
        fields=FieldHead(512, ["บัญชี", "sales"]),
        files=FILES,
    )


@pytest.fixture
def version(whole, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(whole, tmp_path / "3")


def problems(folder):
    return {name: problem for name, problem in check_version(folder) if problem}


def test_a_whole_version_has_no_problem(whole):
    names = [name for name, _ in check_version(whole)]
    assert len(names) == 8 and problems(whole) == {}


def test_the_int8_form_too(encoder, tmp_path):
    assert problems(export_savedmodel(quantize(encoder), tmp_path, files=FILES)) == {}


@pytest.mark.parametrize(
    ("gone", "name"),
    [
        ("saved_model.pb", "saved_model.pb"),
        ("variables/variables.index", "variables"),
        ("fingerprint.pb", "fingerprint"),
        (WARMUP_FILE, "warm-up"),
        ("model_card.md", "report and model card"),
    ],
)
def test_what_is_missing_is_named(version, gone, name):
    (version / gone).unlink()
    assert name in problems(version)


def test_a_damaged_graph_and_a_cut_file_of_weights(version):
    data = version / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1000])
    assert "cannot be loaded" in str(problems(version))
    (version / "saved_model.pb").write_bytes(b"\xff\xff damaged")
    assert "cannot be read" in problems(version)["saved_model.pb"]


@pytest.mark.parametrize("content", [b"cut off", b""])
def test_a_damaged_warm_up(version, content):
    (version / WARMUP_FILE).write_bytes(content)
    assert "warm-up" in problems(version)


def test_a_folder_that_is_no_number(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "latest")
    assert problems(folder) == {"version number": "the folder's name is no integer"}


def test_a_model_of_another_contract(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="text")])
    def serve(text):
        return {"length": tf.strings.length(text)}

    folder = tmp_path / "1"
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    assert problems(folder)["signatures"] == "missing: embed"


def test_a_warm_up_for_a_signature_that_is_not_there(version):
    with tf.io.TFRecordWriter(str(version / WARMUP_FILE)) as writer:
        writer.write(prediction_log("m", "other", {"inputs": ["a"]}))
    assert "asks other" in str(problems(version))


def test_the_command(whole, version, capsys):
    assert export.main(["--check", str(whole)]) == 0
    assert "FAILS" not in capsys.readouterr().out
    (version / "fingerprint.pb").unlink()
    with pytest.raises(InputError, match="1 of the above"):
        export.main(["--check", str(version)])
    assert "FAILS  fingerprint: no fingerprint.pb" in capsys.readouterr().out
    with pytest.raises(InputError, match="no such folder"):
        export.main(["--check", str(version / "nowhere")])
    with pytest.raises(InputError, match="received neither"):
        export.main([])
    with pytest.raises(InputError, match="received both"):
        export.main(["packaged", "--check", str(whole)])
