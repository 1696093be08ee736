import html
import re
import socket
import threading
import time
from urllib.parse import quote

import httpx
import numpy as np
import pytest
import uvicorn

from muse_jobs.serving.engine import SearchEngine
from muse_jobs.serving.index import PROBES, SearchIndex
from muse_jobs.serving.page.app import create_app
from tests import hash_encoder
from tests.browser import chromium

ATTACK = "<img src=x onerror=\"document.title='broken'\">"
TITLES = {
    "พนักงานขาย": "th",
    "นักบัญชี": "th",
    "พยาบาล": "th",
    "Sales Executive": "en",
    "Accountant": "en",
    "Nurse": "en",
    "เจ้าหน้าที่ Call Center": "mixed",
    ATTACK: "en",
}


def encode(texts):
    vectors = hash_encoder.encode(texts)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("float32")


def engine(name, encode):
    ids = [[f"{row}-{number}" for number in range(row + 1)] for row in range(8)]
    index = SearchIndex.build(
        ids, list(TITLES), list(TITLES.values()), encode([*TITLES]), encode(PROBES), "x"
    )
    return SearchEngine(name, index, encode)


@pytest.fixture(scope="module")
def address():
    """A real server on a free port."""
    app = create_app(
        [engine("Plain <b>", encode), engine("Tuned", lambda texts: -encode(texts))],
        k=8,
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def get(address, path):
    return httpx.get(address + path, trust_env=False)


def test_the_pool_is_described(address):
    assert get(address, "/api/pool").json() == {
        "entries": 8,
        "thai": pytest.approx(3 / 7),  # the mixed one does not count
        "engines": [
            {"name": "Plain <b>", "source": "x"},
            {"name": "Tuned", "source": "x"},
        ],
        "max_characters": 1000,
    }


@pytest.mark.parametrize("query", ["พยาบาล", "Nurse", ATTACK])
def test_search_answers_for_both_engines(address, query):
    engines = get(address, f"/api/search?q={quote(query)}").json()["engines"]
    assert [engine["name"] for engine in engines] == ["Plain <b>", "Tuned"]
    for answer in engines:
        row = list(TITLES).index(query)
        assert answer["results"][0] == {
            "title": query,
            "language": TITLES[query],
            "score": pytest.approx(1),
            "ids": [f"{row}-{number}" for number in range(row + 1)],
            "postings": row + 1,
        }
        assert len(answer["results"]) == 8
        assert answer["thai"] == pytest.approx(3 / 7)
        assert answer["milliseconds"] > 0


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("", "the query is empty"),
        ("?q=", "the query is empty"),
        ("?q=%20%0A", "the query is empty"),
        ("?q=" + "x" * 1001, "the query has 1,001 characters; at most 1,000 are taken"),
    ],
)
def test_bad_queries_get_a_message(address, query, error):
    response = get(address, "/api/search" + query)
    assert response.status_code == 400
    assert response.json() == {"error": error}


@pytest.mark.parametrize("query", ["x" * 1000, "%FF%FE", "%ED%A0%BD", "%00"])
def test_odd_queries_are_answered(address, query):
    assert get(address, f"/api/search?q={query}").status_code == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/page.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/api/pool", "application/json"),
        ("/api/search", "application/json"),
    ],
)
def test_headers_allow_only_the_pages_own_files(address, path, kind):
    headers = get(address, path).headers
    assert headers["content-type"].startswith(kind)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "*" not in policy and "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/app.py", "/../index.py", "/%2e%2e/index.py"])
def test_no_other_file_is_served(address, path):
    assert get(address, path).status_code == 404


def test_the_files_ask_for_nothing_elsewhere(address):
    for path in ("/", "/page.css", "/page.js"):
        text = get(address, path).text
        assert "://" not in text and "innerHTML" not in text
        assert not re.search(r"\son\w+=|\sstyle=|<style", text)


@pytest.fixture(scope="module")
def browse(address, tmp_path_factory):
    """What the page holds when it has done its work, as a browser says it."""

    def dump(query):
        return chromium(
            tmp_path_factory.mktemp("profile"),
            "--virtual-time-budget=10000",
            "--dump-dom",
            f"{address}/{query}",
        )

    return dump


def titles_of(page):
    found = re.findall(r'<span class="title" lang="(\w+)">(.*?)<small', page)
    return [(lang, html.unescape(title)) for lang, title in found]


@pytest.mark.parametrize("query", ["พยาบาล", "Nurse"])
def test_a_browser_shows_both_models(browse, query):
    page = browse(f"?q={quote(query)}")
    found = titles_of(page)
    assert len(found) == 16
    assert found[0] == found[8] == (TITLES[query], query)
    assert ("mul", "เจ้าหน้าที่ Call Center") in found
    assert "<h2>Plain &lt;b&gt;</h2>" in page and "<h2>Tuned</h2>" in page
    label = "Thai 43 %, English 57 % of the results; Thai 43 % of all titles"
    assert page.count(f'aria-label="{label}"') == 2
    # The bar parts where the line of the truth stands.
    assert len(re.findall(r'class="th" style="width: 42\.857', page)) == 2
    assert len(re.findall(r'class="truth" style="left: 42\.857', page)) == 2
    assert page.count('<span class="tag th">ไทย</span>') == 6
    assert page.count("1 in both languages or neither: not counted") == 2
    assert "8 results of each model." in page and "ผลลัพธ์โมเดลละ 8 รายการ" in page


def test_markup_stays_text(browse):
    page = browse(f"?q={quote(ATTACK)}")
    found = titles_of(page)
    assert found[0] == found[8] == ("en", ATTACK)
    assert "<img" not in page and "<title>Job search, side by side</title>" in page


@pytest.mark.parametrize(
    ("query", "english", "thai"),
    [
        ("?q=", "Type a job title.", "พิมพ์ชื่อตำแหน่งงาน"),
        ("?q=%20", "Type a job title.", "พิมพ์ชื่อตำแหน่งงาน"),
        ("?q=" + "x" * 1001, "at most 1,000 characters", "ไม่เกิน 1,000 ตัวอักษร"),
    ],
)
def test_a_browser_says_what_is_wrong(browse, query, english, thai):
    page = browse(query)
    status = re.search(r'<p id="status".*?</p>', page)[0]
    assert 'aria-live="polite"' in status and 'class="bilingual error"' in status
    assert english in status and thai in status
    assert titles_of(page) == []


def test_without_a_query_the_page_waits(browse):
    page = browse("")
    assert "8 titles, 43 % in Thai" in page and 'class="bilingual error"' not in page
    assert titles_of(page) == []
