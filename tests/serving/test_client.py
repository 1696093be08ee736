"""The client against a local server that plays TensorFlow Serving's REST, and against
a gRPC server with the real PredictionService."""

import json
import logging
import subprocess
import sys
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zlib import crc32

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from muse_jobs.errors import InputError
from muse_jobs.serving import client as client_module
from muse_jobs.serving.client import JobEncoderClient, ServingError

LABELS = ["บัญชี", "sales"]
TEXTS = ["พนักงานขาย (ด่วน!)", 'a "quoted"\n\\ text', "", "😀 ฟ้า", "Accountant"]
SECRET = "คุณสมชาย ใจดี โทร 081-234-5678"


def number(text):
    """What the servers answer with: another one for every text."""
    return crc32(text.encode()) / 2**32


def vectors(texts):
    return np.array([[number(text)] * 512 for text in texts], np.float32)


def rest_answer(body):
    signature, rows = body["signature_name"], body["instances"]
    if signature == "serving_default":
        return [[number(text)] * 512 for text in rows]
    if signature == "match":
        return [number(row["titles"] + "|" + row["descriptions"]) for row in rows]
    return [
        {"labels": LABELS, "probabilities": [number(text), 1 - number(text)]}
        for text in rows
    ]


class Handler(BaseHTTPRequestHandler):
    """Acts on the server's script first: a status and a body, seconds to wait, "drop"
    or "drip"; and answers after it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, None))
        self.reply(*self.server.state)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, body))
        act = self.server.script.pop(0) if self.server.script else None
        if act == "drop":
            self.close_connection = True
        elif act == "drip":
            self.drip()
        elif isinstance(act, tuple):
            self.reply(*act)
        else:
            if act:
                time.sleep(act)
            self.reply(200, {"predictions": rest_answer(body)})

    def reply(self, status, body):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def drip(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        try:
            for _ in range(50):
                self.wfile.write(b" ")
                time.sleep(0.1)
        except OSError:  # the client has left
            self.close_connection = True

    def log_message(self, *args):
        pass


class Served(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Fails with the script's codes and details first, and answers after it."""

    def __init__(self):
        self.seen, self.script = [], []

    def Predict(self, request, context):
        self.seen.append(request)
        if self.script:
            context.abort(*self.script.pop(0))
        columns = {
            name: [content.decode() for content in tensor.string_val]
            for name, tensor in request.inputs.items()
        }
        response = predict_pb2.PredictResponse()
        for name, values in grpc_answer(
            request.model_spec.signature_name, columns
        ).items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
        return response

    def GetModelMetadata(self, request, context):
        assert list(request.metadata_field) == ["signature_def"]
        if request.model_spec.version_label != "stable":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "unrecognized label")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].SetInParent()
        return response


def grpc_answer(signature, columns):
    if signature == "serving_default":
        return {"outputs": vectors(columns["inputs"])}
    if signature == "match":
        pairs = zip(columns["titles"], columns["descriptions"], strict=True)
        found = [number(f"{title}|{description}") for title, description in pairs]
        return {"probabilities": np.array(found, np.float32)}
    found = [[number(text), 1 - number(text)] for text in columns["inputs"]]
    return {
        "probabilities": np.array(found, np.float32),
        "labels": [LABELS] * len(found),
    }


class Status(model_service_pb2_grpc.ModelServiceServicer):
    state = get_model_status_pb2.ModelVersionStatus.AVAILABLE

    def GetModelStatus(self, request, context):
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=1, state=self.state)
        return response


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(client_module, "FIRST_PAUSE", 0.01)


@pytest.fixture
def rest():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.script = [], []
    server.state = (200, {"model_version_status": [{"state": "AVAILABLE"}]})
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def rpc():
    server = grpc.server(futures.ThreadPoolExecutor(4))
    served = Served()
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(served, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Status(), server)
    served.url = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield served
    server.stop(None).wait()


@pytest.fixture(params=["rest", "rpc"])
def server(request):
    return request.getfixturevalue(request.param)


def busy(server, message="queue is full"):
    """What a busy server of either kind answers."""
    if isinstance(server, Served):
        return grpc.StatusCode.UNAVAILABLE, message
    return 503, {"error": message}


def refusal(server, message):
    if isinstance(server, Served):
        return grpc.StatusCode.INVALID_ARGUMENT, message
    return 400, {"error": message}


def test_values_come_in_the_order_of_the_texts_over_batches(server):
    with JobEncoderClient(server.url, batch_size=2) as client:
        found = client.embed(TEXTS)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, vectors(TEXTS), atol=1e-7)
        assert len(server.seen) == 3  # 2 + 2 + 1 texts
        matches = client.match(TEXTS, TEXTS[::-1])
        assert matches.dtype == np.float32
        expected = [number(f"{a}|{b}") for a, b in zip(TEXTS, TEXTS[::-1], strict=True)]
        np.testing.assert_allclose(matches, expected, atol=1e-7)
        fields = client.fields(TEXTS)
        assert [list(row) for row in fields] == [LABELS] * len(TEXTS)
        np.testing.assert_allclose(
            [row["บัญชี"] for row in fields], [number(t) for t in TEXTS], atol=1e-7
        )
        assert client.ready()


def test_no_texts_are_no_request(server):
    with JobEncoderClient(server.url) as client:
        assert client.embed([]).shape == (0, 512)
        assert client.match([], []).shape == (0,)
        assert client.fields([]) == []
    assert server.seen == []


def test_many_threads_share_a_client(server):
    lists = [[f"งาน {row} {thread}" for row in range(9)] for thread in range(16)]
    with (
        JobEncoderClient(server.url, batch_size=4) as client,
        futures.ThreadPoolExecutor(16) as pool,
    ):
        for texts, found in zip(lists, pool.map(client.embed, lists), strict=True):
            np.testing.assert_allclose(found, vectors(texts), atol=1e-7)


@pytest.mark.parametrize(
    ("chosen", "path"),
    [
        ({}, "/v1/models/muse_jobs"),
        ({"version": 12}, "/v1/models/muse_jobs/versions/12"),
        ({"label": "canary"}, "/v1/models/muse_jobs/labels/canary"),
        ({"model": "a/ข"}, "/v1/models/a%2F%E0%B8%82"),
    ],
)
def test_rest_path_and_body(rest, chosen, path):
    with JobEncoderClient(rest.url + "/", **chosen) as client:
        client.match(["งาน"], ["x"])
        client.embed(["งาน"])
        assert client.ready()
    body = {
        "signature_name": "match",
        "instances": [{"titles": "งาน", "descriptions": "x"}],
    }
    assert rest.seen[0] == (f"{path}:predict", body)
    assert rest.seen[1][1]["instances"] == ["งาน"]
    # Of a label the server's state says nothing.
    state = f"{path}/metadata" if "label" in chosen else path
    assert rest.seen[2] == (state, None)


@pytest.mark.parametrize(
    ("chosen", "version"),
    [
        ({}, None),
        ({"version": 12}, "version"),
        ({"label": "canary"}, "version_label"),
    ],
)
def test_grpc_wire_form(rpc, chosen, version):
    with JobEncoderClient(rpc.url, model="jobs", **chosen) as client:
        client.match(["งาน", ""], ["x", "y"])
    (request,) = rpc.seen
    spec = request.model_spec
    assert (spec.name, spec.signature_name) == ("jobs", "match")
    assert spec.WhichOneof("version_choice") == version
    assert spec.version.value == chosen.get("version", 0)
    assert spec.version_label == chosen.get("label", "")
    assert set(request.inputs) == {"titles", "descriptions"}
    titles = request.inputs["titles"]
    assert titles.dtype == tf.string.as_datatype_enum
    assert [dim.size for dim in titles.tensor_shape.dim] == [2]
    # ง U+0E07, า U+0E32, น U+0E19
    assert list(titles.string_val) == [b"\xe0\xb8\x87\xe0\xb8\xb2\xe0\xb8\x99", b""]


@pytest.mark.parametrize("act", [(503, {"error": "x"}), (429, b""), "drop"])
def test_rest_asks_again(rest, act):
    rest.script += [act] * 4
    with JobEncoderClient(rest.url) as client:
        np.testing.assert_allclose(client.embed(TEXTS), vectors(TEXTS), atol=1e-7)
    assert len(rest.seen) == 5


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_grpc_asks_again(rpc, code):
    rpc.script += [(grpc.StatusCode[code], "busy")] * 4
    with JobEncoderClient(rpc.url) as client:
        np.testing.assert_allclose(client.embed(TEXTS), vectors(TEXTS), atol=1e-7)
    assert len(rpc.seen) == 5


def test_after_the_last_try_the_servers_message_is_raised(server):
    server.script += [busy(server)] * 3
    with JobEncoderClient(server.url, retries=2) as client:
        with pytest.raises(ServingError, match="queue is full") as caught:
            client.embed(["x"])
    assert caught.value.status in (503, "UNAVAILABLE")
    assert len(server.seen) == 3


def test_pauses_double_and_have_jitter(rest, monkeypatch):
    pauses = []
    monkeypatch.setattr(client_module, "FIRST_PAUSE", 1.0)
    monkeypatch.setattr(client_module.time, "sleep", pauses.append)
    rest.script += [busy(rest)] * 5
    with JobEncoderClient(rest.url, timeout=60, retries=5) as client:
        client.embed(["x"])
    longest = [1, 2, 4, 5, 5]
    assert len(pauses) == 5
    assert all(m / 2 <= p <= m for p, m in zip(pauses, longest, strict=True))
    assert len({p / m for p, m in zip(pauses, longest, strict=True)}) == 5


def test_other_errors_are_raised_at_once_with_the_servers_message(server):
    server.script.append(refusal(server, 'signature "match" not found'))
    with JobEncoderClient(server.url) as client:
        with pytest.raises(ServingError, match='signature "match" not fo') as caught:
            client.match(["x"], ["y"])
        assert caught.value.status in (400, "INVALID_ARGUMENT")
        assert len(server.seen) == 1
        assert client.embed(["x"]).shape == (1, 512)


@pytest.mark.parametrize("act", [0.9, "drip"])
def test_a_rest_call_ends_in_time(rest, act):
    rest.script.append(act)
    with JobEncoderClient(rest.url, timeout=0.3) as client:
        start = time.monotonic()
        with pytest.raises(ServingError, match="no answer in time"):
            client.embed(["x"])
    assert time.monotonic() - start < 0.6


def test_pauses_and_batches_count_for_the_time(server):
    server.script += [busy(server)] * 100
    with JobEncoderClient(server.url, timeout=0.3, retries=100) as client:
        start = time.monotonic()
        with pytest.raises(ServingError, match="queue is full"):
            client.embed(["x"])
    assert 0.1 < time.monotonic() - start < 0.6


def test_all_batches_together_end_in_time(rest):
    rest.script += [0.2] * 10
    with JobEncoderClient(rest.url, timeout=0.5, batch_size=1) as client:
        start = time.monotonic()
        with pytest.raises(ServingError):
            client.embed(["x"] * 10)
    assert time.monotonic() - start < 0.9


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_nobody_there(scheme):
    # Port 1 is nobody's.
    with JobEncoderClient(f"{scheme}://127.0.0.1:1", retries=1) as client:
        assert not client.ready()
        with pytest.raises(ServingError):
            client.embed(["x"])


@pytest.mark.parametrize(
    ("state", "ready"),
    [
        ((200, {"model_version_status": [{"state": "LOADING"}]}), False),
        ((404, {"error": "no such model"}), False),
        ((200, {"name": "muse_jobs", "ready": True}), True),  # KServe
        ((200, {"name": "muse_jobs", "ready": False}), False),
        ((200, []), False),
    ],
)
def test_ready_as_the_server_says(rest, state, ready):
    rest.state = state
    with JobEncoderClient(rest.url) as client:
        assert client.ready() is ready


@pytest.mark.parametrize(("label", "ready"), [("stable", True), ("canary", False)])
def test_grpc_is_ready_where_the_label_is(rpc, label, ready):
    with JobEncoderClient(rpc.url, label=label) as client:
        assert client.ready() is ready


def test_grpc_is_not_ready_while_it_loads(rpc, monkeypatch):
    loading = get_model_status_pb2.ModelVersionStatus.LOADING
    monkeypatch.setattr(Status, "state", loading)
    with JobEncoderClient(rpc.url) as client:
        assert not client.ready()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        [],
        {"predictions": [[1.0]] * 3},
        {"predictions": [[1.0], [1.0, 2.0]]},
        {"predictions": [{"a": 1}, {"a": 2}]},
        {"outputs": []},
    ],
)
def test_an_answer_of_another_form_is_an_error(rest, body):
    rest.script.append((200, body))
    with JobEncoderClient(rest.url) as client:
        with pytest.raises(ServingError):
            client.embed(["x", "y"])


@pytest.mark.parametrize(
    "quoted",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        SECRET[:20],
        f"{SECRET} and {SECRET}",
    ],
)
def test_what_the_server_quotes_of_a_text_is_left_out(server, quoted, caplog):
    caplog.set_level(logging.DEBUG)
    message = f"JSON Value: {quoted} is not of expected type"
    server.script.append(refusal(server, message))
    with JobEncoderClient(server.url) as client:
        with pytest.raises(ServingError, match="is not of expected type") as caught:
            client.embed(["x", SECRET])
    told = str(caught.value) + caplog.text
    for piece in ("สมชาย", "081-234", json.dumps("สมชาย")[1:-1]):
        assert piece not in told


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        ([SECRET, 3.5], TypeError),
        ([SECRET, None], TypeError),
        ([SECRET, SECRET.encode()], TypeError),
        (SECRET, TypeError),
        ([SECRET, SECRET + "\ud800"], InputError),
    ],
)
def test_a_text_that_is_none_is_refused_before_it_is_sent(server, texts, error):
    with JobEncoderClient(server.url) as client:
        for ask in (client.embed, client.fields, lambda t: client.match(t, t)):
            with pytest.raises(error, match="expected") as caught:
                ask(texts)
            assert "สมชาย" not in str(caught.value)
        with pytest.raises(InputError, match="as many of each"):
            client.match(["a"], [])
    assert server.seen == []


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("localhost:8501", {}),
        ("ftp://x", {}),
        ("http://", {}),
        ("http://x:port", {}),
        ("http://x", {"version": 1, "label": "stable"}),
        ("http://x", {"timeout": 0}),
        ("http://x", {"batch_size": 0}),
        ("http://x", {"retries": -1}),
    ],
)
def test_arguments_that_cannot_be_used(url, options):
    with pytest.raises(InputError, match="expected"):
        JobEncoderClient(url, **options)


@pytest.mark.parametrize(
    ("url", "module"), [("http://x", "httpx"), ("grpc://x:1", "grpc")]
)
def test_a_missing_package_is_named(monkeypatch, url, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=r'pip install "muse-jobs\[client\]"'):
        JobEncoderClient(url)


def test_rest_imports_no_tensorflow(rest):
    code = (
        "import sys\n"
        "from muse_jobs.serving import JobEncoderClient\n"
        "with JobEncoderClient(sys.argv[1]) as client:\n"
        "    assert client.embed(['งาน']).shape == (1, 512)\n"
        "heavy = ('tensorflow', 'tensorflow_serving', 'keras', 'grpc')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, rest.url], capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr
