"""Encoding and training speed against the architectures of BGE-M3 and distiluse.

The rivals run in PyTorch (`benchmarks.peers_torch`), in a process of their own whose
Python MUSE_JOBS_PEERS_PYTHON names. All sides have the same threads and take turns. The
rivals get token ids, and the time that the tokens take counts for them too; their
batches hold texts of like length, in the size that suits them best.

Rates are those of each side's best turn: other work on the machine makes PyTorch's
threads wait for each other, and slows it far more than TensorFlow. Run it on an idle
machine; the turns are short so that a busy one is idle for some of them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
from muse_jobs.training.tasks import cycle_batches
from muse_jobs.training.title_pairs import ranking_examples

PYTHON = "MUSE_JOBS_PEERS_PYTHON"
SCRIPT = Path(__file__).with_name("peers_torch.py")
RIVALS = ("BGE-M3", "distiluse")
OUR_TITLES, TITLES = 1024, 96  # a turn
BATCH_SIZES = (16, 48, 96)
PAIRS = 512  # of our training batch
RIVAL_PAIRS = (8, 32)  # of BGE-M3's: its optimizer alone holds 9 GB
TURNS, TRAINING_TURNS = 8, 4


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
    rng = np.random.default_rng(0)
    many = rng.choice(titles, OUR_TITLES, replace=False).tolist()
    few = many[:TITLES]
    ids = encoder.tokenize(few).to_list()
    encode(many)
    _seconds(rival, texts=ids, batch_size=TITLES)
    ours, theirs = [], {size: [] for size in BATCH_SIZES}
    for _ in range(TURNS):
        ours.append(len(many) / seconds_of(lambda: encode(many)))
        tokens = seconds_of(lambda: encoder.tokenize(few))
        for size, rates in theirs.items():
            network = _seconds(rival, texts=ids, batch_size=size)
            rates.append(len(few) / (tokens + network))
    size = max(BATCH_SIZES, key=lambda size: max(theirs[size]))
    return {
        f"ours beside {name}, titles a second": max(ours),
        f"{name}, titles a second": max(theirs[size]),
        f"{name}: its best batch size": size,
        f"ours / {name}, encoding": max(ours) / max(theirs[size]),
        f"the same, median turns: {name}": median(ours) / median(theirs[size]),
    }


def _training(name: str, rival, encoder) -> dict[str, float]:
    model = MultiTaskEncoder(encoder, [RankingHead(RECIPES["default"])])
    model.compile(FusedAdam(3e-5))
    examples = {"jt": ranking_examples(sample_postings())}
    batches = iter(cycle_batches(examples, batch_size=PAIRS, seed=0))
    model.train_on_batch(next(batches))
    ours, theirs = [], {}
    for size in RIVAL_PAIRS:
        rows = cycle_batches(examples, batch_size=size, seed=0).take(TRAINING_TURNS + 1)
        first, *pairs = (
            {
                side: encoder.tokenize(row["jt"][column]).to_list()
                for side, column in (("th", "queries"), ("en", "targets"))
            }
            for row in rows
        )
        _seconds(rival, **first)
        theirs[size] = []
        for pair in pairs:
            batch = next(batches)
            step = seconds_of(lambda batch=batch: model.train_on_batch(batch))
            ours.append(PAIRS / step)
            theirs[size].append(size / _seconds(rival, **pair))
    figures = {"ours, training, pairs a second": max(ours)}
    for size, rates in theirs.items():
        of_size = f"{name}, training {size} pairs a batch"
        figures[f"{of_size}, pairs a second"] = max(rates)
        figures[f"ours / {of_size}"] = max(ours) / max(rates)
    return figures


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
