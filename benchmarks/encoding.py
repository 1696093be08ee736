"""Encoding against the machine's own matmul, and a batch of mixed lengths.

Both sides of a ratio take turns, so that other work on the machine slows both. Encoding
counts from the list of titles to the array of vectors, tokens and Python included.
"""

import time
from collections.abc import Callable
from statistics import median

import tensorflow as tf

from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.encoder.encode import text_encoder
from muse_jobs.encoder.quantized import quantize
from muse_jobs.encoder.weights import packaged_encoder

# Multiplications and additions of mUSE's matrices: three projections and six
# convolutions a token; behind the sum over the tokens, seven matrices a text.
FLOP_A_TOKEN = 2 * (3 * 512 * 256 + 2 * (2 + 3 + 5) * 256 * 256)
FLOP_A_TEXT = 2 * 1_675_264
# (m, k, n), and how often in a turn: a large one, and two of the encoder's own.
MATMULS = {(4096, 4096, 4096): 1, (16384, 256, 256): 32, (2048, 1280, 512): 32}
ROUNDS = 9
SHORT, LONG = 5, 500  # tokens
SHORT_TEXTS, LONG_TEXTS = 200, 12


def measure() -> dict[str, float]:
    """Titles a second, GFLOP/s of both sides, and the two ratios."""
    encoder = packaged_encoder()
    titles = sample_titles()
    return {
        **_against_matmul(encoder, titles),
        "mixed lengths / the two parts alone": _mixed_lengths(encoder, titles),
        **_int8(encoder, titles),
    }


def _int8(encoder, titles: list[str]) -> dict[str, float]:
    """The encoder in 8 bits beside itself."""
    whole, small = text_encoder(encoder), text_encoder(quantize(encoder))
    cosines = (whole(titles) * small(titles)).sum(axis=1)
    ratios = [
        seconds_of(lambda: whole(titles)) / seconds_of(lambda: small(titles))
        for _ in range(ROUNDS)
    ]
    return {
        "int8 / float, titles a second": median(ratios),
        "int8, lowest cosine to float": float(cosines.min()),
    }


def sample_titles() -> list[str]:
    """The distinct titles of the sample postings."""
    postings = sample_postings()
    return list(dict.fromkeys(title for p in postings for title in p.titles))


def seconds_of(call: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _against_matmul(encoder, titles: list[str]) -> dict[str, float]:
    encode = text_encoder(encoder)
    tokens = int(tf.size(encoder.tokenize(titles).values))
    gflop = (FLOP_A_TOKEN * tokens + FLOP_A_TEXT * len(titles)) / 1e9
    encoding, matmuls = [], []
    for _ in range(ROUNDS + 1):
        encoding.append(gflop / seconds_of(lambda: encode(titles)))
        matmuls.append([_matmul_rate(*shape) for shape in MATMULS.items()])
    del encoding[0], matmuls[0]
    # The best shape is one for all rounds: the best of each would be that of luck.
    best = max(zip(*matmuls, strict=True), key=median)
    shares = [ours / own for ours, own in zip(encoding, best, strict=True)]
    return {
        "titles": len(titles),
        "tokens a title": tokens / len(titles),
        "titles a second": median(encoding) / gflop * len(titles),
        "encoding, GFLOP/s": median(encoding),
        "matmul, GFLOP/s": median(best),
        "encoding / matmul": median(shares),
    }


def _matmul_rate(shape: tuple[int, int, int], times: int) -> float:
    m, k, n = shape
    a, b = tf.random.normal((m, k)), tf.random.normal((k, n))

    def multiply():
        for _ in range(times):
            product = tf.matmul(a, b)
        return product.numpy()

    return 2 * m * k * n * times / 1e9 / seconds_of(multiply)


def _mixed_lengths(encoder, titles: list[str]) -> float:
    """Seconds of short and long texts in one batch to those of two batches."""
    encode = text_encoder(encoder, max_tokens=LONG)
    lengths = encoder.tokenize(titles).row_lengths().numpy()
    fitting = [t for t, length in zip(titles, lengths, strict=True) if length == SHORT]
    short = fitting[:SHORT_TEXTS]
    # Each of its own, and longer than the cut.
    long = [" ".join(titles[n : n + LONG]) for n in range(LONG_TEXTS)]
    ratios = []
    for _ in range(4 * ROUNDS):
        mixed, *parts = (
            seconds_of(lambda texts=texts: encode(texts))
            for texts in (short + long, short, long)
        )
        ratios.append(mixed / sum(parts))
    return median(ratios[ROUNDS:])
