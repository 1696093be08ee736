"""A client of the served model, over REST or gRPC, that waits out a busy server.

    with JobEncoderClient("http://localhost:8501") as client:
        vectors = client.embed(["พนักงานขาย", "Sales executive"])

Texts are personal data: none stands in a message of an error or in a log.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import numpy as np

from muse_jobs.errors import InputError
from muse_jobs.serving.transports import Grpc, Rest, ServingError, Unavailable

DIM = 512
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds


class JobEncoderClient:
    """Asks a served model. One client can be used by many threads.

    A server that is busy or away (HTTP 429 and 503, gRPC UNAVAILABLE and
    RESOURCE_EXHAUSTED, a lost connection) is asked again after a pause that doubles,
    with jitter.

    Args:
        url: ``http[s]://host[:port][/prefix]`` for TensorFlow Serving's REST and
            KServe's V1 protocol, ``grpc[s]://host:port`` for gRPC. A secure one checks
            the server's certificate.
        model: the served model's name.
        version: its number; the server's choice if None. KServe knows neither versions
            nor labels.
        label: its label (``stable``, ``canary``), instead of a version.
        timeout: seconds in which a call ends, all its batches and pauses together. Over
            REST, a server that answers drop by drop can double them.
        batch_size: most texts of a request.
        retries: how often a request is sent again.

    Raises:
        InputError: an argument cannot be used, or the extra ``client`` is missing.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str = "muse_jobs",
        version: int | None = None,
        label: str | None = None,
        timeout: float = 10.0,
        batch_size: int = 64,
        retries: int = 4,
    ):
        if version is not None and label is not None:
            raise InputError("expected a version or a label, received both")
        if not (timeout > 0 and batch_size >= 1 and retries >= 0):
            raise InputError(
                f"expected timeout > 0, batch_size >= 1 and retries >= 0, received "
                f"{timeout}, {batch_size} and {retries}"
            )
        self.timeout, self.batch_size, self.retries = timeout, batch_size, retries
        self._transport = _transport(url, model, version, label)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts.

        Args:
            texts: (n,).

        Returns:
            float32 (n, 512), unit norm, in the order of the texts.

        Raises:
            TypeError: a text is not a str.
            InputError: a text cannot be written as UTF-8.
            ServingError: the server refuses, or the time is over.
        """
        (vectors,) = self._ask("serving_default", {"inputs": texts}, ("outputs",))
        return _floats(vectors) if len(vectors) else np.empty((0, DIM), np.float32)

    def match(self, titles: Sequence[str], descriptions: Sequence[str]) -> np.ndarray:
        """Probabilities that title and description belong together, pair by pair.

        Args:
            titles: (n,).
            descriptions: (n,).

        Returns:
            float32 (n,).

        Raises:
            TypeError: a text is not a str.
            InputError: the lengths differ, or a text cannot be written as UTF-8.
            ServingError: the server refuses (the model has no signature ``match``, for
                one), or the time is over.
        """
        inputs = {"titles": titles, "descriptions": descriptions}
        (probabilities,) = self._ask("match", inputs, ("probabilities",))
        return _floats(probabilities)

    def fields(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Job fields of texts.

        Args:
            texts: (n,).

        Returns:
            For each text, the probability of each label. They do not sum to 1: a
            posting can be of many fields.

        Raises:
            As `embed`.
        """
        outputs = ("labels", "probabilities")
        labels, probabilities = self._ask("fields", {"inputs": texts}, outputs)
        return [
            dict(zip(names, values, strict=True))
            for names, values in zip(
                labels.tolist(), _floats(probabilities).tolist(), strict=True
            )
        ]

    def ready(self) -> bool:
        """Whether the server serves the model now; False if it cannot be reached."""
        try:
            return self._transport.ready(self.timeout)
        except ServingError:
            return False

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> JobEncoderClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ask(
        self,
        signature: str,
        columns: Mapping[str, Sequence[str]],
        outputs: Sequence[str],
    ) -> list[np.ndarray]:
        end = time.monotonic() + self.timeout
        columns = {name: _checked(name, texts) for name, texts in columns.items()}
        lengths = {name: len(texts) for name, texts in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(f"expected as many of each, received {lengths}")
        rows = max(lengths.values())
        if rows == 0:
            return [np.empty(0)] * len(outputs)
        parts = []
        for start in range(0, rows, self.batch_size):
            chosen = slice(start, start + self.batch_size)
            batch = {name: texts[chosen] for name, texts in columns.items()}
            parts.append(self._send(signature, batch, outputs, end))
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _send(
        self,
        signature: str,
        batch: Mapping[str, Sequence[str]],
        outputs: Sequence[str],
        end: float,
    ) -> list[np.ndarray]:
        attempt = 0
        while (left := end - time.monotonic()) > 0:
            try:
                arrays = self._transport.predict(signature, batch, outputs, left)
                break
            except Unavailable:
                pause = min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE)
                pause *= random.uniform(0.5, 1)
                if attempt == self.retries or time.monotonic() + pause >= end:
                    raise
                time.sleep(pause)
                attempt += 1
        else:
            raise ServingError(f"not done in {self.timeout} s")
        rows = len(next(iter(batch.values())))
        if any(array.shape[:1] != (rows,) for array in arrays):
            raise ServingError(f"expected an answer to each of {rows} texts")
        return arrays


def _transport(
    url: str, model: str, version: int | None, label: str | None
) -> Rest | Grpc:
    parts = urlsplit(url)
    try:
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if usable and parts.scheme in ("http", "https"):
        return Rest(url, model, version, label)
    if usable and parts.scheme in ("grpc", "grpcs"):
        secure = parts.scheme == "grpcs"
        return Grpc(parts.netloc, model, version, label, secure=secure)
    raise InputError("expected a url as http[s]://host:port or grpc[s]://host:port")


def _floats(array: np.ndarray) -> np.ndarray:
    try:
        return np.asarray(array, np.float32)
    except (TypeError, ValueError):
        raise ServingError("expected numbers, received something else") from None


def _checked(name: str, texts: Sequence[str]) -> list[str]:
    """The texts as a list; says where a wrong one stands, never what it is."""
    if isinstance(texts, (str, bytes)):
        raise TypeError(f"{name}: expected a list of texts, received one text")
    texts = list(texts)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            kind = type(text).__name__
            raise TypeError(f"{name}[{position}]: expected a str, received {kind}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"{name}[{position}]: expected Unicode, received half a surrogate pair"
            ) from None
    return texts
