"""Which versions of a model are served: the labels in TensorFlow Serving's own config.

A version folder is never moved or changed. The server is told by its model config file
which versions to load and what their labels are; it loads a new version before it
unloads an old one. The file is parsed and written with the server's own messages, and
replaced as a whole, so that there is no moment without a whole version.
"""

from __future__ import annotations

import re
from pathlib import Path

from muse_jobs.errors import InputError
from muse_jobs.files import write_lines

# What clients ask for, what they asked for before, and what a few try out.
STABLE, PREVIOUS, CANARY = "stable", "previous", "canary"


def list_versions(base: str | Path) -> list[int]:
    """The versions below a model's folder, lowest first."""
    folder = Path(base)
    if not folder.is_dir():
        return []
    number = re.compile("[1-9][0-9]*")
    return sorted(int(e.name) for e in folder.iterdir() if number.fullmatch(e.name))


def read_labels(config: str | Path, model: str) -> dict[str, int]:
    """The labels of a model in a model config file, and the version of each.

    Args:
        config: text form of ``tensorflow.serving.ModelServerConfig``.
        model: its name there.

    Raises:
        InputError: the file is not of that form or has no such model, or
            tensorflow-serving-api is not installed.
    """
    return dict(_model(_parsed(config), config, model).version_labels)


def promote(
    config: str | Path,
    base: str | Path,
    version: int,
    *,
    label: str = STABLE,
) -> dict[str, int]:
    """Gives a version a label; what was ``stable`` stays loaded as ``previous``.

    The server refuses a config that moves a label to a version which it has not loaded,
    and reads it again and again in vain. So a version is ``canary`` first, and
    ``stable`` once it is loaded. A canary that takes the place of another is loaded
    without a label by the first call, and gets it by a second one.

    Args:
        config: the server's model config file; it is replaced.
        base: the model's folder here; its name is the model's name in the file.
        version: a whole version below ``base``.
        label: ``stable`` or ``canary``.

    Returns:
        The labels from now on. All versions with a label are served.

    Raises:
        InputError: there is no such version, or it is to be stable and is not loaded;
            see also `read_labels`.
    """
    if not Path(base, str(version), "saved_model.pb").is_file():
        there = ", ".join(map(str, list_versions(base))) or "none"
        raise InputError(
            f"{base}: expected one of the versions there ({there}), received {version}"
        )
    entry = _model(_parsed(config), config, Path(base).name)
    labels, loaded = (
        dict(entry.version_labels),
        set(entry.model_version_policy.specific.versions),
    )
    moves = labels.get(label, version) != version
    if moves and version not in loaded:
        if label == STABLE:
            raise InputError(
                f"version {version} is not loaded, and the server moves no label to "
                f"it: promote it with --canary first, and again when it is available"
            )
        del labels[label]
        return _write(config, Path(base).name, labels, unlabelled=version)
    if label == STABLE:
        before = labels.get(STABLE, version)
        if before != version:
            labels[PREVIOUS] = before
        if labels.get(CANARY) == version:
            del labels[CANARY]  # it is tried out no longer
    labels[label] = version
    return _write(config, Path(base).name, labels)


def roll_back(config: str | Path, base: str | Path) -> dict[str, int]:
    """Makes ``previous`` the ``stable`` version again; it is loaded already.

    Args:
        config: as in `promote`.
        base: as there.

    Returns:
        The labels from now on; the version that was stable has none.

    Raises:
        InputError: no version is labelled ``previous``.
    """
    labels = read_labels(config, Path(base).name)
    if PREVIOUS not in labels:
        raise InputError(
            f"{config}: no version is labelled {PREVIOUS}, so there is none to go back "
            "to; promote one by its number"
        )
    labels[STABLE] = labels.pop(PREVIOUS)
    return _write(config, Path(base).name, labels)


def _write(
    config: str | Path,
    model: str,
    labels: dict[str, int],
    *,
    unlabelled: int | None = None,
) -> dict[str, int]:
    from google.protobuf import text_format

    parsed = _parsed(config)
    entry = _model(parsed, config, model)
    entry.version_labels.clear()
    entry.version_labels.update(labels)
    served = entry.model_version_policy.specific
    del served.versions[:]
    versions = {*labels.values(), unlabelled}
    served.versions.extend(sorted(v for v in versions if v is not None))
    try:
        write_lines(config, [text_format.MessageToString(parsed).rstrip("\n")])
    except OSError as error:
        raise InputError(f"{config}: cannot be written ({error.strerror})") from error
    return labels


def _model(parsed, config: str | Path, model: str):
    for entry in parsed.model_config_list.config:
        if entry.name == model:
            return entry
    raise InputError(f"{config}: expected a model named {model}, received none")


def _parsed(config: str | Path):
    try:
        from google.protobuf import text_format
        from tensorflow_serving.config import model_server_config_pb2
    except ImportError as error:
        raise InputError(
            "the server's config is read with its own messages: run "
            '`pip install "muse-jobs[client]"`'
        ) from error
    path = Path(config)
    if not path.is_file():
        raise InputError(
            f"{config}: no such file; a checkout of the project has one in "
            "savedmodels/serving/, --config names it"
        )
    try:
        return text_format.Parse(
            path.read_text("utf-8"), model_server_config_pb2.ModelServerConfig()
        )
    except (text_format.ParseError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{config}: expected a ModelServerConfig: {error}") from error
