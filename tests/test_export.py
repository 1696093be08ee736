import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs import export
from muse_jobs.errors import InputError
from muse_jobs.files import to_json, write_json
from muse_jobs.serving.model_card import model_card
from muse_jobs.training.config import TrainConfig


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


def test_a_card_of_figures_that_are_not_defined():
    """They are NaN, and null once the report has been JSON."""
    report = {
        "encoder": "packaged",
        "config": dataclasses.asdict(TrainConfig()),
        "data": {
            "postings": 9,
            "split": {"train": 3, "validation": 3, "test": 3},
            "with": {"title_th": 9},
            "sha256": {"a.jsonl": "0" * 64},
            "masked personal data": {"phone": 2},
        },
        "training": {"cycles": 2, "best_cycle": 2},
        "test": {
            "lbkl": {
                "base": float("nan"),
                "tuned": 0.25,
                "difference": dict.fromkeys(("mean", "low", "high"), float("nan")),
            }
        },
        "lbkl": {
            "k": 10,
            "epsilon": 0.01,
            "direction": "P||Q",
            "blind": float("nan"),
            "ceiling": 1.624,
        },
        "versions": {"keras": "3"},
    }
    card = model_card(report)
    assert "| `lbkl` | - | 0.250 | - (- to -) |" in card
    assert "2 phone" in card
    assert model_card(json.loads(to_json(report))) == card
