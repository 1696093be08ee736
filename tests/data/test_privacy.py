import json
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muse_jobs.data import privacy
from muse_jobs.data.postings import JobPosting
from muse_jobs.data.privacy import find_personal_data, mask_personal_data
from muse_jobs.data.readers import read_postings
from muse_jobs.data.sample.generator import sample_postings


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("โทร 081-234-5678 ค่ะ", "โทร [phone] ค่ะ"),
        ("0812345678", "[phone]"),
        ("๐๘๑-๒๓๔-๕๖๗๘", "[phone]"),
        ("02-123-4567 ต่อ 12", "[phone] ต่อ 12"),
        ("(02) 123 4567", "[phone]"),
        ("+66 81 234 5678", "[phone]"),
        ("+66(0)812345678", "[phone]"),
        ("053-123456", "[phone]"),
        ("hr.bangna@hospital.co.th", "[email]"),
        ("Line: @salon_ari", "[line_id]"),
        ("LINE ID : pui_pt", "[line_id]"),
        ("ไลน์ไอดี abc123", "[line_id]"),
        ("แอด @clinic_hr ได้เลย", "แอด [line_id] ได้เลย"),
        ("www.example.com/jobs สมัคร", "[url] สมัคร"),
        ("https://lin.ee/AbCd", "[url]"),
        # 12 digits and their check digit: 11 - (13*1 + 12*1 + ... ) mod 11
        ("บัตร 1-1017-00230-70-8 ครับ", "บัตร [national_id] ครับ"),
    ],
)
def test_personal_data_is_masked(text, masked):
    assert mask_personal_data(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "เงินเดือน 15,000-18,000 บาท",
        "เวลา 08.30-17.30 น. วันจันทร์-ศุกร์",
        "09.00-18.00 1 วัน",
        "ตอบแชต LINE OA และ Facebook",
        "Production line supervisor, line maintenance",
        "ISO 9001:2015, มอก. 2677-2558",
        "ประสบการณ์ 1-3 ปี อายุ 22-35 ปี",
        "1-1017-00230-70-9",  # wrong check digit
        "ID card, Client ID: Enter",
        "รหัสงาน 123456",
    ],
)
def test_other_numbers_and_words_stay(text):
    assert mask_personal_data(text) == text


@given(st.text("0123456789-. @lineid:กข", max_size=40))
def test_spans_are_in_the_text_and_apart(text):
    spans = find_personal_data(text)
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(edges) and all(0 <= e <= len(text) for e in edges)


def test_counts_are_kept():
    counts = Counter()
    mask_personal_data("0812345678, 0898765432, a@b.co", counts)
    assert counts == {"phone": 2, "email": 1}


def test_nothing_of_the_sample_corpus_is_taken_for_personal_data():
    counts = Counter()
    for posting in sample_postings(postings_per_role=4):
        mask_personal_data("\n".join([*posting.titles, posting.description]), counts)
    assert not counts


def is_counted(text):
    """A phone number of nine digits or more, an e-mail address, or a LINE id."""
    phone = len(re.sub(r"\D", "", text)) >= 9 and not re.search("[A-Za-z]", text)
    email = re.search(r"\w@\w[\w-]*\.\w", text)
    line = re.match(r"(?i)line\b.*[:@].*\w{3}", text)
    handle = re.match(r"@\w{3,}", text) and text.lower() != "@line"
    return bool(phone or email or line or handle)


def test_recall_on_informal_posts(public_data):
    """653 marked contacts; left out: half-hidden numbers, handles without any mark,
    names of shops and words such as inbox."""
    hits, missed, wrong, left_out = 0, [], Counter(), 0
    file = public_data / "thai-posts-synthetic" / "synthetic.jsonl"
    for line in file.read_text("utf-8").splitlines():
        post = json.loads(line)
        covered = {
            place
            for span in find_personal_data(post["raw_text"])
            for place in range(span.start, span.end)
        }
        for entity in post["entities"]:
            start = post["raw_text"].find(entity["text"])
            found = covered & set(range(start, start + len(entity["text"])))
            if start < 0:
                continue
            if entity["label"] != "CONTACT":
                wrong[entity["label"]] += bool(found)
            elif not is_counted(entity["text"]):
                left_out += 1
            elif found:
                hits += 1
            else:
                missed.append(entity["text"])
    assert hits + len(missed) > 500 and left_out < 130
    assert hits / (hits + len(missed)) >= 0.95, missed
    assert sum(wrong.values()) == 0, wrong


@pytest.mark.parametrize("keep", [False, True])
def test_reading_masks_by_default(tmp_path, keep):
    text = "สมัคร โทร 081-234-5678"
    row = {"id": 1, "title_th": text, "description": text, "contact": text}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row), "utf-8")
    result = read_postings([path], keep_personal_data=keep)
    expected = text if keep else "สมัคร โทร [phone]"
    assert result.postings == [
        JobPosting("1", expected, None, expected, extra={"contact": expected})
    ]
    assert result.masked == ({} if keep else {"phone": 3})


@given(st.text(st.sampled_from("aLlIiNnEeDd wW.ไลน์อดี#_-+ก"), max_size=40))
def test_a_text_without_suspect_signs_holds_nothing_to_find(text):
    """The quick look at a text passes over none that a pattern would match."""
    if not privacy._SUSPECT.search(text):
        for pattern in privacy._PATTERNS.values():
            assert not pattern.search(text)
