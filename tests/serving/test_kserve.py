"""The export in KServe 0.21, which has an environment of its own (see `PYTHON`)."""

import base64
import json
import os
import random
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.serving.client import JobEncoderClient, ServingError
from muse_jobs.serving.savedmodel import export_savedmodel
from muse_jobs.training.heads import FieldHead, MatchingHead

pytestmark = pytest.mark.slow

PYTHON = "MUSE_JOBS_KSERVE_PYTHON"
SERVER = Path(__file__).with_name("kserve_server.py")
LABELS = ["accounting", "บัญชี", "sales"]
WORDS = (
    "พนักงานขาย เจ้าหน้าที่บัญชี วิศวกร ด่วน! ประจำสาขา เงินเดือน 18,000 บาท ๑๒ น้ำ 😀 "
    'senior Software engineer (HR) accountant C++ nurse " \\ <b> \t'
).split(" ")
CLIENTS, SECONDS = 8, 15


@pytest.fixture(scope="module")
def served(encoder, tmp_path_factory):
    """The server's address and the heads that it serves; it is always stopped."""
    python = os.environ.get(PYTHON)
    if python is None:
        reason = f"name a Python with KServe and TensorFlow with {PYTHON}"
        if os.environ.get("MUSE_JOBS_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("kserve")
    heads = MatchingHead(512), FieldHead(512, LABELS)
    version = export_savedmodel(
        encoder, folder / "muse_jobs", matching=heads[0], fields=heads[1]
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, SERVER, f"--model_dir={version}", f"--http_port={port}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--enable_grpc=False"],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )
    try:
        url = f"http://127.0.0.1:{port}"
        with JobEncoderClient(url) as client:
            end = time.monotonic() + 120
            while not client.ready():
                alive = process.poll() is None and time.monotonic() < end
                assert alive, (folder / "log").read_text("utf-8")[-3000:]
                time.sleep(0.2)
        yield url, *heads
        assert process.poll() is None, (folder / "log").read_text("utf-8")[-3000:]
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def random_texts(chance):
    return [
        " ".join(chance.choices(WORDS, k=chance.randrange(12)))
        for _ in range(chance.randrange(1, 40))
    ]


def test_eight_clients_for_a_while_get_what_the_encoder_gives(served, encoder):
    url, matching, fields = served

    def ask(seed):
        chance, end, answers = random.Random(seed), time.monotonic() + SECONDS, []
        with JobEncoderClient(url, timeout=60) as client:
            while time.monotonic() < end:
                texts = random_texts(chance)
                kind = chance.choice(["embed", "embed", "match", "fields"])
                if kind == "match":
                    found = client.match(texts, texts[::-1])
                else:
                    found = getattr(client, kind)(texts)
                answers.append((kind, texts, found))
        return answers

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = [a for part in pool.map(ask, range(CLIENTS)) for a in part]
    assert len(answers) > CLIENTS
    assert {kind for kind, _, _ in answers} == {"embed", "match", "fields"}
    of_all = encoder(tf.constant([text for _, texts, _ in answers for text in texts]))
    of_each = tf.split(of_all, [len(texts) for _, texts, _ in answers])
    for (kind, _, found), vectors in zip(answers, of_each, strict=True):
        if kind == "embed":
            expected = vectors
        elif kind == "match":
            logits = matching(descriptions=vectors[::-1], titles=vectors)
            expected = tf.sigmoid(logits)
        else:
            expected = tf.sigmoid(fields(vectors))
            found = [[row[label] for label in LABELS] for row in found]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    print(f"{len(answers)} requests, {sum(len(t) for _, t, _ in answers)} texts")


def b64(content):
    return {"b64": base64.b64encode(content).decode()}


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"texts": ["x"]}, 400, 'expected "instances"'),
        (["x"], 400, 'expected "instances"'),
        ({"instances": "x"}, 400, 'Expected "instances"'),
        ({"instances": [1, 2.5]}, 400, "expected strings, received int"),
        ({"instances": [["x"]]}, 400, "expected strings, received list"),
        ({"instances": [None]}, 400, "expected strings, received NoneType"),
        ({"instances": [{"wrong": "x"}]}, 400, "expected strings"),
        (
            {"signature_name": "match", "instances": [{"titles": "x"}]},
            400,
            "expected objects of descriptions, titles",
        ),
        ({"signature_name": "no", "instances": ["x"]}, 400, "signature_name"),
        ({"instances": [{"b64": "?"}]}, 400, "base64"),
        (b'{"instances": ["x"', 400, "Unrecognized request format"),
        (b'{"instances": ["\xff"]}', 400, "Unrecognized request format"),
        (b"", 400, "Unrecognized request format"),
        ({"instances": []}, 200, 0),
        ({"instances": [f"งาน {n}" for n in range(10_000)]}, 200, 10_000),
        ({"instances": ["งานขาย " * 50_000]}, 200, 1),
        ({"instances": [b64(b"\xff\xfe\x00 sales"), b64(b"")]}, 200, 2),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict | bytes) else None,
)
def test_a_bad_request_has_its_answer_and_the_server_lives_on(
    served, encoder, body, status, told
):
    """What is answered:

    | request | answer |
    |---|---|
    | no ``instances``, or not a list | 400, names it |
    | numbers, lists, null, an object of other inputs | 400, names the type |
    | an input is missing | 400, names those that are expected |
    | a signature that is none | 400, names those that are there |
    | b64 that is none | 400 |
    | broken or empty JSON, or not UTF-8 | 400, by KServe |
    | no texts | 200, no vectors |
    | 10,000 texts | 200, a vector each |
    | a text of 1 MB | 200, the vector of its first 2,048 tokens |
    | invalid UTF-8 by b64 | 200, a vector of unit norm |
    """
    url = served[0]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = httpx.post(
        f"{url}/v1/models/muse_jobs:predict",
        content=content,
        headers={"content-type": "application/json"},
        timeout=120,
    )
    assert response.status_code == status, response.text[:500]
    if status == 400:
        assert told in response.json()["error"]
    else:
        vectors = np.array(response.json()["predictions"]).reshape(-1, 512)
        assert len(vectors) == told
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    with JobEncoderClient(url) as client:
        good = ["พนักงานขาย", "Sales executive"]
        expected = encoder(tf.constant(good))
        np.testing.assert_allclose(client.embed(good), expected, atol=1e-5)


def test_a_model_or_version_that_is_not_there(served):
    for chosen in ({"model": "other"}, {"version": 1}, {"label": "stable"}):
        with JobEncoderClient(served[0], **chosen) as client:
            assert not client.ready()
            with pytest.raises(ServingError) as caught:
                client.embed(["x"])
            assert caught.value.status == 404
