"""Many texts to vectors on disk: each distinct text once, in bounded memory.

A work folder keeps what is done, so that a run which was ended, by whatever, goes on
where it was: rows and distinct texts in an SQLite file, and a file of vectors.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from muse_jobs.encoder.adapters import Adapter
from muse_jobs.errors import InputError

# Of one call of the encoder: the first that is reached ends it.
BLOCK_TEXTS = 1024
BLOCK_CHARACTERS = 2**20
BLOCK_ROWS = 4096
RECENT_TEXTS = 65536
SHORT_TEXT = 200  # characters; longer ones are not held in memory
SAVE_SECONDS = 5.0
CACHE_KIB = 32 * 1024
PROBES = 8
# Far above what another batch changes in a unit vector, far below what a step of
# training does.
SAME_VECTOR = 1e-5

_START_ANEW = "remove the folder to start anew, or choose another --output"
_TABLES = """
CREATE TABLE rows (id TEXT, number INTEGER);
CREATE TABLE texts (number INTEGER PRIMARY KEY, length INTEGER, text TEXT);
CREATE TABLE digests (digest BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID;
"""


class EmbeddingWork:
    """Rows of texts on their way to vectors; a context manager.

    To be filled, encoded, read, removed. A folder that was filled needs no filling
    again, and one that was half encoded is encoded from there: the vectors are those of
    an unbroken run. It goes with the context if nothing was encoded.

    Args:
        folder: is made; one run at a time works in it.
        inputs: what the rows are made of, name to checksum or setting.

    Raises:
        InputError: the folder belongs to other inputs, or another run works in it.
    """

    def __init__(self, folder: str | Path, inputs: Mapping[str, str]):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._inputs = dict(inputs)
        self._database: Any = sqlite3.connect(
            self.folder / "work.sqlite", isolation_level=None, timeout=0
        )
        try:
            self._open()
        except BaseException:
            self._database.close()
            raise

    def _open(self) -> None:
        try:
            self._run(f"PRAGMA cache_size = -{CACHE_KIB}")
            self._run("PRAGMA locking_mode = EXCLUSIVE")
            self._run("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise InputError(
                f"{self.folder}: another run works there ({error}); wait for its end "
                "or choose another --output"
            ) from error
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{self.folder}: damaged ({error}); remove the folder to start anew"
            ) from error
        self._run("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value)")
        before = json.loads(self._fact("inputs", "null"))
        if before is not None and before != self._inputs:
            if self.done:
                for name in sorted({*before, *self._inputs}):
                    self._compare(name, before.get(name), self._inputs.get(name))
            for table in ("rows", "texts", "digests"):
                self._run(f"DROP TABLE {table}")
            self._run("DELETE FROM facts")
        self._run("COMMIT")

    def __enter__(self) -> EmbeddingWork:
        return self

    def __exit__(self, *_) -> None:
        if self._database is not None and not self.done:
            self.remove()
        self._close()

    @property
    def filled(self) -> bool:
        """Whether the rows are there."""
        return self._fact("inputs") is not None

    @property
    def rows(self) -> int:
        """How many rows have a text."""
        return self._fact("rows", 0)

    @property
    def texts(self) -> int:
        """How many distinct texts they have."""
        return self._fact("texts", 0)

    @property
    def done(self) -> int:
        """How many of the texts are encoded."""
        return self._fact("done", 0)

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return self._fact("dim", 0)

    @property
    def skipped(self) -> dict[str, int]:
        """Why rows have no text, to how many."""
        return json.loads(self._fact("skipped", "{}"))

    def fill(
        self,
        rows: Iterable[tuple[str | None, str]],
        *,
        prepare: Callable[[str], str] = str,
    ) -> None:
        """Takes the rows, all or, after an error, none.

        Args:
            rows: (id, text), or (None, why the row has no text).
            prepare: makes the text that is encoded; called once a distinct text.
        """
        count = 0
        skipped: Counter[str] = Counter()
        # Most repeats are near each other or frequent: these need no look-up.
        look_up = partial(self._number, prepare=prepare)
        recent = lru_cache(RECENT_TEXTS)(look_up)

        def numbered() -> Iterator[tuple[str, int]]:
            nonlocal count
            for identifier, text in rows:
                if identifier is None:
                    skipped[text] += 1
                    continue
                count += 1
                is_short = len(text) <= SHORT_TEXT
                yield identifier, recent(text) if is_short else look_up(text)

        self._run("BEGIN")
        try:
            for statement in _TABLES.split(";"):
                self._run(statement)
            self._database.executemany("INSERT INTO rows VALUES (?, ?)", numbered())
            self._run("CREATE INDEX by_length ON texts (length DESC, number)")
            (texts,) = self._run("SELECT COUNT(*) FROM texts").fetchone()
            self._keep(
                inputs=json.dumps(self._inputs),
                rows=count,
                texts=texts,
                skipped=json.dumps(skipped),
            )
            self._run("COMMIT")
        except BaseException:
            self._run("ROLLBACK")
            raise

    def _number(self, text: str, prepare: Callable[[str], str]) -> int:
        """The number of a text, of a new one once it is kept; they begin with 1."""
        digest = _digest(text)
        found = self._find(digest)
        if found is not None:
            return found
        prepared = prepare(text)
        number = self._find(_digest(prepared)) if prepared != text else None
        if number is None:
            number = self._run(
                "INSERT INTO texts (length, text) VALUES (?, ?)",
                len(prepared),
                prepared,
            ).lastrowid
        for key in {digest, _digest(prepared)}:
            self._run("INSERT OR IGNORE INTO digests VALUES (?, ?)", key, number)
        return number

    def _find(self, digest: bytes) -> int | None:
        found = self._run("SELECT number FROM digests WHERE digest = ?", digest)
        row = found.fetchone()
        return row and row[0]

    def encode(
        self,
        encoder: Adapter,
        *,
        progress: Callable[[Iterable], Iterable] = iter,
    ) -> None:
        """Encodes the texts that are not yet, the longest first.

        Args:
            encoder: must be the one that the work began with.
            progress: wraps the walk over the texts, to show how far it is.

        Raises:
            InputError: it is another encoder, or its vectors change their length.
        """
        self._check_encoder(encoder)
        done, total, saved = self.done, self.texts, time.monotonic()
        # The same blocks in every run: an encoder's last digit may depend on the batch.
        waiting = self._run(
            "SELECT number, text FROM texts ORDER BY length DESC, number "
            "LIMIT -1 OFFSET ?",
            done,
        )
        with self._open_vectors() as file:
            for block in _blocks(progress(waiting)):
                numbers, texts = zip(*block, strict=True)
                self._write(file, numbers, self._encoded(encoder, texts))
                done += len(block)
                if time.monotonic() - saved >= SAVE_SECONDS or done == total:
                    os.fsync(file.fileno())  # what is said to be done, is on disk
                    self._keep(done=done)
                    saved = time.monotonic()

    def _encoded(self, encoder: Adapter, texts: tuple[str, ...]) -> np.ndarray:
        vectors = encoder.encode(texts)
        if vectors.shape[1] != self.dim:
            raise InputError(
                f"encoder {encoder.name}: expected vectors of {self.dim} numbers, as "
                f"the first were, received {vectors.shape[1]}"
            )
        return vectors

    def _write(self, file, numbers: tuple[int, ...], vectors: np.ndarray) -> None:
        for number, vector in zip(numbers, vectors, strict=True):
            file.seek((number - 1) * vector.nbytes)
            file.write(vector)

    def _check_encoder(self, encoder: Adapter) -> None:
        """Keeps what the encoder makes of a few texts, or compares with it."""
        probes = self._run("SELECT text FROM texts WHERE number <= ?", PROBES)
        vectors = encoder.encode([text for (text,) in probes])
        if not self.done:
            self._keep(
                source=encoder.source, dim=vectors.shape[1], probes=vectors.tobytes()
            )
        self._compare("encoder", self._fact("source"), encoder.source)
        before = np.frombuffer(self._fact("probes"), np.float32)
        if before.size != vectors.size or not np.allclose(
            before, vectors.ravel(), rtol=0, atol=SAME_VECTOR
        ):
            raise InputError(
                f"{self.folder}: the run was started with other weights in "
                f"{encoder.source}: its first texts have other vectors; {_START_ANEW}"
            )

    def vectors(self) -> Iterator[tuple[list[str], np.ndarray]]:
        """The ids of some rows and their vectors, (rows, dim) float32, in order."""
        size, dim = 4 * self.dim, self.dim
        found = self._run("SELECT id, number FROM rows ORDER BY rowid")
        with self._open_vectors() as file:
            while rows := found.fetchmany(BLOCK_ROWS):
                vectors = np.empty((len(rows), dim), np.float32)
                for vector, (_, number) in zip(vectors, rows, strict=True):
                    file.seek((number - 1) * size)
                    file.readinto(vector)
                yield [identifier for identifier, _ in rows], vectors

    def remove(self) -> None:
        """Removes the folder: the work is done or given up."""
        self._close()
        shutil.rmtree(self.folder)

    def _open_vectors(self):
        # Read and written row by row: the pages of a memory map count as memory used.
        path = self.folder / "vectors.f32"
        path.touch()
        return path.open("r+b", buffering=0)

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database = None

    def _run(self, statement: str, *values) -> Any:
        return self._database.execute(statement, values)

    def _fact(self, name: str, default=None):
        row = self._run("SELECT value FROM facts WHERE name = ?", name).fetchone()
        return row[0] if row else default

    def _keep(self, **facts) -> None:
        self._database.executemany(
            "INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items()
        )

    def _compare(self, name: str, before: str | None, now: str | None) -> None:
        if before != now:
            raise InputError(
                f"{self.folder}: the run was started with other input: {name} was "
                f"{before} and is {now}; {_START_ANEW}"
            )


def _digest(text: str) -> bytes:
    # 128 bits: no two texts share one in practice.
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _blocks(texts: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Texts that are encoded together; the first is the longest."""
    block: list[tuple[int, str]] = []
    for number, text in texts:
        block.append((number, text))
        longest = max(1, len(block[0][1]))
        if len(block) >= min(BLOCK_TEXTS, BLOCK_CHARACTERS // longest):
            yield block
            block = []
    if block:
        yield block
