"""How a request travels: TensorFlow Serving's REST, or its gRPC.

A transport sends one batch once. What a batch is, and when to try again, is the
client's (`muse_jobs.serving.client`). REST needs httpx alone; TensorFlow is imported
for gRPC only, whose messages are built on its own.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from muse_jobs.errors import InputError

NEEDS_EXTRA = 'the client needs {}: run `pip install "muse-jobs[client]"`'
LONGEST_MESSAGE = 500  # characters of a server's message that are kept
# A server may quote a text in part: it is known by its first characters. Shorter ones
# than the least are left, since they would be found in any word.
TELLING, LEAST = 16, 3
MASK = "[…]"


class ServingError(RuntimeError):
    """The server refused, or did not answer in time.

    Attributes:
        status: HTTP's number, gRPC's name of the code, or None without an answer.
    """

    def __init__(self, message: str, status: int | str | None = None):
        super().__init__(message if status is None else f"{status}: {message}")
        self.status = status


class Unavailable(ServingError):
    """The server is overloaded, starting or cannot be reached: it may pass."""


class Rest:
    """``POST /v1/models/NAME[/versions/V|/labels/L]:predict``, row by row.

    Rows (``instances``) are what TensorFlow Serving and KServe's V1 protocol both
    understand; KServe has no path for versions and labels.

    Args:
        url: ``http[s]://host[:port][/prefix]``.
        model: the served model's name.
        version: its number, or None.
        label: its label, or None.
    """

    def __init__(self, url: str, model: str, version: int | None, label: str | None):
        try:
            import httpx
        except ImportError as error:
            raise InputError(NEEDS_EXTRA.format("httpx")) from error
        self._httpx = httpx
        self._client = httpx.Client()
        self._path = f"{url.rstrip('/')}/v1/models/{quote(model, safe='')}"
        if version is not None:
            self._path += f"/versions/{version}"
        self._label = label
        if label is not None:
            self._path += f"/labels/{quote(label, safe='')}"

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, Sequence[str]],
        outputs: Sequence[str],
        timeout: float,
    ) -> list[np.ndarray]:
        """Asks one signature for one batch.

        Args:
            signature: its name.
            inputs: input name to texts (batch,).
            outputs: all names of the signature's outputs.
            timeout: seconds.

        Returns:
            An array (batch, ...) for each output.

        Raises:
            Unavailable: 429, 503 or the connection was lost.
            ServingError: another status, no answer in time, or one that is no JSON.
        """
        columns = list(inputs.values())
        rows: list[object]
        if len(inputs) == 1:
            rows = list(columns[0])
        else:
            rows = [
                dict(zip(inputs, row, strict=True))
                for row in zip(*columns, strict=True)
            ]
        body = {"signature_name": signature, "instances": rows}
        answer = self._ask("POST", ":predict", timeout, body, columns)
        try:
            found = answer["predictions"]
            if len(outputs) == 1:  # its name is dropped
                return [np.array(found)]
            return [np.array([row[name] for row in found]) for name in outputs]
        except (KeyError, TypeError, ValueError):
            raise ServingError("the answer is none of this model's", 200) from None

    def ready(self, timeout: float) -> bool:
        """Whether the server says that it serves the model."""
        if self._label is not None:  # the state of a label is that of any version
            return isinstance(self._ask("GET", "/metadata", timeout), dict)
        answer = self._ask("GET", "", timeout)
        if not isinstance(answer, dict):
            return False
        states = answer.get("model_version_status", ())
        return answer.get("ready") is True or any(
            state.get("state") == "AVAILABLE" for state in states
        )

    def close(self) -> None:
        self._client.close()

    def _ask(self, method, action, timeout, body=None, columns=()) -> Any:
        httpx, end, content = self._httpx, time.monotonic() + timeout, bytearray()
        try:
            # httpx counts seconds anew for each read, so the whole is watched here.
            with self._client.stream(
                method, self._path + action, json=body, timeout=timeout
            ) as response:
                for chunk in response.iter_bytes():
                    content += chunk
                    if time.monotonic() > end:
                        raise httpx.ReadTimeout("")
        except httpx.TimeoutException:
            raise ServingError("no answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            lost = isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError))
            kind = Unavailable if lost else ServingError
            raise kind(f"no answer: {error or type(error).__name__}") from None
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        status = response.status_code
        if status == 200 and answer is not None:
            return answer
        message = content.decode("utf-8", "replace")
        if isinstance(answer, dict) and "error" in answer:
            message = str(answer["error"])
        kind = Unavailable if status in (429, 503) else ServingError
        raise kind(_without_texts(message, columns), status)


class Grpc:
    """``PredictionService.Predict``.

    Args:
        address: ``host:port``.
        model: the served model's name.
        version: its number, or None.
        label: its label, or None.
        secure: whether to use TLS, with gRPC's own root certificates.
    """

    def __init__(
        self,
        address: str,
        model: str,
        version: int | None,
        label: str | None,
        *,
        secure: bool,
    ):
        try:
            import grpc
            import tensorflow as tf
            from tensorflow_serving.apis import (
                get_model_metadata_pb2,
                get_model_status_pb2,
                model_pb2,
                model_service_pb2_grpc,
                predict_pb2,
                prediction_service_pb2_grpc,
            )
        except ImportError as error:
            needed = "grpcio and tensorflow-serving-api"
            raise InputError(NEEDS_EXTRA.format(needed)) from error
        self._grpc, self._tf = grpc, tf
        self._request = predict_pb2.PredictRequest
        self._status = get_model_status_pb2
        self._metadata = get_model_metadata_pb2
        self._spec = model_pb2.ModelSpec(name=model)
        if version is not None:
            self._spec.version.value = version
        if label is not None:
            self._spec.version_label = label
        options = {
            # A large batch's vectors are more than gRPC's 4 MB.
            "grpc.max_receive_message_length": -1,
            "grpc.max_send_message_length": -1,
            # It would wait for longer than the client does.
            "grpc.initial_reconnect_backoff_ms": 100,
            "grpc.min_reconnect_backoff_ms": 100,
            "grpc.max_reconnect_backoff_ms": 1000,
        }.items()
        if secure:
            credentials = grpc.ssl_channel_credentials()
            self._channel = grpc.secure_channel(address, credentials, list(options))
        else:
            self._channel = grpc.insecure_channel(address, list(options))
        predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._predict = predictions.Predict
        self._get_metadata = predictions.GetModelMetadata
        models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._get_status = models.GetModelStatus

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, Sequence[str]],
        outputs: Sequence[str],
        timeout: float,
    ) -> list[np.ndarray]:
        """As `Rest.predict`; UNAVAILABLE and RESOURCE_EXHAUSTED are `Unavailable`."""
        request = self._request(model_spec=self._spec)
        request.model_spec.signature_name = signature
        for name, texts in inputs.items():
            content = [text.encode() for text in texts]
            tensor = self._tf.make_tensor_proto(content, self._tf.string)
            request.inputs[name].CopyFrom(tensor)
        response = self._call(self._predict, request, timeout, inputs.values())
        if not set(outputs) <= set(response.outputs):
            raise ServingError("the answer is none of this model's", "OK")
        return [self._array(response.outputs[name]) for name in outputs]

    def ready(self, timeout: float) -> bool:
        """Whether the server says that it serves the model."""
        if self._spec.version_label:  # the state of a label is that of any version
            request = self._metadata.GetModelMetadataRequest(
                model_spec=self._spec, metadata_field=["signature_def"]
            )
            return bool(self._call(self._get_metadata, request, timeout).metadata)
        request = self._status.GetModelStatusRequest(model_spec=self._spec)
        response = self._call(self._get_status, request, timeout)
        available = self._status.ModelVersionStatus.AVAILABLE
        return any(s.state == available for s in response.model_version_status)

    def close(self) -> None:
        self._channel.close()

    def _call(self, method, request, timeout, columns=()):
        try:
            return method(request, timeout=timeout)
        except self._grpc.RpcError as error:
            name = error.code().name
            passing = name in ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
            kind = Unavailable if passing else ServingError
            # Its own words are not chained: they may quote a text.
            raise kind(_without_texts(error.details() or "", columns), name) from None

    def _array(self, tensor) -> np.ndarray:
        array = self._tf.make_ndarray(tensor)
        if array.dtype == object:
            array = np.vectorize(bytes.decode, otypes=[object])(array)
        return array


def _without_texts(message: str, columns: Iterable[Sequence[str]]) -> str:
    """A server's message without what it may quote of the texts."""
    texts = {text for column in columns for text in column}
    # As it was sent, and as JSON writes it in a message.
    forms = {
        form
        for text in texts
        for form in (
            text,
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
        )
    }
    for form in sorted(forms, key=len, reverse=True):
        head, place = form[:TELLING], 0
        while len(head) >= LEAST and (place := message.find(head, place)) >= 0:
            quoted = os.path.commonprefix([message[place:], form])
            message = message[:place] + MASK + message[place + len(quoted) :]
            place += len(MASK)
    return message.strip()[:LONGEST_MESSAGE] or "no message"
