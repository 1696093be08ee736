"""A million generated titles through `muse_jobs.embed`, beside the encoder alone.

The rows have the titles of the sample corpus' generator, with its noise of places, pay
and urgency, and so its repeats. The encoder alone encodes the same distinct titles, all
in memory at once: every other one before the command and the rest after it. Each runs
in a process of its own. The encoder's start is left out of both.
"""

import json
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from benchmarks.platform_scale import peak_gigabytes
from muse_jobs.commandline import quiet_tensorflow
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.files import write_lines

ROWS = 1_000_000
ENCODER = "packaged"


def measure() -> dict[str, float]:
    """Distinct titles a second, seconds of each stage, peak memory in GB."""
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder, "large.jsonl"), Path(folder, "small.jsonl")
        _in_own_process("generate", large, ROWS)
        with large.open(encoding="utf-8") as lines:
            write_lines(small, map(str.rstrip, islice(lines, ROWS // 4)))
        before = _in_own_process("alone", large, 0)
        whole = _in_own_process("command", large)
        after = _in_own_process("alone", large, 1)
        quarter = _in_own_process("command", small)
    titles = before["titles"] + after["titles"]
    alone = titles / (before["seconds"] + after["seconds"])
    started = (before["start"] + after["start"]) / 2
    encoding = titles / whole["embed"]
    command = titles / (whole["seconds"] - started)
    return {
        "rows": ROWS,
        "distinct titles": titles,
        "encoder alone, distinct titles a second": alone,
        "the command while it encodes, the same": encoding,
        "the command with reading and writing, the same": command,
        "while it encodes / encoder alone": encoding / alone,
        "with reading and writing / encoder alone": command / alone,
        "the command: seconds": whole["seconds"],
        "of these to start the encoder": started,
        "of these to read, mask, find repeats": whole["fill"],
        "peak GB": whole["peak"],
        "peak / peak at a quarter of the rows": whole["peak"] / quarter["peak"],
    }


def _in_own_process(stage: str, *arguments) -> dict:
    command = [sys.executable, "-m", "benchmarks.embedding", stage]
    command += map(str, arguments)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout or "{}")


def generate(path: str, count: str) -> None:
    """Writes the rows."""

    def rows():
        for number in range(int(count)):
            for posting in sample_postings(seed=number, postings_per_role=1):
                row = {"id": f"{posting.id}-{number}"}
                row |= {"title_th": posting.title_th, "title_en": posting.title_en}
                yield json.dumps(row, ensure_ascii=False)

    write_lines(path, islice(rows(), int(count)))


def alone(path: str, half: str) -> dict[str, float]:
    """The encoder on a half of the distinct titles at once."""
    titles = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            titles[row["title_th"] or row["title_en"]] = None
    titles = list(titles)[int(half) :: 2]
    started = time.perf_counter()
    with quiet_tensorflow():
        from muse_jobs.encoder.adapters import open_encoder

        encoder = open_encoder(ENCODER)
    encoder.encode(titles[:1])
    ready = time.perf_counter()
    encoder.encode(titles)
    return {
        "titles": len(titles),
        "start": ready - started,
        "seconds": time.perf_counter() - ready,
    }


def command(path: str) -> dict[str, float]:
    """The command, as a user runs it, and what its two long steps took."""
    from muse_jobs import embed
    from muse_jobs.encoder.embedding import EmbeddingWork

    seconds = {}

    def timed(name, method):
        def wrapper(*arguments, **options):
            started = time.perf_counter()
            method(*arguments, **options)
            seconds[name] = time.perf_counter() - started

        return wrapper

    EmbeddingWork.fill = timed("fill", EmbeddingWork.fill)
    EmbeddingWork.encode = timed("embed", EmbeddingWork.encode)
    output = str(Path(path).with_suffix(".npy"))
    stdout, sys.stdout = sys.stdout, sys.stderr
    started = time.perf_counter()
    embed.main([path, "--encoder", ENCODER, "--output", output])
    seconds["seconds"] = time.perf_counter() - started
    sys.stdout = stdout
    return {**seconds, "peak": peak_gigabytes()}


if __name__ == "__main__":
    result = globals()[sys.argv[1]](*sys.argv[2:])
    if result:
        print(json.dumps(result))
