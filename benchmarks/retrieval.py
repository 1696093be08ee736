"""Exact top 10 of 20,000 queries in 200,000 vectors: `top_k` against FAISS's index.

The index is the flat one, which is exact too. Each side is a process of its own, so
that a peak is that of one side alone, inputs and all. Both hold the same random unit
vectors of 512 numbers and use the same two threads, and they take turns every few
thousand queries, so that other work on the machine slows both.
"""

import importlib.util
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from statistics import median

import numpy as np

from benchmarks.platform_scale import peak_gigabytes
from muse_jobs.errors import InputError
from muse_jobs.evaluation.retrieval import top_k

QUERIES, POOL, DIM = 20_000, 200_000, 512
K = 10
THREADS = 2
TURN = 4096  # queries: a whole number of blocks for both sides


def measure() -> dict[str, float]:
    """Seconds and peak GB of both, and FAISS's seconds to ours in each turn."""
    if importlib.util.find_spec("faiss") is None:
        raise InputError('FAISS is missing: run `pip install "muse-jobs[faiss]"`')
    with ExitStack() as stack:
        processes = [stack.enter_context(_start(side)) for side in SIDES]
        for process in processes:
            process.stdout.readline()  # it is ready
        turns = [
            [_take_turn(process, start) for process in processes]
            for start in range(0, QUERIES, TURN)
        ]
    ratios = [faiss["seconds"] / ours["seconds"] for ours, faiss in turns]
    ours, theirs = (_summary(side) for side in zip(*turns, strict=True))
    return {
        "top_k: seconds": ours["seconds"],
        "top_k: peak GB": ours["peak"],
        "FAISS: seconds": theirs["seconds"],
        "FAISS: peak GB": theirs["peak"],
        "speed to FAISS's": theirs["seconds"] / ours["seconds"],
        "speed to FAISS's, median turn": median(ratios),
        "speed to FAISS's, worst turn": min(ratios),
        "share of equal places": float((ours["found"] == theirs["found"]).mean()),
    }


def _start(side: str) -> subprocess.Popen:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(THREADS))
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.retrieval", side],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | threads,
    )


def _take_turn(process: subprocess.Popen, start: int) -> dict:
    print(start, file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


def _summary(turns: tuple[dict, ...]) -> dict:
    return {
        "seconds": sum(turn["seconds"] for turn in turns),
        "peak": turns[-1]["peak"],
        "found": np.concatenate([turn["found"] for turn in turns]),
    }


def serve(side: str) -> None:
    """One side: searches from the query on that each line of stdin names.

    Neither the making of vectors nor the filling of an index counts as time.
    """
    rng = np.random.default_rng(0)
    pool, queries = _unit_vectors(rng, POOL), _unit_vectors(rng, QUERIES)
    search = SIDES[side](pool)
    print("ready", flush=True)
    for line in sys.stdin:
        turn = queries[int(line) : int(line) + TURN]
        started = time.perf_counter()
        found = search(turn)
        seconds = time.perf_counter() - started
        result = {"seconds": seconds, "peak": peak_gigabytes(), "found": found.tolist()}
        print(json.dumps(result), flush=True)


def _unit_vectors(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.standard_normal((count, DIM), dtype=np.float32)
    vectors /= np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return vectors


def _ours(pool: np.ndarray):
    return lambda queries: top_k(queries, pool, K)


def _faiss(pool: np.ndarray):
    import faiss

    index = faiss.IndexFlatIP(DIM)
    index.add(pool)
    return lambda queries: index.search(queries, K)[1]


SIDES = {"top_k": _ours, "FAISS": _faiss}

if __name__ == "__main__":
    serve(sys.argv[1])
