"""A cheap deterministic encoder, named ``tests.hash_encoder:encode`` on a command line.

``HASH_ENCODER_LOG`` names a file that gets a line for each encoded text.
"""

import hashlib
import os

import numpy as np

DIM = 16


def encode(texts):
    """(texts, 16): the bytes of a digest, around 0."""
    if log := os.environ.get("HASH_ENCODER_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.writelines(f"{text}\n" for text in texts)
    return np.array([vector(text) for text in texts])


def encode_otherwise(texts):
    """Another encoder."""
    return -encode(texts)


def vector(text):
    """The vector of one text, before it has unit norm."""
    digest = hashlib.blake2b(text.encode(), digest_size=DIM).digest()
    return np.frombuffer(digest, np.uint8) - 127.5


def encode_wide(texts):
    """(texts, 512): a million of them would be 2 GB."""
    return np.tile(encode(texts), 32)
