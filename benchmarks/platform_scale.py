"""A million generated postings through the data room: seconds and memory of each stage.

The postings are the sample corpus' generator's, without roles, and every twentieth is
there again as an exact and every twentieth as a near duplicate. Each stage works on
what the one before it left; the streaming ones run in a process of their own.
"""

import dataclasses
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np

from muse_jobs.commandline import track
from muse_jobs.data.duplicates import collapse_exact, collapse_near, near_postings
from muse_jobs.data.mining import PairMiner
from muse_jobs.data.readers import read_postings
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.splits import check_split, job_groups, split_postings
from muse_jobs.data.text import title_key
from muse_jobs.data.writers import write_postings

POSTINGS = 1_000_000
ROLES = 392
SHARE_AGAIN = 20


def measure() -> dict[str, float]:
    """Seconds a stage, peak memory in GB, and what the stages found."""
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder, "large.jsonl"), Path(folder, "small.jsonl")
        _in_own_process("generate", large, POSTINGS)
        _in_own_process("generate", small, POSTINGS // 4)
        streams = [
            _in_own_process("stream", path, Path(folder, "out.jsonl"))
            for path in (small, large)
        ]
        figures = _in_own_process("stages", large)
    return {
        "postings": POSTINGS,
        "read, validate, mask, convert: seconds": streams[1]["seconds"],
        "the same: peak GB": streams[1]["peak"],
        "the same: peak / peak at a quarter of it": streams[1]["peak"]
        / streams[0]["peak"],
        **figures,
    }


def _in_own_process(stage: str, *arguments) -> dict:
    command = [sys.executable, "-m", "benchmarks.platform_scale", stage]
    command += map(str, arguments)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout or "{}")


def generate(path: str, count: str) -> None:
    """Writes the postings, in an order of their own."""
    distinct = int(count) * SHARE_AGAIN // (SHARE_AGAIN + 2)
    rng = random.Random(0)

    def postings():
        for number in range(-(-distinct // ROLES)):
            for posting in sample_postings(seed=number, postings_per_role=1):
                own = f"{posting.id}-{number}"
                posting = dataclasses.replace(posting, id=own, role=None)
                yield posting
                which = rng.randrange(SHARE_AGAIN)
                if which == 0:
                    yield dataclasses.replace(posting, id=f"{own}-again")
                if which == 1:
                    text = posting.description.replace("\n", f"\n{number} ", 1)
                    yield dataclasses.replace(
                        posting, id=f"{own}-nearly", description=text
                    )

    write_postings(path, islice(postings(), int(count)))


def stream(path: str, output: str) -> dict[str, float]:
    """The streaming command, as a user runs it."""
    from muse_jobs.data.__main__ import main

    started = time.perf_counter()
    stdout, sys.stdout = sys.stdout, sys.stderr
    main(["convert", path, "--output", output])
    sys.stdout = stdout
    return {"seconds": time.perf_counter() - started, "peak": peak_gigabytes()}


def stages(path: str) -> dict[str, float]:
    """Everything that needs all postings at once."""
    figures: dict[str, float] = {}
    started = first = time.perf_counter()

    def done(stage: str) -> None:
        nonlocal started
        now = time.perf_counter()
        figures[f"{stage}: seconds"] = now - started
        figures[f"{stage}: peak GB"] = peak_gigabytes()
        started = now

    postings = read_postings([path], progress=lambda rows: track(rows, "read")).postings
    done("read, validate, mask")
    for posting in postings:
        for title in posting.titles:
            title_key(title)
    done("title keys")
    postings, exact = collapse_exact(postings)
    done("exact duplicates")
    near = near_postings(postings, progress=lambda texts: track(texts, "near"))
    postings, gone = collapse_near(postings, near)
    left = {posting.id for posting in postings}
    near = [pair for pair in near if left.issuperset(pair)]
    done("near duplicates")
    split = split_postings(postings, near=near)
    leaks = check_split(split, near)
    done("split and its check")
    train = split.train
    del postings, split, left
    miner = PairMiner(
        [posting.iou_set for posting in train],
        job_groups(train),
        [[title_key(title) for title in posting.titles] for posting in train],
    )
    pairs = miner.draw(np.random.default_rng(0))
    done("mining, an epoch's pairs")
    return {
        **figures,
        "all stages: seconds": time.perf_counter() - first,
        "exact duplicates found": exact,
        "near duplicates found": gone,
        "near duplicates left": len(near),
        "on two sides": sum(leaks.values()),
        "training postings": len(train),
        "pairs": len(pairs.labels),
    }


def peak_gigabytes() -> float:
    """The peak of this process' memory."""
    # Not getrusage: a child's peak begins with what its parent held.
    status = Path("/proc/self/status").read_text("utf-8")
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kilobytes) * 1024 / 1e9


if __name__ == "__main__":
    result = globals()[sys.argv[1]](*sys.argv[2:])
    if result:
        print(json.dumps(result))
