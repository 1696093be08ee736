import json

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs import export
from muse_jobs.errors import InputError
from muse_jobs.files import write_json


def test_an_int8_version_is_small_and_close(encoder, tmp_path, capsys):
    assert export.main(["packaged", "--output", str(tmp_path), "--int8"]) == 0
    assert "in 8 bits" in capsys.readouterr().out
    folder = tmp_path / "1"
    size = sum(file.stat().st_size for file in folder.rglob("*"))
    assert size <= 85e6
    texts = tf.constant(["พนักงานขาย", "Software Engineer", ""])
    loaded = tf.saved_model.load(str(folder))
    vectors = loaded.signatures["embed"](texts)["outputs"]
    assert ((vectors * encoder(texts)).numpy().sum(axis=1) > 0.999).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_versions_are_counted_on_and_have_a_card(tmp_path, capsys):
    (tmp_path / "7").mkdir()
    assert export.main(["packaged", "--output", str(tmp_path)]) == 0
    assert str(tmp_path / "8") in capsys.readouterr().out
    card = (tmp_path / "8" / "model_card.md").read_text("utf-8")
    assert "quantised to 6 bits" in card and "Must not decide alone" in card
    report = json.loads((tmp_path / "8" / "report.json").read_text("utf-8"))
    assert report["encoder"].startswith("packaged")


def test_an_encoder_that_is_not_there_is_one_error(tmp_path):
    with pytest.raises(InputError, match="encoder nowhere"):
        export.main(["nowhere", "--output", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_a_run_without_weights_is_one_error(tmp_path):
    write_json(tmp_path / "config.json", {})
    with pytest.raises(InputError, match="no best weights yet"):
        export.main([str(tmp_path), "--output", str(tmp_path / "out")])
