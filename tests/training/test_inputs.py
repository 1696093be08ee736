import dataclasses
import random

import numpy as np
import pytest

from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.writers import write_postings
from muse_jobs.errors import InputError
from muse_jobs.training.config import TrainConfig
from muse_jobs.training.inputs import read_inputs
from muse_jobs.training.tasks import cycle_batches, field_examples, matching_examples
from muse_jobs.training.title_pairs import ranking_examples


def without_roles(count):
    return [
        dataclasses.replace(posting, role=None, extra={})
        for posting in sample_postings(postings_per_role=1)[:count]
    ]


def batches(inputs):
    postings = inputs.split.train
    examples = {
        "jt": ranking_examples(postings),
        "jd": matching_examples(postings),
        "jf": field_examples(postings, inputs.labels),
    }
    cycles = cycle_batches(examples, batch_size=64, seed=0).take(3)
    return [
        np.ascontiguousarray(column).tobytes()
        if column.dtype != object
        else b"\0".join(column)
        for cycle in cycles.as_numpy_iterator()
        for batch in cycle.values()
        for column in batch.values()
    ]


def test_any_number_of_files_in_any_order_gives_the_same_split_and_pairs(tmp_path):
    postings = without_roles(200)
    write_postings(tmp_path / "whole.jsonl", postings)
    random.Random(0).shuffle(postings)
    files = []
    for number in range(3):
        files.append(str(tmp_path / f"part{number}.csv"))
        write_postings(files[-1], postings[number::3])
    whole = read_inputs(TrainConfig(postings=(str(tmp_path / "whole.jsonl"),)))
    expected = batches(whole)
    for order in (files, files[::-1]):
        parts = read_inputs(TrainConfig(postings=tuple(order)))
        assert parts.split == whole.split
        assert batches(parts) == expected
    other = read_inputs(TrainConfig(postings=tuple(files), seed=1))
    assert other.split != whole.split


def test_near_duplicates_are_on_one_side_and_in_the_report(tmp_path):
    postings = without_roles(200)
    copies = [
        dataclasses.replace(p, id=f"copy-{p.id}", title_en=f"T{n}", title_th=None)
        for n, p in enumerate(postings[:40])
    ]
    copies = [dataclasses.replace(p, description=p.description + "!") for p in copies]
    write_postings(tmp_path / "jobs.jsonl", postings + copies)
    inputs = read_inputs(TrainConfig(postings=(str(tmp_path / "jobs.jsonl"),)))
    side = {p.id: name for name, part in inputs.split.parts.items() for p in part}
    for copy in copies:
        assert side[copy.id] == side[copy.id.removeprefix("copy-")]
    report = inputs.report
    assert report["near duplicates left"] >= 40
    assert report["near duplicates on one side"] is True
    assert report["on two sides of the split"] == {
        "jobs and titles": 0,
        "near duplicates": 0,
    }


def test_duplicates_collapse_by_option(tmp_path):
    postings = without_roles(60)
    again = [dataclasses.replace(p, id=f"again-{p.id}") for p in postings[:10]]
    write_postings(tmp_path / "jobs.jsonl", postings + again)
    config = TrainConfig(postings=(str(tmp_path / "jobs.jsonl"),), duplicates="exact")
    report = read_inputs(config).report
    assert report["postings"] == 60
    assert report["duplicates collapsed"] == {"exact": 10, "near": 0}


def test_translations_are_further_pairs_without_the_held_out_titles(tmp_path):
    inputs = read_inputs(TrainConfig())
    held_out = next(p for p in inputs.split.test if p.title_en)
    (tmp_path / "table.csv").write_text(
        f'title_th,title_en\nนักบินอวกาศ,Astronaut\nก,"{held_out.title_en}"\n', "utf-8"
    )
    config = TrainConfig(translations=(str(tmp_path / "table.csv"),))
    inputs = read_inputs(config)
    (pair,) = inputs.translations
    assert pair.titles == ("นักบินอวกาศ", "Astronaut")
    assert inputs.report["translations"] == {"used": 1, "held out": 1}
    assert str(tmp_path / "table.csv") in inputs.checksums
    both = ranking_examples([*inputs.split.train, pair])
    assert both.epoch_size == ranking_examples(inputs.split.train).epoch_size + 1


@pytest.mark.parametrize(
    ("row", "message"),
    [(",Cook", "expected both"), ("กุ๊ก,\0", "NUL"), ("a,b,c", "more cells")],
)
def test_a_bad_row_of_translations_is_named(tmp_path, row, message):
    (tmp_path / "table.csv").write_text(
        f"title_th,title_en\nครู,Teacher\n{row}\n", "utf-8"
    )
    config = TrainConfig(translations=(str(tmp_path / "table.csv"),))
    with pytest.raises(InputError, match=f"table.csv: line 3: .*{message}"):
        read_inputs(config)
