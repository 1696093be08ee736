import sys

import numpy as np
import pytest

from muse_jobs.errors import InputError
from muse_jobs.serving import index as module
from muse_jobs.serving.engine import SearchEngine, language_balance
from muse_jobs.serving.index import PROBES, SearchIndex
from tests import hash_encoder


def encode(texts):
    vectors = hash_encoder.encode(texts)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("float32")


def make(count=300, source="tests.hash_encoder:encode"):
    titles = [f"title {number}" for number in range(count)]
    return SearchIndex.build(
        ids=[[f"a{number}", f"b{number}"] for number in range(count)],
        titles=titles,
        languages=["th" if number % 3 else "en" for number in range(count)],
        vectors=encode(titles),
        probes=encode(PROBES),
        source=source,
    )


@pytest.fixture
def always_faiss(monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(module, "EXACT_LIMIT", 10)


def expected(index, queries, k):
    """By a whole sort of all scores."""
    scores = queries @ np.asarray(index.vectors).T
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, rows, axis=1), rows


def assert_same(index, other):
    assert [list(ids) for ids in other.ids] == [list(ids) for ids in index.ids]
    assert list(other.titles) == list(index.titles)
    assert list(other.languages) == list(index.languages)
    np.testing.assert_array_equal(other.vectors, index.vectors)
    np.testing.assert_array_equal(other.probes, index.probes)
    assert other.source == index.source


@pytest.mark.parametrize("k", [1, 10, 299, 300, 1000])
def test_exact_search_is_a_sort_of_all(k):
    index = make()
    queries = encode([f"query {number}" for number in range(20)])
    scores, rows = index.search(queries, k)
    expected_scores, expected_rows = expected(index, queries, k)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)


def test_of_equal_entries_the_first_is_first():
    vectors = np.eye(2, dtype=np.float32)[[1, 0, 0, 1, 0]]
    index = SearchIndex.build(
        [["1"]] * 5, list("abcde"), ["en"] * 5, vectors, vectors, "x"
    )
    _, rows = index.search(vectors[1:2], 4)
    assert rows.tolist() == [[1, 2, 4, 0]]


def test_no_queries_have_no_results():
    scores, rows = make().search(np.zeros((0, 16)), 5)
    assert scores.shape == rows.shape == (0, 5)


def test_saved_and_loaded(tmp_path):
    index = make()
    index.save(tmp_path / "new" / "index")
    loaded = SearchIndex.load(tmp_path / "new" / "index")
    assert_same(index, loaded)
    queries = encode(["one", "two"])
    np.testing.assert_array_equal(index.search(queries, 7), loaded.search(queries, 7))
    loaded.check_encoder(encode)


def test_a_later_save_replaces(tmp_path):
    make(20).save(tmp_path)
    make(30).save(tmp_path)
    assert len(SearchIndex.load(tmp_path)) == 30
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("step", ["write_lines", "write_json"])
def test_an_interrupted_save_leaves_the_old_index_whole(tmp_path, monkeypatch, step):
    index = make(20)
    index.save(tmp_path)
    before = sorted(tmp_path.iterdir())

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            make(30).save(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    assert_same(index, SearchIndex.load(tmp_path))


def test_faiss_finds_what_the_exact_search_finds(tmp_path, always_faiss):
    index = make(2000)
    assert index._faiss is not None
    queries = index.vectors[:100]
    _, rows = index.search(queries, 10)
    # Every entry is in the list that its own query looks at first.
    assert rows[:, 0].tolist() == list(range(100))
    _, exact = expected(index, queries, 10)
    shared = [len({*a} & {*b}) for a, b in zip(rows, exact, strict=True)]
    assert np.mean(shared) > 2  # noise has no lists to speak of; blind: 0.05
    index.save(tmp_path)
    loaded = SearchIndex.load(tmp_path)
    assert_same(index, loaded)
    np.testing.assert_array_equal(loaded.search(queries, 10)[1], rows)


def test_faiss_gives_as_many_as_are_asked(always_faiss):
    index = make(200)
    queries = encode(["one", "two"])
    _, rows = index.search(queries, 200)
    assert [sorted(row) for row in rows.tolist()] == [list(range(200))] * 2
    np.testing.assert_array_equal(rows[:, :50], expected(index, queries, 50)[1])


def test_without_faiss_a_large_pool_says_what_to_install(monkeypatch):
    monkeypatch.setattr(module, "EXACT_LIMIT", 10)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InputError, match=r'pip install "muse-jobs\[faiss\]"'):
        make()


@pytest.mark.parametrize(
    "other",
    [
        lambda texts: -encode(texts),
        lambda texts: encode(texts) + 2e-4,
        lambda texts: encode(texts)[:, :8],
        lambda texts: encode(texts) * np.nan,
    ],
)
def test_another_model_is_refused(other):
    with pytest.raises(InputError, match=r"another model \(tests.hash_encoder:encode"):
        make().check_encoder(other)


def test_rounding_is_no_other_model():
    make().check_encoder(lambda texts: encode(texts) + 5e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "meta.json").unlink(), "no index there"),
        (lambda folder: (folder / "meta.json").write_text("{"), "damaged"),
        (lambda folder: (folder / "meta.json").write_text("{}"), "damaged"),
        (lambda folder: next(folder.glob("*.npy")).unlink(), "damaged"),
        (lambda folder: next(folder.glob("*.npy")).write_bytes(b"x"), "damaged"),
        (lambda folder: next(folder.glob("*.jsonl")).write_text(""), "damaged"),
    ],
)
def test_a_damaged_index_says_so(tmp_path, change, message):
    make(20).save(tmp_path)
    change(tmp_path)
    with pytest.raises(InputError, match=message):
        SearchIndex.load(tmp_path)


def test_pickles_are_not_loaded(tmp_path):
    make(20).save(tmp_path)
    np.save(next(tmp_path.glob("*.npy")), np.array([{}] * 20), allow_pickle=True)
    with pytest.raises(InputError, match="damaged"):
        SearchIndex.load(tmp_path)


@pytest.mark.parametrize(
    ("titles", "rows", "message"),
    [
        ([], 0, "received none"),
        (["a", "b"], 3, "of one length"),
        (["a", "a"], 2, "received one twice"),
    ],
)
def test_bad_entries_are_refused(titles, rows, message):
    ones = np.ones((rows, 4))
    with pytest.raises(InputError, match=message):
        SearchIndex.build(
            [["1"]] * len(titles), titles, ["en"] * len(titles), ones, ones, "x"
        )


def test_bad_queries_are_refused():
    with pytest.raises(InputError, match=r"\(queries, 16\), received \(1, 8\)"):
        make().search(np.zeros((1, 8)), 1)
    with pytest.raises(InputError, match="at least 1"):
        make().search(np.zeros((1, 16)), 0)


def test_an_engine_answers_texts():
    engine = SearchEngine("hash", make(), encode)
    results, milliseconds = engine.search(" title 7\n", 3)
    assert results[0] == {
        "score": pytest.approx(1),
        "language": "th",
        "title": "title 7",
        "ids": ["a7", "b7"],
    }
    assert len(results) == 3 and milliseconds > 0
    assert len(engine.search("half \ud83d", 3)[0]) == 3
    with pytest.raises(InputError, match="empty"):
        engine.search(" \n", 3)


@pytest.mark.parametrize(
    ("languages", "share"),
    [
        (["th", "en", "en", "en"], 0.25),
        (["th", "mixed", "und"], 1),
        (["en"], 0),
        (["mixed"], float("nan")),
        ([], float("nan")),
    ],
)
def test_language_balance(languages, share):
    np.testing.assert_equal(language_balance(languages), share)


@pytest.mark.parametrize("faiss", [False, True])
def test_a_preferred_language_comes_up_with_its_strength(faiss, request):
    if faiss:
        request.getfixturevalue("always_faiss")
    engine = SearchEngine("x", make(), encode)

    def languages(**options):
        results, _ = engine.search("query", 20, **options)
        scores = [result["score"] for result in results]
        assert scores == sorted(scores, reverse=True)
        return [result["language"] for result in results]

    plain = languages()
    assert languages(prefer="en", strength=0.0) == languages(prefer="") == plain
    assert 0 < plain.count("en") < 20
    some, all_of_them = (languages(prefer="en", strength=s) for s in (0.05, 2.0))
    assert plain.count("en") <= some.count("en") <= 20
    assert all_of_them == ["en"] * 20
