"""Fixtures: the real encoder on the packaged weights, and the public data."""

import os
from pathlib import Path

import pytest

from muse_jobs.commandline import quiet_tensorflow

with quiet_tensorflow():
    import tensorflow as tf
    import tensorflow_text  # noqa: F401

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def encoder():
    """mUSE with the packaged weights; tests leave its weights as they are."""
    from muse_jobs.encoder.weights import packaged_encoder

    return packaged_encoder()


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public data; without it the test is skipped, or fails in CI."""
    folder = Path(os.environ.get("MUSE_JOBS_DATA", CHECKOUT.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"no public data at {folder}: set MUSE_JOBS_DATA"
        if os.environ.get("MUSE_JOBS_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(autouse=True)
def same_seed():
    """Every test starts from the same random state."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def string_batch():
    """Makes a batch of strings of Python texts."""
    return lambda *texts: tf.constant(list(texts))
