import numpy as np
import pytest

from muse_jobs.encoder import embedding
from muse_jobs.encoder.adapters import adapt
from muse_jobs.encoder.embedding import EmbeddingWork
from muse_jobs.errors import InputError
from tests import hash_encoder

INPUTS = {"file 1": "abc", "--column": "title"}
ROWS = [("a", "ครู"), ("b", "nurse"), (None, "empty"), ("c", "ครู"), ("d", "a chef")]


class Recorder:
    """The hash encoder; keeps the calls, and fails at one of them if told so."""

    def __init__(self, fails_at=None):
        self.calls = []
        self.fails_at = fails_at
        self.adapter = adapt(self, name="recorder")

    def encode(self, texts):
        if len(self.calls) == self.fails_at:
            raise RuntimeError("pulled the plug")
        self.calls.append(texts)
        return hash_encoder.encode(texts)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "v.npy.work"


def run(folder, rows, encoder, **options):
    """The ids and vectors of a run, or of what one left."""
    with EmbeddingWork(folder, INPUTS) as work:
        if not work.filled:
            work.fill(rows, **options)
        work.encode(encoder)
        ids, vectors = [], []
        for some_ids, some_vectors in work.vectors():
            ids += some_ids
            vectors.append(some_vectors)
        work.remove()
    return ids, np.concatenate(vectors)


def unit(text):
    vector = hash_encoder.vector(text)
    return vector / np.sqrt((vector**2).sum())


def test_vectors_come_in_the_rows_order(folder):
    recorder = Recorder()
    ids, vectors = run(folder, ROWS, recorder.adapter)
    assert ids == ["a", "b", "c", "d"]
    expected = [unit(text) for text in ("ครู", "nurse", "ครู", "a chef")]
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert vectors.dtype == np.float32
    assert not folder.exists()
    # The first call is the probes; then each distinct text once, the longest first.
    assert recorder.calls[1:] == [["a chef", "nurse", "ครู"]]


def test_counts(folder):
    with EmbeddingWork(folder, INPUTS) as work:
        work.fill(ROWS)
        assert (work.rows, work.texts, work.done) == (4, 3, 0)
        assert work.skipped == {"empty": 1}
        work.encode(Recorder().adapter)
        assert (work.done, work.dim) == (3, 16)
        work.remove()


def test_a_text_is_prepared_once_and_joins_its_like(folder):
    """Two phone numbers are one text once they are masked."""
    asked = []

    def prepare(text):
        asked.append(text)
        return text.rstrip("0123456789")

    rows = [("a", "ครู 1"), ("b", "ครู 23"), ("c", "ครู 1"), ("d", "ครู ")]
    recorder = Recorder()
    _, vectors = run(folder, rows, recorder.adapter, prepare=prepare)
    assert asked == ["ครู 1", "ครู 23"]
    assert recorder.calls[1:] == [["ครู "]]
    np.testing.assert_allclose(vectors, [unit("ครู ")] * 4, atol=1e-6)


def test_a_call_is_bounded_in_texts_and_characters(folder, monkeypatch):
    monkeypatch.setattr(embedding, "BLOCK_TEXTS", 4)
    monkeypatch.setattr(embedding, "BLOCK_CHARACTERS", 100)
    lengths = [101, 60, 50, 50, 33, 20, 9, 8, 7, 6, 5]
    rows = [(str(i), chr(97 + i) * length) for i, length in enumerate(lengths)]
    recorder = Recorder()
    run(folder, rows, recorder.adapter)
    # 100 // 60 = 1, 100 // 50 = 2, 100 // 33 = 3, then four at most
    found = [[len(text) for text in call] for call in recorder.calls[1:]]
    assert found == [[101], [60], [50, 50], [33, 20, 9], [8, 7, 6, 5]]


@pytest.mark.parametrize("save_seconds", [0, 1000])
@pytest.mark.parametrize("fails_at", [1, 2, 4])
def test_a_broken_run_goes_on(folder, monkeypatch, save_seconds, fails_at):
    monkeypatch.setattr(embedding, "BLOCK_TEXTS", 3)
    monkeypatch.setattr(embedding, "SAVE_SECONDS", save_seconds)
    rows = [(str(n), f"text {n % 10}") for n in range(25)]
    expected = run(folder, rows, Recorder().adapter)
    broken, second = Recorder(fails_at), Recorder()
    with pytest.raises(RuntimeError):
        run(folder, rows, broken.adapter)
    # What was saved: all full blocks of 3, or none; the first call is the probes.
    saved = 3 * (fails_at - 1) if save_seconds == 0 else 0
    assert folder.exists() == (saved > 0)
    ids, vectors = run(folder, rows, second.adapter)
    assert ids == expected[0]
    np.testing.assert_array_equal(vectors, expected[1])
    assert sum(map(len, second.calls[1:])) == 10 - saved


def half_done(folder, monkeypatch):
    monkeypatch.setattr(embedding, "BLOCK_TEXTS", 1)
    monkeypatch.setattr(embedding, "SAVE_SECONDS", 0)
    with pytest.raises(RuntimeError):
        run(folder, ROWS, Recorder(fails_at=2).adapter)


def test_other_input_is_refused_and_the_work_kept(folder, monkeypatch):
    half_done(folder, monkeypatch)
    other = {**INPUTS, "file 1": "def"}
    with pytest.raises(InputError, match="file 1 was abc and is def; remove the"):
        EmbeddingWork(folder, other)
    assert run(folder, ROWS, Recorder().adapter)[0] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("function", "name", "message"),
    [
        (hash_encoder.encode, "other", "encoder was recorder and is other"),
        (hash_encoder.encode_otherwise, "recorder", "first texts have other vectors"),
        (hash_encoder.encode_wide, "recorder", "first texts have other vectors"),
    ],
)
def test_another_encoder_is_refused(folder, monkeypatch, function, name, message):
    half_done(folder, monkeypatch)
    with pytest.raises(InputError, match=message):
        run(folder, ROWS, adapt(function, name=name))


def test_what_rounding_changes_is_the_same_encoder(folder, monkeypatch):
    half_done(folder, monkeypatch)

    def encode(texts):
        return hash_encoder.encode(texts) * (1 + 1e-6 * np.arange(16))

    run(folder, ROWS, adapt(encode, name="recorder"))


def test_rows_that_nothing_came_of_do_not_stand_in_the_way(folder):
    work = EmbeddingWork(folder, INPUTS)
    work.fill(ROWS)
    work._close()  # as after the end of the process
    with EmbeddingWork(folder, {"file 1": "def"}) as work:
        assert not work.filled and work.rows == 0
        work.fill(ROWS[:1])
        assert work.rows == 1


def test_an_error_while_filling_leaves_nothing(folder):
    def rows():
        yield from ROWS
        raise InputError("line 5")

    with pytest.raises(InputError, match="line 5"):
        run(folder, rows(), Recorder().adapter)
    assert not folder.exists()


def test_one_run_at_a_time(folder):
    with EmbeddingWork(folder, INPUTS):
        with pytest.raises(InputError, match="another run works there"):
            EmbeddingWork(folder, INPUTS)


def test_a_damaged_folder_is_named(folder):
    folder.mkdir()
    (folder / "work.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match="v.npy.work: damaged .*remove the folder"):
        EmbeddingWork(folder, INPUTS)


def test_vectors_of_another_length_are_refused(folder):
    recorder = Recorder()

    def encode(texts):
        return recorder.encode(texts)[:, : 16 - len(recorder.calls)]

    with pytest.raises(InputError, match="expected vectors of 15 numbers.*received 14"):
        run(folder, ROWS, adapt(encode, name="shrinking"))


@pytest.mark.parametrize("text", ["a\0b", "", "🙂" * 5, "ก" * 100_000])
def test_any_text(folder, text):
    _, vectors = run(folder, [("a", text), ("b", "c")], Recorder().adapter)
    np.testing.assert_allclose(vectors[0], unit(text), atol=1e-6)
