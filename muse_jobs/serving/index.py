"""Search among titles: exact for a small pool, FAISS for a large one."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from muse_jobs.errors import InputError
from muse_jobs.files import replacing, write_json, write_lines

Encode = Callable[[Sequence[str]], np.ndarray]

CANDIDATES = 20
EXACT_LIMIT = 50_000  # entries; up to here the product takes milliseconds
# Their vectors are the fingerprint of a model, whatever kind of encoder it is.
PROBES = (
    "Software Engineer",
    "วิศวกรซอฟต์แวร์",
    "Sales Manager",
    "ผู้จัดการฝ่ายขาย",
    "accountant, full time",
    "พนักงานบัญชี ประจำ",
    "Nurse (night shift)",
    "พยาบาลวิชาชีพ",
)
PROBE_TOLERANCE = 1e-4  # batches and processors differ by less
META = "meta.json"
FORMAT = 1


class SearchIndex:
    """The vectors of distinct titles and the postings that bear them.

    Attributes:
        ids: of each entry, the ids of the postings with this title.
        titles: distinct texts.
        languages: ``th``, ``en``, ``mixed`` or ``und`` of each title.
        vectors: (entries, dim) float32 of unit norm.
        probes: (8, dim), the same model's vectors of `PROBES`.
        source: names the model, as a command's ``--encoder`` takes it.
    """

    def __init__(self, ids, titles, languages, vectors, probes, source, faiss=None):
        self.ids = ids
        self.titles = titles
        self.languages = languages
        self.vectors = vectors
        self.probes = probes
        self.source = source
        self._faiss = faiss

    def __len__(self) -> int:
        return len(self.titles)

    @classmethod
    def build(
        cls,
        ids: Sequence[Sequence[str]],
        titles: Sequence[str],
        languages: Sequence[str],
        vectors: np.ndarray,
        probes: np.ndarray,
        source: str,
    ) -> SearchIndex:
        """An index in memory; see the class for the arguments.

        Raises:
            InputError: there is no entry, a title stands twice, the lengths differ, or
                the pool is large and FAISS is not installed.
        """
        vectors = np.ascontiguousarray(vectors, np.float32)
        lengths = [len(part) for part in (ids, titles, languages, vectors)]
        if not all(lengths):
            raise InputError("expected a title to search among, received none")
        if len(set(lengths)) > 1 or vectors.ndim != 2:
            raise InputError(
                "expected ids, titles, languages and vectors (entries, dim) of one "
                f"length, received {lengths} and shape {vectors.shape}"
            )
        if len(set(titles)) < len(titles):
            raise InputError("expected distinct titles, received one twice")
        faiss = _build_faiss(vectors) if len(titles) > EXACT_LIMIT else None
        probes = np.asarray(probes, np.float32)
        return cls(ids, titles, languages, vectors, probes, source, faiss)

    def save(self, folder: str | Path) -> None:
        """Writes the index; one that was in the folder stays whole until the end.

        The files have names of their own, and ``meta.json``, renamed into place when
        they are there, says which ones count.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        own = secrets.token_hex(4)
        names = {"vectors": f"vectors-{own}.npy", "entries": f"entries-{own}.jsonl"}
        if self._faiss is not None:
            names["faiss"] = f"faiss-{own}.index"
        try:
            with replacing(folder / names["vectors"]) as beside:
                np.save(beside, self.vectors, allow_pickle=False)
            entries = zip(self.titles, self.languages, self.ids, strict=True)
            write_lines(folder / names["entries"], map(_to_line, entries))
            if self._faiss is not None:
                with replacing(folder / names["faiss"]) as beside:
                    _import_faiss().write_index(self._faiss, str(beside))
            meta = {
                "format": FORMAT,
                "source": self.source,
                "entries": len(self),
                "files": names,
                "probes": self.probes.tolist(),
            }
            write_json(folder / META, meta)
        except BaseException:
            _remove(folder, lambda name: name in names.values())
            raise
        _remove(folder, lambda name: name not in names.values())

    @classmethod
    def load(cls, folder: str | Path) -> SearchIndex:
        """The index in a folder.

        Raises:
            InputError: there is none, it is not whole, or it needs FAISS, which is not
                installed.
        """
        folder = Path(folder)
        if not (folder / META).is_file():
            raise InputError(f"{folder}: no index there; make one with `search build`")
        try:
            meta = json.loads((folder / META).read_text("utf-8"))
            if meta["format"] != FORMAT:
                raise ValueError(f"expected format {FORMAT}, received {meta['format']}")
            names = meta["files"]
            # Mapped: with FAISS, which has its own copy, they are never read.
            vectors = np.load(
                folder / names["vectors"], mmap_mode="r", allow_pickle=False
            )
            with (folder / names["entries"]).open(encoding="utf-8") as lines:
                entries = [json.loads(line) for line in lines]
            if not len(vectors) == len(entries) == meta["entries"]:
                raise ValueError("its files have different lengths")
            titles, languages, ids = zip(*entries, strict=True)
            probes = np.asarray(meta["probes"], np.float32)
            found = None
            if "faiss" in names:
                found = _import_faiss().read_index(str(folder / names["faiss"]))
        except InputError:
            raise
        except (
            OSError,
            EOFError,
            LookupError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            raise InputError(
                f"{folder}: the index is damaged ({error}); build it again"
            ) from error
        return cls(ids, titles, languages, vectors, probes, meta["source"], found)

    def check_encoder(self, encode: Encode) -> None:
        """Raises InputError unless the encoder gives the vectors of `PROBES`."""
        probes = np.asarray(encode(PROBES), np.float32)
        if (
            probes.shape != self.probes.shape
            or not (np.abs(probes - self.probes) <= PROBE_TOLERANCE).all()
        ):
            raise InputError(
                f"the index was built with another model ({self.source}); search with "
                "that one, or build the index again"
            )

    def search(
        self, vectors: np.ndarray, k: int, *, bonus: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The entries nearest to each query.

        Args:
            vectors: (queries, dim) unit vectors.
            k: how many; all entries if they are fewer.
            bonus: (entries,) added to the cosines. With FAISS it ranks anew the
                `CANDIDATES` times k entries that are nearest without it.

        Returns:
            Scores and entries, each (queries, k), best first. Exact search ranks the
            earlier one of equal entries first.
        """
        queries = np.ascontiguousarray(vectors, np.float32)
        dim = self.vectors.shape[1]
        if queries.ndim != 2 or queries.shape[1] != dim:
            raise InputError(
                f"expected queries of shape (queries, {dim}), received {queries.shape}"
            )
        if k < 1:
            raise InputError(f"expected at least 1 result to show, received {k}")
        k = min(k, len(self))
        if bonus is None:
            bonus = np.zeros(len(self), np.float32)
        if self._faiss is not None:
            return _search_faiss(self._faiss, queries, k, bonus)
        scores = np.empty((len(queries), k), np.float32)
        rows = np.empty((len(queries), k), np.int64)
        for number, query in enumerate(queries):
            found = self.vectors @ query + bonus
            rows[number] = _best(found, k)
            scores[number] = found[rows[number]]
        return scores, rows


def _to_line(entry: tuple) -> str:
    return json.dumps(entry, ensure_ascii=False)


def _remove(folder: Path, unwanted: Callable[[str], bool]) -> None:
    for kind in ("vectors-*.npy", "entries-*.jsonl", "faiss-*.index"):
        for path in folder.glob(kind):
            if unwanted(path.name):
                path.unlink()


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    kth = np.partition(scores, -k)[-k]
    passed = np.flatnonzero(scores >= kth)  # in the pool's order
    return passed[np.argsort(-scores[passed], kind="stable")[:k]]


def _import_faiss():
    try:
        import faiss
    except ImportError as error:
        raise InputError(
            f"an index of more than {EXACT_LIMIT:,} titles needs FAISS: run "
            '`pip install "muse-jobs[faiss]"`'
        ) from error
    return faiss


def _build_faiss(vectors: np.ndarray):
    """Inverted lists (IVF): 2 sqrt(n) of them, of which a query looks at a sixteenth.

    They are built far faster than a graph (HNSW).
    """
    faiss = _import_faiss()
    lists = max(1, round(2 * len(vectors) ** 0.5))
    index = faiss.index_factory(
        vectors.shape[1], f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT
    )
    index.cp.min_points_per_centroid = 1  # else it warns
    index.cp.max_points_per_centroid = 64
    index.train(vectors)
    index.add(vectors)
    index.nprobe = max(1, lists // 16)
    return index


def _search_faiss(
    index, queries: np.ndarray, k: int, bonus: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    taken = min(CANDIDATES * k, len(bonus)) if bonus.any() else k
    scores, rows = index.search(queries, taken)
    if (rows < 0).any():  # the lists that were looked at hold fewer
        every = _import_faiss().SearchParametersIVF(nprobe=index.nlist)
        scores, rows = index.search(queries, taken, params=every)
    scores = scores + bonus[rows]
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
