import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from muse_jobs.data.sample.lexicon import load_lexicon
from muse_jobs.data.text import language_of, normalize, title_key

THAI = st.text(
    st.sampled_from(
        [chr(c) for c in range(0x0E01, 0x0E3B)]
        + [chr(c) for c in range(0x0E3F, 0x0E5C)]
        + list(" aZ\u200b\u00a0")
    ),
    max_size=30,
)


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("นํ้า", "น้ำ"),  # nikhahit, tone, sara aa
        ("ทํา", "ทำ"),  # nikhahit, sara aa
        ("นำ้", "น้ำ"),  # the tone typed after sara am
        ("เเพทย์", "แพทย์"),  # sara e twice
        ("งาน\u200bขาย", "งานขาย"),
        ("๒ อัตรา", "2 อัตรา"),
        ("  Sales\u00a0 Manager ", "sales manager"),
        ("ＳＡＬＥＳ", "sales"),  # full width
        ("CAFÉ", "café"),
    ],
)
def test_titles_that_read_the_same_have_one_key(typed, key):
    assert title_key(typed) == key


def test_sara_am_stays_one_character():
    assert normalize("ทำความสะอาด") == "ทำความสะอาด"


@given(THAI)
@example("ำ\u0e48\u0e48")
@example("ำำ\u0e48")
@example("ำ\u0e48ำ\u0e48")
def test_normalising_twice_changes_nothing(text):
    assert normalize(normalize(text)) == normalize(text)


@given(st.text(max_size=30))
def test_a_key_is_its_own_key(text):
    assert title_key(title_key(text)) == title_key(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("พนักงานขาย", "th"),
        ("Sales Executive", "en"),
        ("พนักงานขาย 15,000 บาท ฿ ๑๒", "th"),
        ("ฯ ๆ ฿ 123 (!)", "und"),
        ("", "und"),
        ("销售", "und"),
        ("เจ้าหน้าที่ HR Manager", "mixed"),
        ("กกกกกกกกกa", "th"),  # 9 of 10
        ("กกกกกกกกaa", "mixed"),  # 8 of 10
        ("กaaaaaaaaa", "en"),  # 1 of 10
    ],
)
def test_language_goes_by_base_letters(text, language):
    assert language_of(text) == language


NOISE = [
    lambda t: t.replace("ำ", "\u0e4d\u0e32"),
    lambda t: t.replace("แ", "เเ"),
    lambda t: t[: len(t) // 2] + "\u200b" + t[len(t) // 2 :],
]


@pytest.mark.parametrize("noise", NOISE)
def test_pythainlp_agrees_on_what_is_the_same(noise):
    """An oracle written by others: it maps the noisy title to the clean one too."""
    from pythainlp.util import normalize as oracle
    from pythainlp.util import remove_zw

    titles = [title for role in load_lexicon()[1] for title in role.titles_th]
    for title in titles:
        noisy = noise(title)
        assert remove_zw(oracle(noisy)) == remove_zw(oracle(title))
        assert title_key(noisy) == title_key(title)
