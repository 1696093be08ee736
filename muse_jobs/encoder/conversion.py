"""The real mUSE module to the native layer, by its graph, if the vectors agree.

What a variable is follows from what it meets on its way to the result (`weight_flow`):
names and partitions do not matter. Shapes leave few candidates, and of those that are
left one stands behind the other: a kernel before its bias, gamma before beta, the first
convolution before the second.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from muse_jobs.encoder import muse
from muse_jobs.encoder.graph import UnknownGraph, Weight, weight_flow
from muse_jobs.encoder.hub import HubEncoder
from muse_jobs.encoder.muse import MuseEncoder

log = logging.getLogger("muse_jobs")

LEAST_COSINE = 0.9999
LARGEST_DIFFERENCE = 1e-5  # an epsilon of 1e-3 in the norms passes the cosine alone
PROBES = (
    "พนักงานขายประจำสาขา",
    "เจ้าหน้าที่บัญชี (ด่วน!) เงินเดือน 25,000 บาท",
    "ก",
    "Senior Software Engineer",
    "accounting",
    "Sell, cook, drive: three jobs of 40 hours each, in one long sentence of English.",
    "ช่าง HVAC / Maintenance Technician",
    "软件工程师",
    "Инженер-программист",
    "مهندس برمجيات",
    "ソフトウェア技術者",
    "",
)


class NotConvertible(ValueError):
    """The module is no mUSE small CNN that the native layer can stand for."""


def convert_module(module_layer: HubEncoder) -> MuseEncoder:
    """The native layer with the weights of a loaded module.

    Args:
        module_layer: the module as a layer.

    Returns:
        A layer whose vectors are the module's on every probe text.

    Raises:
        NotConvertible: the message says what was not understood or did not agree.
    """
    model = module_layer.sentencepiece_model
    if model is None:
        raise NotConvertible("no SentencePiece model in its graph")
    function = module_layer.concrete_function()
    try:
        weights = weight_flow(function, module_layer.module_variables)
    except UnknownGraph as unknown:
        raise NotConvertible(str(unknown)) from unknown
    roles = identify(weights)
    encoder = MuseEncoder(
        model,
        _join(roles.pop("embedding")),
        source=f"{module_layer.source}, as a native layer",
        name="muse",
    )
    for variable in encoder.variables[1:]:
        weight = roles[variable.path.removeprefix("muse/")]
        variable.assign(_join(weight).reshape(variable.shape))
    _compare(module_layer, encoder)
    encoder.trainable = module_layer.trainable
    return encoder


def identify(weights: Sequence[Weight]) -> dict[str, Weight]:
    """The role of each weight: the path of the native layer's variable, without layer.

    Args:
        weights: of `weight_flow`.

    Returns:
        Path to weight, for all of the native layer's variables.

    Raises:
        NotConvertible: other weights than mUSE's.
    """
    roles: dict[str, Weight] = {}

    def take(
        shape: tuple[int, ...], *paths: str, behind: Weight | None = None
    ) -> list[Weight]:
        """The weights of a shape, each behind those before it in the network."""
        found = [w for w in weights if _squeezed(w.shape) == shape]
        if behind is not None:
            found = [w for w in found if weights.index(w) in behind.upstream]
        if len(found) != len(paths):
            raise NotConvertible(
                f"expected {len(paths)} weights of shape {shape} "
                f"({', '.join(paths)}), found {len(found)}: "
                f"{', '.join(w.name for w in found) or 'none'}"
            )
        found.sort(key=lambda weight: len(weight.upstream))
        roles.update(zip(paths, found, strict=True))
        return found

    width, dim, hidden = muse.NGRAM_DIM, muse.EMBEDDING_DIM, muse.HIDDEN_DIM
    output = muse.OUTPUT_DIM
    features = dim + width * len(muse.NGRAM_LEFT_CONTEXT)
    take((muse.VOCABULARY_SIZE, dim), "embedding")
    for order in muse.NGRAM_LEFT_CONTEXT:
        base = f"ngram_{order}/"
        names = [f"{base}convolution_{n}/kernel" for n in (1, 2)]
        _, last = take((order, width, width), *names)
        take((dim, width), base + "projection/kernel", behind=last)
        take(
            (width,),
            base + "projection/bias",
            base + "norm/gamma",
            base + "norm/beta",
            base + "convolution_1/bias",
            behind=last,
        )
        biases = [
            w
            for w in weights
            if weights.index(last) in w.upstream and _squeezed(w.shape) == (width,)
        ]
        if len(biases) != 1:
            raise NotConvertible(f"expected one bias behind {last.name}")
        roles[base + "convolution_2/bias"] = biases[0]
    take((features,), "norm/gamma", "norm/beta")
    take((features, output), "pooling/kernel")
    take((output,), "pooling/bias")
    (hidden_1,) = take((hidden, hidden), "residual/hidden_1/kernel")
    (hidden_3,) = take((output, output), "residual/hidden_3/kernel")
    take((dim, hidden), "residual/hidden_0/kernel", behind=hidden_1)
    _take_other(weights, roles, (dim, hidden), "residual/projection_1/kernel")
    # Of the two (320, 512) kernels one is behind hidden_3, the other beside it.
    take((hidden, output), "residual/hidden_2/kernel", behind=hidden_3)
    _take_other(weights, roles, (hidden, output), "residual/projection_3/kernel")
    left = [w.name for w in weights if w not in roles.values()]
    if left:
        raise NotConvertible(f"weights that mUSE does not have: {', '.join(left)}")
    return roles


def _take_other(
    weights: Sequence[Weight], roles: dict[str, Weight], shape, path: str
) -> None:
    """The one weight of a shape that has no role yet."""
    found = [
        w for w in weights if _squeezed(w.shape) == shape and w not in roles.values()
    ]
    if len(found) != 1:
        raise NotConvertible(f"expected one weight for {path}, found {len(found)}")
    roles[path] = found[0]


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _join(weight: Weight) -> np.ndarray:
    parts = [part.numpy() for part in weight.parts]
    if not weight.sharded:
        return np.concatenate(parts, axis=0)
    joined = np.empty(weight.shape, np.float32)
    for number, part in enumerate(parts):
        joined[number :: len(parts)] = part
    return joined


def _compare(module_layer: HubEncoder, encoder: MuseEncoder) -> None:
    texts = tf.constant(PROBES)
    with _full_precision():
        theirs, ours = module_layer(texts).numpy(), encoder(texts).numpy()
    cosines = (theirs * ours).sum(axis=1)
    differences = np.abs(theirs - ours).max(axis=1)
    for text, cosine, difference in zip(PROBES, cosines, differences, strict=True):
        log.info(
            "conversion: %r: cosine %.6f, difference %.1e", text, cosine, difference
        )
    worst = int(np.argmax(differences))
    if not (cosines.min() >= LEAST_COSINE and differences[worst] <= LARGEST_DIFFERENCE):
        raise NotConvertible(
            f"the native layer gives other vectors for {PROBES[worst]!r}: cosine "
            f"{cosines[worst]:.6f}, difference {differences[worst]:.1e}; at least "
            f"{LEAST_COSINE} and at most {LARGEST_DIFFERENCE} are asked"
        )


@contextmanager
def _full_precision():
    """Without TensorFloat-32, which a GPU may use: it rounds to three digits."""
    enabled = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(enabled)
