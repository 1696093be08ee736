"""The search page as a Starlette application: static files and a JSON endpoint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from muse_jobs.errors import InputError
from muse_jobs.serving.engine import SearchEngine, language_balance

try:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse
    from starlette.routing import Route
except ImportError as error:
    raise InputError('the page needs: pip install "muse-jobs[page]"') from error

STATIC = Path(__file__).parent
FILES = {
    "/": "index.html",
    "/page.css": "page.css",
    "/page.js": "page.js",
}
MAX_QUERY_CHARACTERS = 1000
MAX_IDS = 20  # of a title that thousands of postings bear
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the query is in the address
    "Cache-Control": "no-cache",
}


def create_app(engines: Sequence[SearchEngine], *, k: int = 10) -> Starlette:
    """The application.

    Args:
        engines: shown side by side, in this order; they search the same titles.
        k: results of each.

    Returns:
        ``/`` the page; ``/api/pool`` how many titles there are, the share of Thai among
        them and the engines' names; ``/api/search?q=`` the results. A query that is
        empty or over 1,000 characters gets status 400 and ``error``.
    """
    pool = engines[0].index
    about = {
        "entries": len(pool),
        "thai": _share(pool.languages),
        "engines": [
            {"name": engine.name, "source": engine.index.source} for engine in engines
        ],
        "max_characters": MAX_QUERY_CHARACTERS,
    }

    def describe(request: Request) -> JSONResponse:
        return _json(about)

    # Not async: Starlette runs it in a thread, so that the page answers meanwhile.
    def search(request: Request) -> JSONResponse:
        query = request.query_params.get("q", "").strip()
        if not query:
            return _json({"error": "the query is empty"}, 400)
        if len(query) > MAX_QUERY_CHARACTERS:
            message = (
                f"the query has {len(query):,} characters; at most "
                f"{MAX_QUERY_CHARACTERS:,} are taken"
            )
            return _json({"error": message}, 400)
        return _json({"engines": [_answer(engine, query, k) for engine in engines]})

    routes = [Route(path, _static(name)) for path, name in FILES.items()]
    routes += [Route("/api/pool", describe), Route("/api/search", search)]
    return Starlette(routes=routes)


def _answer(engine: SearchEngine, query: str, k: int) -> dict:
    results, milliseconds = engine.search(query, k)
    return {
        "name": engine.name,
        "milliseconds": milliseconds,
        "thai": _share([result["language"] for result in results]),
        "results": [
            {**result, "ids": result["ids"][:MAX_IDS], "postings": len(result["ids"])}
            for result in results
        ],
    }


def _share(languages: Sequence[str]) -> float | None:
    share = language_balance(languages)
    return None if math.isnan(share) else share


def _static(name: str):
    def serve(request: Request) -> FileResponse:
        return FileResponse(STATIC / name, headers=HEADERS)

    return serve


def _json(content: dict, status: int = 200) -> JSONResponse:
    return JSONResponse(content, status, headers=HEADERS)
