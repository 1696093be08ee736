"""Latency and throughput over REST, beside the same texts encoded in the process.

The server is KServe (`tests/serving/kserve_server.py`) with an exported folder, on the
same cores as its clients; MUSE_JOBS_KSERVE_PYTHON names its Python. It batches nothing
across requests, as TensorFlow Serving would.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles

from benchmarks.encoding import sample_titles, seconds_of
from muse_jobs.encoder.encode import text_encoder
from muse_jobs.encoder.weights import packaged_encoder
from muse_jobs.errors import InputError
from muse_jobs.serving.client import JobEncoderClient
from muse_jobs.serving.savedmodel import export_savedmodel

PYTHON = "MUSE_JOBS_KSERVE_PYTHON"
SERVER = Path(__file__).parent.parent / "tests" / "serving" / "kserve_server.py"
BATCHES = (1, 8, 64)
CLIENTS = (1, 4, 16)
SECONDS = 8.0


def measure() -> dict[str, float]:
    """Milliseconds of a request (median, 95th of 100) and texts a second."""
    if PYTHON not in os.environ:
        raise InputError(f"name a Python with KServe and TensorFlow with {PYTHON}")
    encoder = packaged_encoder()
    encode, titles = text_encoder(encoder), sample_titles()
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        with _served(export_savedmodel(encoder, folder)) as url:
            for batch in BATCHES:
                texts = titles[:batch]
                encode(texts)
                alone = median(seconds_of(lambda t=texts: encode(t)) for _ in range(30))
                figures[f"batch {batch}, in the process: ms"] = 1000 * alone
                for clients in CLIENTS:
                    taken, passed = _load(url, titles, batch, clients)
                    name = f"batch {batch}, {clients} clients"
                    slow = quantiles(taken, n=20)[-1]
                    figures[f"{name}: median ms"] = 1000 * median(taken)
                    figures[f"{name}: 95th of 100 ms"] = 1000 * slow
                    figures[f"{name}: texts a second"] = batch * len(taken) / passed
    return figures


def _load(url: str, titles: list[str], batch: int, clients: int):
    """Seconds of each request, and of all."""

    def ask(number: int) -> list[float]:
        taken = []
        texts = cycle(titles[number * 97 :])
        with JobEncoderClient(url, timeout=60) as client:
            while time.perf_counter() < end:
                asked = list(islice(texts, batch))
                taken.append(seconds_of(partial(client.embed, asked)))
        return taken

    started = time.perf_counter()
    end = started + SECONDS
    with ThreadPoolExecutor(clients) as pool:
        found = [seconds for own in pool.map(ask, range(clients)) for seconds in own]
    return found, time.perf_counter() - started


@contextmanager
def _served(version: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [os.environ[PYTHON], SERVER, f"--model_dir={version}"]
    command += [f"--http_port={port}", "--enable_grpc=False"]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            with JobEncoderClient(url) as client:
                while not client.ready():
                    if process.poll() is not None:
                        sys.exit("the server has stopped while it started")
                    time.sleep(0.2)
            yield url
        finally:
            process.terminate()
