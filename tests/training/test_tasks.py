import itertools

import numpy as np
import pytest
import tensorflow as tf

from muse_jobs.data.postings import JobPosting, field_labels
from muse_jobs.data.sample.generator import sample_postings
from muse_jobs.data.text import language_of
from muse_jobs.errors import InputError
from muse_jobs.training.tasks import cycle_batches, field_examples, matching_examples
from muse_jobs.training.title_pairs import ranking_examples, synonym_examples
from tests.iou import iou

POSTINGS = sample_postings(postings_per_role=2)[:200]
LABELS = field_labels(POSTINGS)


def all_examples():
    return {
        "jt": ranking_examples(POSTINGS),
        "jd": matching_examples(POSTINGS),
        "jf": field_examples(POSTINGS, LABELS),
    }


def first(dataset, count):
    return list(itertools.islice(dataset.as_numpy_iterator(), count))


def same(one, other):
    assert one.keys() == other.keys()
    return all(np.array_equal(one[t][c], other[t][c]) for t in one for c in one[t])


def test_batches_are_a_function_of_the_seed():
    one, other, third = (
        first(cycle_batches(all_examples(), batch_size=32, seed=seed), 5)
        for seed in (1, 1, 2)
    )
    assert all(map(same, one, other))
    assert not any(map(same, one, third))


@pytest.mark.parametrize("start", [1, 4, 9])
def test_a_later_start_gives_the_batches_of_an_unbroken_run(start):
    whole = first(cycle_batches(all_examples(), batch_size=50, seed=0), 12)
    rest = cycle_batches(all_examples(), batch_size=50, seed=0, start=start)
    assert all(map(same, whole[start:], first(rest, 12 - start)))


def test_an_epoch_has_every_example_once_even_across_batches():
    examples = ranking_examples(POSTINGS)
    size = examples.epoch_size
    batches = first(cycle_batches({"jt": examples}, batch_size=7, seed=0), size)
    titles = np.concatenate([batch["jt"]["queries"] for batch in batches])
    for epoch in range(7):
        part = titles[epoch * size : (epoch + 1) * size]
        assert sorted(part) == sorted(titles[:size])
    assert not np.array_equal(titles[:size], titles[size : 2 * size])


def test_batches_larger_than_the_data_repeat_it():
    (batch,) = first(
        cycle_batches({"jt": ranking_examples(POSTINGS[:4])}, batch_size=64, seed=0),
        1,
    )
    assert batch["jt"]["queries"].shape == (64,)


def test_title_pairs_are_of_one_posting_and_of_one_job():
    (batch,) = first(cycle_batches(all_examples(), batch_size=100, seed=0), 1)
    pairs = {
        (p.title_th.encode(), p.title_en.encode()): p.role
        for p in POSTINGS
        if p.title_th and p.title_en
    }
    titles = zip(batch["jt"]["queries"], batch["jt"]["targets"], strict=True)
    roles = [pairs[pair] for pair in titles]
    groups = batch["jt"]["groups"]
    for i, j in itertools.combinations(range(100), 2):
        assert (roles[i] == roles[j]) == (groups[i] == groups[j])


def titles_by_role(postings):
    found = {}
    for posting in postings:
        found.setdefault(posting.role, set()).update(t.encode() for t in posting.titles)
    return found


def test_varied_titles_are_two_of_one_job_and_every_job_gives_one_pair():
    examples = synonym_examples(POSTINGS, description_share=0)
    of_role = titles_by_role(POSTINGS)
    roles = [role for role, titles in of_role.items() if len(titles) > 1]
    assert examples.epoch_size == len(roles)
    (batch,) = first(cycle_batches({"jt": examples}, batch_size=len(roles), seed=0), 1)
    pairs = list(zip(batch["jt"]["queries"], batch["jt"]["targets"], strict=True))
    assert all(one != other for one, other in pairs)
    for pair in pairs:
        assert any(set(pair) <= titles for titles in of_role.values())
    assert len(set(batch["jt"]["groups"])) == len(roles)


def test_varied_titles_cover_all_titles_of_a_job_evenly():
    job = [
        JobPosting(str(n), title_th=th, title_en=en, role="r")
        for n, (th, en) in enumerate(
            [("กุ๊ก", "Cook"), ("พ่อครัว", "Chef"), ("คนครัว", None), (None, "Line Cook")]
        )
    ]
    examples = synonym_examples(job, same_language=0.4)
    texts = [text.decode() for text in examples.tables["queries"].numpy()]
    seen, alike, draws = [], 0, 4000
    for epoch in range(draws):
        drawn = examples.draw(np.random.default_rng(epoch))
        one, other = texts[drawn["queries"][0]], texts[drawn["targets"][0]]
        assert one != other
        seen += [one, other]
        alike += language_of(one) == language_of(other)
    # Three titles a language; half of all drawn titles are Thai: a sixth each.
    for title in ("กุ๊ก", "พ่อครัว", "คนครัว", "Cook", "Chef", "Line Cook"):
        assert seen.count(title) / len(seen) == pytest.approx(1 / 6, abs=0.015)
    assert alike / draws == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        ([("กุ๊ก", None), ("พ่อครัว", None)], {"กุ๊ก", "พ่อครัว"}),
        ([(None, "Cook"), (None, "Chef")], {"Cook", "Chef"}),
        ([("กุ๊ก", "Cook")], {"กุ๊ก", "Cook"}),
    ],
)
def test_jobs_of_one_language_and_of_two_titles_give_what_they_have(titles, expected):
    job = [
        JobPosting(str(n), title_th=th, title_en=en, role="r")
        for n, (th, en) in enumerate(titles)
    ]
    examples = synonym_examples(job, same_language=0.5)
    texts = [text.decode() for text in examples.tables["queries"].numpy()]
    for epoch in range(50):
        drawn = examples.draw(np.random.default_rng(epoch))
        found = {texts[drawn["queries"][0]], texts[drawn["targets"][0]]}
        assert found == expected


def test_a_description_stands_with_a_title_of_its_job():
    examples = synonym_examples(POSTINGS, description_share=0.5)
    jobs = synonym_examples(POSTINGS, description_share=0).epoch_size
    assert examples.epoch_size == 2 * jobs
    (batch,) = first(
        cycle_batches({"jt": examples}, batch_size=examples.epoch_size, seed=0), 1
    )
    of_role = titles_by_role(POSTINGS)
    role_of = {p.description.encode(): p.role for p in POSTINGS}
    pairs = zip(batch["jt"]["queries"], batch["jt"]["targets"], strict=True)
    found = [pair for pair in pairs if set(pair) & set(role_of)]
    assert len(found) == jobs
    for pair in found:
        (role,) = {role_of[text] for text in pair if text in role_of}
        assert any(text in of_role[role] for text in pair)


def test_general_translations_have_their_share_of_an_epoch():
    general = [
        JobPosting(str(n), title_th=f"ประโยค {n}", title_en=f"sentence {n}")
        for n in range(500)
    ]
    options = {"description_share": 0}
    examples = synonym_examples(POSTINGS, general, translation_share=0.75, **options)
    jobs = synonym_examples(POSTINGS, **options).epoch_size
    assert examples.epoch_size == 4 * jobs
    (batch,) = first(cycle_batches({"jt": examples}, batch_size=4 * jobs, seed=0), 1)
    pairs = zip(batch["jt"]["queries"], batch["jt"]["targets"], strict=True)
    numbers = [
        {text.decode().split()[-1] for text in pair}
        for pair in pairs
        if b"sentence" in b" ".join(pair)
    ]
    assert len(numbers) == 3 * jobs
    assert all(len(number) == 1 for number in numbers)


def test_varied_titles_need_a_job_with_two_titles():
    with pytest.raises(InputError, match="two titles or more"):
        synonym_examples([JobPosting("1", title_th="กุ๊ก")])


def test_matching_pairs_keep_the_definition():
    (batch,) = first(cycle_batches(all_examples(), batch_size=300, seed=0), 1)
    by_description = {p.description.encode(): p for p in POSTINGS}
    by_title = {t.encode(): p for p in POSTINGS for t in p.titles}
    kinds = {"own": 0, "negative": 0, "hard": 0}
    columns = batch["jd"]
    for text, title, label in zip(
        columns["descriptions"], columns["titles"], columns["labels"], strict=True
    ):
        posting, other = by_description[text], by_title[title]
        if label:
            assert other.role == posting.role
            kinds["own"] += 1
        else:
            assert other.role != posting.role
            near = iou(posting.fields, other.fields) >= 0.5
            kinds["hard" if near else "negative"] += 1
    assert kinds == {"own": 100, "negative": 100, "hard": 100}


@pytest.mark.parametrize(
    ("choice", "same_language"), [("same", True), ("other", False)]
)
def test_title_language_of_a_pair(choice, same_language):
    both = [p for p in POSTINGS if p.title_th and p.title_en]
    plain = [p for p in both if language_of(p.description) in ("th", "en")]
    examples = matching_examples(plain, pair_titles=choice)
    (batch,) = first(cycle_batches({"jd": examples}, batch_size=90, seed=0), 1)
    thai_titles = {p.title_th for p in plain}
    for text, title in zip(
        batch["jd"]["descriptions"], batch["jd"]["titles"], strict=True
    ):
        language = "th" if title.decode() in thai_titles else "en"
        assert (language == language_of(text.decode())) == same_language


def test_any_title_language_draws_both():
    examples = matching_examples([p for p in POSTINGS if p.title_th and p.title_en])
    (batch,) = first(cycle_batches({"jd": examples}, batch_size=300, seed=0), 1)
    languages = [language_of(t.decode()) for t in batch["jd"]["titles"]]
    assert 90 < languages.count("en") < 210


def test_fields_are_multi_hot_in_the_order_of_the_labels():
    (batch,) = first(cycle_batches(all_examples(), batch_size=200, seed=0), 1)
    owners = {t.encode(): p for p in POSTINGS for t in (*p.titles, p.description)}
    for text, row in zip(batch["jf"]["texts"], batch["jf"]["fields"], strict=True):
        assert {LABELS[c] for c in np.flatnonzero(row)} == set(owners[text].fields)


@pytest.mark.parametrize(
    ("make", "posting", "message"),
    [
        (ranking_examples, JobPosting("1", "ครู"), "jt needs.*--tasks jd,jf"),
        (matching_examples, JobPosting("1", "ครู"), "jd needs.*--tasks jt,jf"),
        (lambda p: field_examples(p, []), JobPosting("1", "ครู"), "jf needs.*jt,jd"),
    ],
)
def test_a_task_without_its_data_says_what_to_do(make, posting, message):
    with pytest.raises(InputError, match=message):
        make([posting])


def test_iou_is_over_title_tokens_where_there_are_no_fields():
    titles = ["Sales Manager", "Senior Sales Manager", "Cook", "Pastry Chef"] * 3
    postings = [
        JobPosting(str(n), None, title, "งาน", role=str(n))
        for n, title in enumerate(titles)
    ]

    def words(texts):
        return tf.strings.split(texts)

    examples = matching_examples(postings, tokenize=words)
    drawn = examples.draw(np.random.default_rng(0))
    hard = drawn["titles"].reshape(-1, 3)[:, 2] // 2
    for own, other in zip(drawn["descriptions"][::3], hard, strict=True):
        if "Sales" in titles[own]:  # 2 of 3 words, or the same 2 words
            assert "Sales" in titles[other]
            assert titles[own] != titles[other]  # no title is its own negative
    without = matching_examples(postings).draw(np.random.default_rng(0))
    hard = without["titles"].reshape(-1, 3)[:, 2] // 2
    assert any("Sales" not in titles[n] for n in hard)
