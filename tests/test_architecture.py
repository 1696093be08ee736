"""The table of docs/architecture.md: who may import whom."""

import ast
from pathlib import Path

import pytest

import muse_jobs

PACKAGE = Path(muse_jobs.__file__).parent
SHARED = {"errors", "files", "lazy", "commandline"}
MAY_IMPORT = {
    "data": set(),
    "encoder": set(),
    "metrics": set(),
    "training": {"data", "encoder"},
    "evaluation": {"metrics", "data"},
    "serving": {"metrics"},
    "study": {"data", "encoder", "metrics", "training", "evaluation"},
}


def imported_rooms(file):
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "muse_jobs" and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_what_the_table_allows(room):
    path = PACKAGE / room
    files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    for file in files:
        found = set(imported_rooms(file)) - SHARED - {room}
        assert found <= MAY_IMPORT[room], (file, found)


@pytest.mark.parametrize("module", sorted(SHARED))
def test_shared_modules_import_no_room(module):
    assert set(imported_rooms(PACKAGE / f"{module}.py")) <= SHARED
