import pytest

from muse_jobs.encoder.__main__ import main
from muse_jobs.errors import InputError
from muse_jobs.serving.savedmodel import export_savedmodel


def test_check_prints_parameters_tokens_cosines_and_a_verdict(capsys):
    assert main(["check", "packaged"]) == 0
    out = capsys.readouterr().out
    assert "parameters:  68,927,232" in out
    assert "'': [1, 2]" in out
    assert "cosine:      +0.8318 published, +0.8" in out
    assert "136 pairs" in out
    assert "quantised weights" in out and "not the float module" in out


def test_check_knows_a_tuned_model(encoder, tmp_path, capsys):
    before = encoder.get_weights()
    try:
        kernel = encoder.residual.hidden_3.kernel
        kernel.assign(0 * kernel.numpy())
        folder = export_savedmodel(encoder, tmp_path)
    finally:
        encoder.set_weights(before)
    assert main(["check", str(folder)]) == 1
    assert "other vectors than plain mUSE's" in capsys.readouterr().out


def test_list_prints_every_variable_and_what_it_feeds(encoder, tmp_path, capsys):
    folder = export_savedmodel(encoder, tmp_path)
    assert main(["list", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("35 variables of")
    assert any("embedding" in line and "(128010, 512)" in line for line in lines)
    assert sum(" after " in line for line in lines) == 35


def test_there_is_nothing_to_list_in_the_packaged_weights():
    with pytest.raises(InputError, match="nothing to list"):
        main(["list", "packaged"])
