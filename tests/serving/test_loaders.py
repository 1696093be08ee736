"""A version in a process that has TensorFlow and tensorflow-text alone, through the
loader that is closest to the server's; and under the newest TensorFlow that the server
was seen with."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.encoder.quantized import quantize
from muse_jobs.serving.savedmodel import export_savedmodel
from muse_jobs.training.heads import FieldHead, MatchingHead
from tests.serving.test_savedmodel import TEXTS

PYTHON_2_20 = "MUSE_JOBS_TF_2_20_PYTHON"
LOADER = """
import json, sys
import tensorflow as tf
import tensorflow_text
texts = json.loads(sys.argv[2])
out = {"tensorflow": tf.__version__}
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    graph = tf.compat.v1.saved_model.load(session, ["serve"], sys.argv[1])
    for name, signature in graph.signature_def.items():
        if signature.inputs:
            given = {info.name: texts for info in signature.inputs.values()}
            wanted = {k: info.name for k, info in signature.outputs.items()}
            answer = session.run(wanted, given)
            out[name] = {k: v.tolist() for k, v in answer.items() if k != "labels"}
out["others"] = [m for m in sys.modules if m.startswith(("muse_jobs", "keras"))]
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def model(encoder, tmp_path_factory):
    """A whole version, a small one, and what they should answer to TEXTS."""
    base = tmp_path_factory.mktemp("models")
    heads = {"matching": MatchingHead(512), "fields": FieldHead(512, ["a", "b"])}
    folder = export_savedmodel(encoder, base / "float", **heads)
    small = export_savedmodel(quantize(encoder), base / "int8")
    vectors = encoder(tf.constant(TEXTS))
    matches = tf.sigmoid(heads["matching"](descriptions=vectors, titles=vectors))
    expected = {
        ("embed", "outputs"): vectors,
        ("serving_default", "outputs"): vectors,
        ("match", "probabilities"): matches,
        ("fields", "probabilities"): tf.sigmoid(heads["fields"](vectors)),
    }
    return folder, small, expected


def loaded(python, folder):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", LOADER, str(folder), json.dumps(TEXTS)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def check(python, model):
    folder, small, expected = model
    found = loaded(python, folder)
    for (signature, output), values in expected.items():
        np.testing.assert_allclose(found[signature][output], values, atol=1e-5)
    of_small = np.array(loaded(python, small)["embed"]["outputs"])
    cosines = (of_small * expected["embed", "outputs"].numpy()).sum(axis=1)
    assert (cosines > 0.999).all()
    return found


def test_through_the_session_loader(model):
    found = check(sys.executable, model)
    assert not any(name.startswith("muse_jobs") for name in found["others"])


@pytest.mark.slow
def test_under_tensorflow_2_20(model):
    python = os.environ.get(PYTHON_2_20)
    if python is None:
        pytest.skip(f"name a Python with TensorFlow 2.20 with {PYTHON_2_20}")
    assert check(python, model)["tensorflow"].startswith("2.20.")
