import csv

import pytest

from muse_jobs.data.sample.lexicon import load_lexicon
from muse_jobs.data.text import title_key
from muse_jobs.study.benchmarks import sample_benchmarks
from muse_jobs.study.corpus import (
    check_held_out,
    read_sample_data,
    read_study_data,
    split_units,
)
from muse_jobs.study.settings import CorpusSettings

SETTINGS = CorpusSettings(general_pairs=300)


@pytest.fixture(scope="module")
def data(public_data):
    return read_study_data(public_data, SETTINGS)


def test_at_least_90_units_are_held_out_and_no_unit_is_in_two_parts(data):
    units = data.units
    parts = [set(units.train), set(units.validation), set(units.test)]
    assert len(units.test) >= 90
    assert sum(map(len, parts)) == len(set.union(*parts)) == 306


def test_the_split_does_not_depend_on_the_order_of_files(data, public_data):
    assert split_units(public_data, SETTINGS) == data.units


def test_nothing_of_a_held_out_unit_is_trained_on(data, public_data):
    """By an own reading of the files, apart from the package's recipes."""
    held_out = {*data.units.test, *data.units.validation}
    keys = set()
    with (public_data / "isco08-thai/thai_titles.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if f"isco:{row['isco08']}" in held_out:
                keys.add(title_key(row["title_th"]))
    with (public_data / "esco/occupations_en.csv").open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            if f"isco:{row['iscoGroup']}" in held_out:
                labels = [row["preferredLabel"], *row["altLabels"].splitlines()]
                keys.update(title_key(label) for label in labels if label.strip())
    for role in load_lexicon()[1]:
        if f"isco:{role.isco}" in held_out:
            keys.update(map(title_key, (*role.titles_th, *role.titles_en)))
    assert len(keys) > 5000
    trained = [*data.inputs.split.train, *data.inputs.translations]
    assert not keys & {title_key(title) for p in trained for title in p.titles}
    assert not held_out & {posting.role for posting in trained}


def test_the_check_sees_a_leak(data):
    assert set(data.checks.values()) == {0}
    leaky = data.inputs.split.test[:3]
    data.inputs.split.train.extend(leaky)
    try:
        keys = {title_key(title) for p in leaky for title in p.titles}
        found = check_held_out(data.inputs, data.units, keys)
    finally:
        del data.inputs.split.train[-3:]
    assert found["held-out units among the trained ones"] > 0
    assert found["trained texts that share a title key with a held-out title"] > 0


def test_the_sample_corpus_takes_the_place_of_public_data():
    data = read_sample_data()
    assert set(data.checks.values()) == {0}
    assert len(data.units.test) > 60 and not set(data.units.test) & set(
        data.units.train
    )
    trained = {title_key(t) for p in data.inputs.split.train for t in p.titles}
    benchmarks = sample_benchmarks(data.inputs.split.test)
    texts = {title_key(text) for text in benchmarks["titles"].texts}
    assert len(texts) > 300
    # The sample corpus names roles: a title may stand under two of them.
    assert len(texts & trained) < 0.02 * len(texts)
    duties = {t for p in data.inputs.translations for t in p.titles}
    held_out = [r for r in load_lexicon()[1] if r.id in set(data.units.test)]
    assert held_out and not duties & {t for r in held_out for d in r.duties for t in d}
