import json

import pytest

from muse_jobs.data.text import language_of, title_key
from muse_jobs.errors import InputError
from muse_jobs.evaluation.benchmarks import BENCHMARKS, open_benchmark
from muse_jobs.evaluation.public_sets import (
    balanced_titles,
    descriptions,
    natural_titles,
    occupation_titles,
    own_queries,
    parallel_sentences,
    xquad_r,
)


def test_balanced_titles_are_even_in_every_unit(public_data):
    data = balanced_titles(public_data)
    assert data.queries == data.entries
    by_unit = {}
    rows = zip(data.clusters, data.query_languages, strict=True)
    for unit, language in rows:
        by_unit.setdefault(unit, []).append(language)
    assert all(own.count("th") == own.count("en") for own in by_unit.values())
    assert len(data.queries) == 1000 and len(by_unit) == 306
    for query, relevant in enumerate(data.relevant):
        assert query not in relevant
        assert {data.clusters[e] for e in relevant} <= {data.clusters[query]}
        assert len(relevant) == len(by_unit[data.clusters[query]]) - 1


def test_units_keep_to_themselves(public_data):
    whole = balanced_titles(public_data)
    units = set(sorted(set(whole.clusters))[::2])
    part = balanced_titles(public_data, units)
    assert set(part.clusters) == units
    assert set(part.queries) <= set(whole.queries)
    assert balanced_titles(public_data, seed=1).queries != whole.queries


def test_natural_titles_have_all_labels_in_the_pool(public_data):
    data = natural_titles(public_data)
    assert data.entries[: len(data.queries)] == data.queries
    assert len(data.entries) > 8 * len(data.queries)
    unit_of = dict(enumerate(data.clusters))
    assert all(unit_of[q] is not None for q in range(len(data.queries)))
    preferred = data.entries.index("software developer")
    assert "software developers" not in data.entries[: len(data.queries)]
    assert len(data.relevant[preferred]) > 20


def test_descriptions_ask_in_english_for_both(public_data):
    data = descriptions(public_data)
    assert set(data.query_languages) == {"en"}
    assert set(data.entry_languages) == {"th", "en"}
    assert all(data.relevant)


def test_occupations_of_test_units_have_no_reference(public_data):
    data = occupation_titles(public_data)
    keys = {title_key(title) for title in data.references}
    assert keys.isdisjoint(title_key(title) for title in data.queries)
    assert set(data.query_classes) <= set(data.reference_classes)
    assert all(len(name) == len("isco:25") for name in data.query_classes)
    assert len(data.queries) > 500 and len(data.references) > 1000


def test_answers_of_xquad_r_stand_in_their_sentences(public_data):
    data = xquad_r(public_data / "xquad-r")
    assert len(data.queries) == 2 * 1190
    assert data.query_languages == ("th", "en") * 1190
    answers = {}
    for language in ("th", "en"):
        path = public_data / "xquad-r" / f"xquad-r.{language}.json"
        for article in json.loads(path.read_text("utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                for qa in paragraph["qas"]:
                    answers[language, qa["question"]] = qa["answers"][0]["text"]
    found = 0
    for query, language, relevant in zip(
        data.queries, data.query_languages, data.relevant, strict=True
    ):
        assert [data.entry_languages[e] for e in relevant] == ["th", "en"]
        own = relevant[("th", "en").index(language)]
        found += answers[language, query].strip() in data.entries[own]
    assert found >= 0.99 * len(data.queries)  # a few answers cross a sentence's end


@pytest.mark.parametrize(
    ("name", "pairs"), [("msdocs-th-en/eval.tsv", 1990), ("tatoeba", 500)]
)
def test_parallel_sentences_have_one_translation(public_data, name, pairs):
    data = parallel_sentences(public_data / name)
    assert len(data.queries) >= 2 * pairs - 60
    assert all(len(relevant) == 1 for relevant in data.relevant)
    keys = [title_key(text) for text in data.queries]
    assert len(set(keys)) == len(keys)
    one, other = data.translations[7]
    assert language_of(data.queries[one]) in ("th", "mixed")
    assert data.relevant[one] == (other,) and data.relevant[other] == (one,)


def test_scb_mt_in_its_published_form(tmp_path):
    rows = "".join(f'"sentence {n}","ประโยค {n}"\n' for n in range(3000))
    (tmp_path / "a.csv").write_text("en_text,th_text\n" + rows, "utf-8")
    data = parallel_sentences(tmp_path / "a.csv")
    assert len(data.queries) == 4000  # of 2,000 pairs
    assert data.query_languages[:2] == ("th", "en")


def test_own_queries(tmp_path):
    rows = [
        {"query": "ครู", "relevant": ["Teacher", "อาจารย์"]},
        {"query": "Teacher", "relevant": "ครู|อาจารย์"},
        {"relevant": ["Cook"]},
    ]
    path = tmp_path / "q.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    data = own_queries(path)
    assert data.entries == ("Teacher", "อาจารย์", "ครู", "Cook")
    assert data.relevant == ((0, 1), (2, 1))
    assert data.own == (2, 0)
    assert data.query_languages == ("th", "en")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"relevant": ["a"]}', "expected rows with a query"),
        ('{"query": "a", "relevant": 3}', "line 1: expected `relevant`"),
        ("{", "line 1 is not JSON"),
    ],
)
def test_bad_own_queries(tmp_path, content, message):
    path = tmp_path / "q.jsonl"
    path.write_text(content, "utf-8")
    with pytest.raises(InputError, match=message):
        own_queries(path)


def test_unknown_names_and_missing_files(tmp_path):
    with pytest.raises(InputError, match="expected one of titles, .*received nothing"):
        open_benchmark("nothing", tmp_path)
    for name in BENCHMARKS:
        with pytest.raises(InputError):
            open_benchmark(name, tmp_path / "nowhere")
