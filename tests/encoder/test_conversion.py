import csv
import logging

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.encoder.conversion import LARGEST_DIFFERENCE
from muse_jobs.encoder.encode import text_encoder
from muse_jobs.encoder.hub import HubEncoder
from muse_jobs.encoder.muse import MuseEncoder
from muse_jobs.encoder.reference import compare_with_published
from muse_jobs.encoder.sources import load_encoder
from muse_jobs.encoder.weights import _packaged_files
from muse_jobs.errors import InputError
from muse_jobs.serving.savedmodel import export_savedmodel
from tests.encoder.standin import save_stand_in


@pytest.fixture(scope="module")
def save(encoder, tmp_path_factory):
    """Saves a stand-in of the real module, with options of `save_stand_in`."""
    with np.load(_packaged_files()["weights.npz"]) as archive:
        arrays = {name: archive[name] for name in archive.files}
    table = encoder.embedding.numpy()

    def save_it(**options):
        folder = tmp_path_factory.mktemp("module")
        return str(
            save_stand_in(folder, arrays, table, encoder.sentencepiece_model, **options)
        )

    return save_it


@pytest.fixture(scope="module")
def stand_in(save):
    return save()


def test_the_stand_in_has_the_real_modules_habits(stand_in):
    module = tf.saved_model.load(stand_in)
    names = [v.name for v in module.variables]
    assert sum(n.startswith("Embeddings/sharded_") for n in names) == 17
    assert "EncoderDNN/DNN/ResidualHidden_3/AdjustDepth/projection/kernel/part_0:0" in (
        names
    )
    signature = module.signatures["serving_default"]
    assert list(signature.structured_input_signature[1]) == ["inputs"]
    assert list(signature.structured_outputs) == ["outputs"]
    graph = signature.graph.as_graph_def()
    assert not any(node.op.startswith("Sentencepiece") for node in graph.node)
    assert any(
        node.op == "SentencepieceTokenizeOp"
        for function in graph.library.function
        for node in function.node_def
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"meaningless_names": True},
        {"parts": 1},
        {"parts": 7, "meaningless_names": True},
    ],
    ids=str,
)
def test_conversion_gives_every_weight_its_place(save, encoder, options):
    native = load_encoder(save(**options), convert=True)
    assert isinstance(native, MuseEncoder)
    assert "as a native layer" in native.source
    for found, expected in zip(native.variables, encoder.variables, strict=True):
        assert found.path.split("/")[1:] == expected.path.split("/")[1:]
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    assert native.sentencepiece_model == encoder.sentencepiece_model


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"activation": tf.nn.gelu}, "other vectors for .*cosine"),
        ({"epsilon": 1e-3}, "other vectors for .*cosine"),
        ({"extra_layer": True}, "expected 1 weights of shape .512, 512.*found 2"),
        ({"edges": False}, "other vectors for .*cosine"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_conversion_refuses_what_computes_something_else(save, caplog, options, reason):
    folder = save(**options)
    with pytest.raises(InputError, match=f"cannot be converted: .*{reason}"):
        load_encoder(folder, convert=True)
    with caplog.at_level(logging.WARNING, logger="muse_jobs"):
        assert isinstance(load_encoder(folder), HubEncoder)
    (record,) = caplog.records
    assert "python -m muse_jobs.encoder list" in record.getMessage()


def test_an_export_of_this_project_is_converted_too(encoder, tmp_path, string_batch):
    folder = export_savedmodel(encoder, tmp_path)
    native = load_encoder(str(folder))
    assert isinstance(native, MuseEncoder)
    texts = string_batch("ครู", "teacher")
    np.testing.assert_allclose(native(texts), encoder(texts), atol=1e-6)


def test_frozen_modules_convert_to_frozen_layers(stand_in):
    assert not load_encoder(stand_in, trainable=False).trainable_variables


def test_hub_and_native_layer_agree_on_1000_titles(stand_in, encoder, public_data):
    with (public_data / "isco08-thai" / "thai_titles.tsv").open("r", -1, "utf-8") as f:
        titles = [row["title_th"] for row in csv.DictReader(f, delimiter="\t")]
    with (public_data / "onet" / "Occupation Data.txt").open("r", -1, "utf-8") as f:
        titles += [row["Title"] for row in csv.DictReader(f, delimiter="\t")]
    titles = titles[:500] + titles[-500:]
    hub_layer = load_encoder(stand_in, convert=False)
    assert isinstance(hub_layer, HubEncoder)
    np.testing.assert_allclose(
        text_encoder(hub_layer)(titles), text_encoder(encoder)(titles), atol=1e-5
    )


def test_published_values_through_the_stand_in(stand_in):
    hub_layer = load_encoder(stand_in, convert=False)
    agreement = compare_with_published(text_encoder(hub_layer))
    assert agreement.mean_difference <= 0.016 and agreement.correlation >= 0.998


def test_hub_layer_gradients_reach_all_and_shards_change(stand_in, string_batch):
    layer = load_encoder(stand_in, convert=False)
    assert layer.count_params() == 68_927_232
    values = [v.value for v in layer.trainable_variables]
    assert len({id(v) for v in values}) == len(values) > 35 + 16
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(string_batch("ช่างไฟฟ้าและวิศวกร", "chef"))[:, :9])
    gradients = tape.gradient(loss, values)
    moved = {}
    for value, gradient in zip(values, gradients, strict=True):
        dense = tf.convert_to_tensor(gradient)
        assert dense.shape == value.shape
        moved[value.name] = np.abs(dense).max() > 0
        value.assign_sub(0.1 * dense)
    assert all(hit for name, hit in moved.items() if "sharded" not in name)
    assert any(hit for name, hit in moved.items() if "sharded" in name)
    after = layer(string_batch("chef"))
    assert (
        np.abs(
            after - load_encoder(stand_in, convert=False)(string_batch("chef"))
        ).max()
        > 1e-3
    )


def test_hub_layer_saves_loads_exports_and_is_tuned_again(
    stand_in, tmp_path, string_batch
):
    layer = load_encoder(stand_in, convert=False)
    texts = string_batch("พนักงานบัญชี", "accountant")
    layer.trainable_variables[0].value.assign_add(
        0.3 * tf.ones_like(layer.trainable_variables[0].value)
    )
    tuned = layer(texts).numpy()
    import keras

    wrapped = keras.Sequential([layer])
    wrapped.build((None,))
    wrapped.save_weights(tmp_path / "tuned.weights.h5")
    fresh = keras.Sequential([load_encoder(stand_in, convert=False)])
    fresh.build((None,))
    fresh.load_weights(tmp_path / "tuned.weights.h5")
    np.testing.assert_allclose(fresh.layers[0](texts), tuned, atol=1e-6)

    exported = export_savedmodel(layer, tmp_path / "models")
    again = load_encoder(str(exported), convert=False)
    np.testing.assert_allclose(again(texts), tuned, atol=1e-5)
    assert len(again.trainable_variables) == len(layer.trainable_variables)
    native = load_encoder(str(exported), convert=True)
    np.testing.assert_allclose(native(texts), tuned, atol=LARGEST_DIFFERENCE)
