"""``python -m muse_jobs.search``: an index of titles, queries to it, and a page."""

from __future__ import annotations

import argparse
import io
import math
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from muse_jobs.commandline import quiet_tensorflow, run_command, track
from muse_jobs.data.formats import expand_paths
from muse_jobs.data.privacy import mask_personal_data
from muse_jobs.data.readers import Reject, parse_columns, scan_postings
from muse_jobs.data.text import language_of
from muse_jobs.errors import InputError
from muse_jobs.files import check_writable

DESCRIPTION = """\
Builds an index of postings' titles, both languages, searches it, and serves a page on
which plain mUSE and a tuned model search side by side."""

ENCODER_HELP = (
    "auto, tfhub, packaged, a URL, kaggle:HANDLE, a SavedModel or "
    "sentence-transformers folder, package.module:function"
)
BATCH_SIZE = 1024

# title -> the ids of the postings that bear it
Titles = dict[str, list[str]]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    parser = argparse.ArgumentParser(
        "python -m muse_jobs.search", description=DESCRIPTION
    )
    actions = parser.add_subparsers(dest="action", required=True)

    build = actions.add_parser("build", help="make an index of postings")
    build.add_argument("--encoder", default="auto", help=f"{ENCODER_HELP} [auto]")
    build.add_argument("--index", required=True, metavar="FOLDER", help="is made")
    build.set_defaults(run=_build)

    query = actions.add_parser("query", help="search an index")
    query.add_argument(
        "texts", nargs="*", metavar="TEXT", help="queries; else lines of standard input"
    )
    query.add_argument("--index", required=True, metavar="FOLDER")
    query.add_argument("--encoder", help=f"{ENCODER_HELP} [that of the index]")
    query.add_argument("-k", type=int, default=10, help="results of a query [10]")
    query.add_argument(
        "--prefer", choices=("th", "en"), help="a language that the user asks for"
    )
    query.add_argument(
        "--strength",
        type=float,
        default=0.1,
        help="of --prefer: added to the cosine of its titles; 2 puts all of them "
        "first [0.1]",
    )
    query.set_defaults(run=_query)

    page = actions.add_parser("page", help="serve the page; needs the extra page")
    page.add_argument("--plain", default="packaged", help="encoder [packaged]")
    page.add_argument(
        "--tuned",
        default="savedmodels/muse_jobs/1",
        help="encoder [savedmodels/muse_jobs/1]",
    )
    page.add_argument("--host", default="127.0.0.1", help="[127.0.0.1]")
    page.add_argument(
        "--port", type=int, default=8000, help="[8000]; 0 is any free one"
    )
    page.add_argument("-k", type=int, default=10, help="results of a query [10]")
    page.set_defaults(run=_page)

    for action in (build, page):
        action.add_argument(
            "paths", nargs="+", metavar="POSTINGS", help="files, patterns or folders"
        )
        action.add_argument(
            "--columns", default="", help="your column names: title_th=YOURS,..."
        )
        action.add_argument(
            "--keep-personal-data",
            action="store_true",
            help="do not mask phone numbers, e-mail addresses, LINE ids and the like",
        )
    arguments = parser.parse_args(argv)
    if getattr(arguments, "k", 1) < 1:
        raise InputError(f"-k: expected at least 1, received {arguments.k}")
    arguments.run(arguments)
    return 0


def _build(arguments) -> None:
    check_writable(arguments.index)
    titles = _read(arguments)
    encoder = _open_encoder(arguments.encoder)
    index = _index(titles, encoder, arguments.encoder)
    index.save(arguments.index)
    print(f"index: {arguments.index}, {len(index)} titles, encoder {encoder.source}")


def _query(arguments) -> None:
    from muse_jobs.serving.engine import SearchEngine, language_balance
    from muse_jobs.serving.index import SearchIndex

    index = SearchIndex.load(arguments.index)
    # Half a character, as a terminal may send it, can be neither encoded nor printed.
    texts = [t.encode(errors="replace").decode().strip() for t in arguments.texts]
    if any(not text for text in texts):
        raise InputError("expected a query, received an empty one")
    encoder = _open_encoder(arguments.encoder or index.source)
    index.check_encoder(encoder.encode)
    engine = SearchEngine(encoder.name, index, encoder.encode)
    asked = 0
    for text in texts or _lines_of_input():
        results, milliseconds = engine.search(
            text,
            arguments.k,
            prefer=arguments.prefer or "",
            strength=arguments.strength,
        )
        asked += 1
        print(f"{text}\n{format_results(results)}")
        thai = language_balance([result["language"] for result in results])
        share = "-" if math.isnan(thai) else f"{thai:.0%}"
        print(f"Thai among the results: {share}; {milliseconds:.1f} ms\n", flush=True)
    if not asked:
        raise InputError("expected a query, received none; give a TEXT or lines")


def format_results(results: Sequence[dict]) -> str:
    """Lines of rank, score, language, title and id for a terminal.

    Args:
        results: of `muse_jobs.serving.engine.SearchEngine.search`.
    """
    from rich.cells import cell_len

    # Marks above and below Thai letters take no column; nor may a title steer the
    # terminal.
    titles = [_printable(result["title"]) for result in results]
    width = max(map(cell_len, titles))
    lines = []
    for rank, (title, result) in enumerate(zip(titles, results, strict=True), start=1):
        first, *others = map(_printable, result["ids"])
        more = f" + {len(others)}" if others else ""
        space = " " * (width - cell_len(title))
        lines.append(
            f"{rank:>4}  {result['score']:6.3f}  {result['language']:<5}  "
            f"{title}{space}  {first}{more}"
        )
    return "\n".join(lines)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _page(arguments) -> None:
    from muse_jobs.serving.engine import SearchEngine
    from muse_jobs.serving.page.app import create_app

    try:
        import uvicorn
    except ImportError as error:
        raise InputError('the page needs: pip install "muse-jobs[page]"') from error
    # The port is taken first: the encoders take long.
    with _listen(arguments.host, arguments.port) as listening:
        titles = _read(arguments)
        engines = []
        for role, spec in (("Plain", arguments.plain), ("Tuned", arguments.tuned)):
            encoder = _open_encoder(spec)
            index = _index(titles, encoder, spec)
            name = f"{role}: {encoder.name}"
            engines.append(SearchEngine(name, index, encoder.encode))
        app = create_app(engines, k=arguments.k)
        host, port = arguments.host, listening.getsockname()[1]
        host = f"[{host}]" if ":" in host else host
        print(f"page: http://{host}:{port}/ (Ctrl+C ends it)", flush=True)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        server.run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--host {host} --port {port}: {error}; choose others"
        ) from error


def _read(arguments) -> Titles:
    """The distinct titles of the files."""
    files = expand_paths(arguments.paths)
    columns = parse_columns(arguments.columns)
    mask = str if arguments.keep_personal_data else mask_personal_data
    titles: Titles = {}
    postings = rejects = 0
    # Only titles are masked, and that here: descriptions are not needed.
    scanned = scan_postings(files, columns=columns, keep_personal_data=True)
    for found in track(scanned, "read"):
        if isinstance(found, Reject):
            rejects += 1
            continue
        postings += 1
        for title in dict.fromkeys(map(mask, found.titles)):
            titles.setdefault(title, []).append(found.id)
    print(f"postings: {postings}, {len(titles)} distinct titles; rejected: {rejects}")
    return titles


def _open_encoder(spec: str):
    with quiet_tensorflow():
        from muse_jobs.encoder.adapters import open_encoder

        return open_encoder(spec)


def _index(titles: Titles, encoder, spec: str):
    import numpy as np

    from muse_jobs.serving.index import PROBES, SearchIndex

    probes = encoder.encode(PROBES)
    texts = list(titles)
    vectors = np.empty((len(texts), probes.shape[1]), np.float32)
    starts = range(0, len(texts), BATCH_SIZE)
    for start in track(starts, f"encode, {BATCH_SIZE} titles a step"):
        batch = texts[start : start + BATCH_SIZE]
        vectors[start : start + len(batch)] = encoder.encode(batch)
    return SearchIndex.build(
        ids=list(titles.values()),
        titles=texts,
        languages=[language_of(text) for text in texts],
        vectors=vectors,
        probes=probes,
        # A query may come from another folder.
        source=os.path.abspath(spec) if Path(spec).exists() else spec,
    )


def _lines_of_input():
    # Bytes of another encoding are shown as such and searched, no reason to stop.
    lines = io.TextIOWrapper(sys.stdin.buffer, "utf-8", errors="replace")
    for line in lines:
        if line.strip():
            yield line.strip()


if __name__ == "__main__":
    run_command(main)
