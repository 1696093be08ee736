"""Encoding and training speed against the architectures of BGE-M3 and distiluse.

The rivals run in PyTorch (`benchmarks.peers_torch`), in a process of their own whose
Python MUSE_JOBS_PEERS_PYTHON names. All sides have the same threads and take turns. The
rivals get token ids, and the time that the tokens take counts for them too; their
batches hold texts of like length, in the size that suits them best.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.encoding import sample_titles, seconds_of
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.encoder.encode import text_encoder
from muse_jobs.encoder.weights import packaged_encoder
from muse_jobs.errors import InputError
from muse_jobs.training.heads import RankingHead
from muse_jobs.training.model import MultiTaskEncoder
from muse_jobs.training.optimizers import FusedAdam
from muse_jobs.training.recipes import RECIPES
from muse_jobs.training.tasks import cycle_batches, ranking_examples

PYTHON = "MUSE_JOBS_PEERS_PYTHON"
SCRIPT = Path(__file__).with_name("peers_torch.py")
RIVALS = ("BGE-M3", "distiluse")
TITLES = 192  # a rival's turn
BATCH_SIZES = (16, 48, 192)
PAIRS = 512  # of our training batch
RIVAL_PAIRS = (8, 32)  # of BGE-M3's: its optimizer alone holds 9 GB
ROUNDS = 3


def measure() -> dict[str, float]:
    """Titles and pairs a second of all sides, and the ratios."""
    encoder = packaged_encoder()
    titles = sample_titles()
    figures = {}
    for name in RIVALS:
        with _started(name) as rival:
            figures |= _encoding(name, rival, encoder, titles)
    with _started("BGE-M3") as rival:
        figures |= _training("BGE-M3", rival, encoder)
    return figures


def _encoding(name: str, rival, encoder, titles: list[str]) -> dict[str, float]:
    encode = text_encoder(encoder)
    encode(titles[:256])
    drawn = np.random.default_rng(0).choice(titles, TITLES, replace=False).tolist()
    ids = encoder.tokenize(drawn).to_list()
    ours, ratios = [], {size: [] for size in BATCH_SIZES}
    theirs = {size: [] for size in BATCH_SIZES}
    for size in BATCH_SIZES:
        for _ in range(ROUNDS):
            ours.append(len(titles) / seconds_of(lambda: encode(titles)))
            tokens = seconds_of(lambda: encoder.tokenize(drawn))
            network = _seconds(rival, texts=ids, batch_size=size)
            theirs[size].append(TITLES / (tokens + network))
            ratios[size].append(ours[-1] / theirs[size][-1])
    best = max(BATCH_SIZES, key=lambda size: median(theirs[size]))
    return {
        f"ours beside {name}, titles a second": median(ours),
        f"{name}, titles a second": median(theirs[best]),
        f"{name}: its best batch size": best,
        f"ours / {name}, encoding": median(ratios[best]),
    }


def _training(name: str, rival, encoder) -> dict[str, float]:
    model = MultiTaskEncoder(encoder, [RankingHead(RECIPES["default"])])
    model.compile(FusedAdam(3e-5))
    examples = {"jt": ranking_examples(sample_postings())}
    batches = iter(cycle_batches(examples, batch_size=PAIRS, seed=0))
    model.train_on_batch(next(batches))
    ours, ratios = [], {size: [] for size in RIVAL_PAIRS}
    theirs = {size: [] for size in RIVAL_PAIRS}
    for size in RIVAL_PAIRS:
        rows = islice(cycle_batches(examples, batch_size=size, seed=0), ROUNDS + 1)
        pairs = [
            {side: encoder.tokenize(row["jt"][side]).to_list() for side in ("th", "en")}
            for row in rows
        ]
        _seconds(rival, **pairs.pop())
        for pair in pairs:
            batch = next(batches)
            taken = seconds_of(lambda batch=batch: model.train_on_batch(batch))
            ours.append(PAIRS / taken)
            theirs[size].append(size / _seconds(rival, **pair))
            ratios[size].append(ours[-1] / theirs[size][-1])
    return {
        "ours, training, pairs a second": median(ours),
        **{
            f"{name}, training, {size} pairs a batch, pairs a second": median(rates)
            for size, rates in theirs.items()
        },
        **{
            f"ours / {name}, training, {size} pairs a batch": median(found)
            for size, found in ratios.items()
        },
    }


def _seconds(rival: subprocess.Popen, **request) -> float:
    print(json.dumps(request), file=rival.stdin, flush=True)
    return json.loads(rival.stdout.readline())["seconds"]


@contextmanager
def _started(name: str) -> Iterator[subprocess.Popen]:
    """A rival's process, ready."""
    python = os.environ.get(PYTHON, sys.executable)
    install = (
        f"in an environment of its own run `pip install torch==2.13.0 transformers` "
        f"and name its Python with {PYTHON}"
    )
    try:
        process = subprocess.Popen(
            [python, str(SCRIPT), name, str(os.cpu_count())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise InputError(
            f"{PYTHON}: {python} cannot be run ({error.strerror}); {install}"
        ) from error
    with process:
        answer = json.loads(process.stdout.readline() or '{"missing": "an answer"}')
        if "missing" in answer:
            raise InputError(f"{python}: {answer['missing']} is missing; {install}")
        yield process
