"""The rules of the house: which way imports run, what is public, how large and how clean it is."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

import ecsviz
from tests import conftest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ecsviz"

# ---------------------------------------------------------------------------------------------
# Which way imports run
# ---------------------------------------------------------------------------------------------

# The one table. A room (a module, or a folder with all that is in it) may import the rooms before
# it and itself. The root, `ecsviz`, stands where its own imports end: only what comes after it may
# write `from ecsviz import Entity`.
ROOMS = (
    "lazy",
    "once",
    "forks",
    "errors",
    "addresses",
    "collector",
    "showing",
    "optional",
    "progress",
    "typed",
    "identity",
    "equality",
    "annotations",
    "order",
    "fields",
    "paths",
    "references",
    "isomorphic",
    "state",
    "validating",
    "dumps",
    "entity",
    "chat",
    "elementary",
    "cycles",
    "parts",
    "graph_files",
    "graph",
    "exact",
    "post_init",
    "codec",
    "json_columns",
    "driver_values",
    "values",
    "inverse",
    "diff",
    "storable",
    "renewing",
    "names",
    "copying",
    "statements",
    "history",
    "seals",
    "handwritten",
    "common_columns",
    "class_maps",
    "mapping",
    "stored_types",
    "server_errors",
    "sqlite_errors",
    "sqlite_files",
    "foreign",
    "interrupts",
    "turns",
    "database",
    "tables",
    "conflicts",
    "store_identity",
    "catalog",
    "past",
    "changes",
    "plan",
    "rows",
    "links",
    "lists",
    "stored",
    "stored_rows",
    "row_links",
    "model_rows",
    "deleting",
    "orphans",
    "writing",
    "deep",
    "loaded",
    "reading",
    "versions",
    "reached",
    "verifying",
    "converting",
    "own_objects",
    "migrating",
    "nested_keys",
    "protocol",
    "store_frames",
    "stored_graph",
    "finding",
    "models",
    "python_source",
    "opened",
    "migratable",
    "adopting",
    "memory_saving",
    "merging",
    "versioned",
    "storage",
    "memory",
    "labels",
    "html",
    "frames",
    "columns",
    "fitting",
    "frames_out",
    "frame_rows",
    "frames_in",
    "frames_networkx",
    "reprs",
    "export_rows",
    "export_mermaid",
    "export_parquet",
    "export_sheets",
    "export",
    "layout",
    "draw",
    "pages",
    "widgets",
    "importers",
    "samples",
    "ecsviz",
    "demo",
    "bare",
    "cli",
    "__main__",
)

# Imports that run up: (room, what it imports) -> why. Allowed inside a function or under
# TYPE_CHECKING, never when the module is loaded.
UPWARD = {
    ("graph", "frames"): "nodes_frame() and references_frame() are conveniences",
    ("entity", "reprs"): "what a notebook shows of an entity",
    ("opened", "reprs"): "what a notebook shows of a store",
    ("memory", "reprs"): "what a notebook shows of a store",
    ("graph", "reprs"): "what a notebook shows of a graph",
    ("cycles", "reprs"): "what a notebook shows of a list of cycles",
    ("plan", "reprs"): "what a notebook shows of a save plan",
    ("changes", "reprs"): "what a notebook shows of a migration",
    ("diff", "reprs"): "what a notebook shows of two states",
    ("reprs", "importers"): "only the type of what is shown",
    ("showing", "pages"): "to_html() is a convenience",
    ("diff", "draw"): "draw() is a convenience",
    ("graph", "export"): "to_mermaid(), to_dot(), ... are conveniences",
    ("graph", "draw"): "draw() is a convenience",
    ("chat", "draw"): "draw_timeline() is a convenience",
    ("opened", "draw"): "draw_schema() is a convenience",
    ("memory", "draw"): "draw_schema() is a convenience",
    ("versioned", "draw"): "draw_lineage() is a convenience",
    ("graph_files", "export"): "to_json(), to_parquet(), ... are conveniences",
    ("graph_files", "frames_out"): "to_frames() is a convenience",
    ("graph", "widgets"): "explore() is a convenience",
    ("chat", "widgets"): "explore() is a convenience",
    ("versioned", "widgets"): "explore() is a convenience",
}


@dataclass(frozen=True)
class Import:
    """One import of something of ours: from which room, of which, where, and when it runs."""

    room: str
    target: str
    place: str
    on_load: bool


def rooms_of(package: Path) -> dict[Path, str]:
    """Return the room of every Python file."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        first = path.relative_to(package).parts[0].removesuffix(".py")
        found[path] = package.name if first == "__init__" else first
    return found


def imports_of(package: Path, rooms: Iterable[str]) -> Iterator[Import]:
    """Yield every import of one room by another, wherever in a file it stands."""
    known = {*rooms, *rooms_of(package).values()}
    for path, room in rooms_of(package).items():
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        parents = [package.name, *path.relative_to(package).parts[:-1]]
        for node, on_load in walk(tree):
            for module in imported(node, parents):
                parts = module.split(".")
                if parts[0] != package.name:
                    continue
                # `from ecsviz import graph` is the room; `from ecsviz import Entity` is the root.
                target = parts[1] if len(parts) > 1 and parts[1] in known else package.name
                if target != room:
                    place = f"{path.relative_to(package.parent)}:{node.lineno}"
                    yield Import(room, target, place, on_load)


def walk(tree: ast.Module) -> Iterator[tuple[ast.stmt | ast.expr, bool]]:
    """Yield the nodes that may import, and whether they run when the module is loaded."""
    todo: list[tuple[ast.AST, bool]] = [(tree, True)]
    while todo:
        node, on_load = todo.pop()
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            yield node, on_load
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            on_load = False
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            todo += [(child, False) for child in node.body]
            todo += [(child, on_load) for child in node.orelse]
            continue
        todo += [(child, on_load) for child in ast.iter_child_nodes(node)]


def imported(node: ast.AST, parents: list[str]) -> Iterable[str]:
    """Return the full names that a node imports; for `from a import b`, `a.b`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = parents[: len(parents) - node.level + 1] if node.level else []
        prefix = ".".join([*base, *([node.module] if node.module else [])])
        return [f"{prefix}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called, name = ast.unparse(node.func), node.args[0].value
        if called.split(".")[-1] in {"import_module", "__import__"} and isinstance(name, str):
            level = len(name) - len(name.lstrip("."))
            base = parents[: len(parents) - level + 1] if level else []
            return [".".join([*base, name.lstrip(".")])]
    return []


def breaches(
    package: Path, rooms: tuple[str, ...], upward: dict[tuple[str, str], str]
) -> list[str]:
    """Return what is wrong with the direction of the imports, one sentence for each."""
    rank = {room: number for number, room in enumerate(rooms)}
    present = set(rooms_of(package).values())
    wrong = [f"room {room!r} is missing in the table" for room in sorted(present - set(rank))]
    used = set()
    for found in imports_of(package, rooms):
        if found.room not in rank or found.target not in rank:
            continue  # told above
        if rank[found.target] < rank[found.room]:
            continue
        used.add((found.room, found.target))
        if found.on_load:
            wrong.append(f"{found.place}: {found.room} imports {found.target}, which is above it")
        elif (found.room, found.target) not in upward:
            wrong.append(
                f"{found.place}: {found.room} imports {found.target}, which is above it, "
                "and the table of exceptions does not list that"
            )
    for room, target in upward:
        if {room, target} <= present and (room, target) not in used:
            wrong.append(f"the exception {room} -> {target} is not needed")
    return wrong


def test_imports_run_one_way() -> None:
    assert breaches(PACKAGE, ROOMS, UPWARD) == []


def test_the_tables_are_sound() -> None:
    assert len(set(ROOMS)) == len(ROOMS)
    rank = {room: number for number, room in enumerate(ROOMS)}
    for (room, target), reason in UPWARD.items():
        assert rank[room] < rank[target], "this import does not run up"
        assert reason


TOY_ROOMS = ("low", "middle", "high", "toy")


ABOVE = "{} imports {}, which is above it"
UNLISTED = ABOVE + ", and the table of exceptions does not list that"


def make_toy(folder: Path, file: str, text: str) -> Path:
    package = folder / "toy"
    (package / "high").mkdir(parents=True)
    for name in ("__init__.py", "low.py", "middle.py", "high/__init__.py", "high/other.py"):
        (package / name).touch()
    (package / file).write_text(text)
    return package


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("middle.py", "from toy.low import x"),
        ("middle.py", "from toy import low"),
        ("middle.py", "from . import low"),
        ("middle.py", "import toy.low as low"),
        ("middle.py", "import json, toyish.high"),
        ("middle.py", "from toy.middle import x"),
        ("middle.py", "print('toy.high')"),
        ("high/inner.py", "from ..low import x"),
        ("high/inner.py", "from .other import x"),
        ("__init__.py", "from toy.high import x"),
    ],
)
def test_the_checker_lets_pass_what_runs_down(tmp_path: Path, file: str, text: str) -> None:
    assert breaches(make_toy(tmp_path, file, text), TOY_ROOMS, {}) == []


@pytest.mark.parametrize(
    ("file", "text", "line", "told"),
    [
        ("low.py", "from toy.high import x", 1, ABOVE.format("low", "high")),
        ("low.py", "import toy.high", 1, ABOVE.format("low", "high")),
        ("low.py", "from toy import high", 1, ABOVE.format("low", "high")),
        ("low.py", "from . import high", 1, ABOVE.format("low", "high")),
        ("low.py", "from .high import x", 1, ABOVE.format("low", "high")),
        ("low.py", "from toy.high.other import x", 1, ABOVE.format("low", "high")),
        ("low.py", "from toy import Thing", 1, ABOVE.format("low", "toy")),
        ("low.py", "import toy", 1, ABOVE.format("low", "toy")),
        ("low.py", "class A:\n  if 1:\n    import toy.high", 3, ABOVE.format("low", "high")),
        ("low.py", "try:\n  import toy.high\nfinally: ...", 2, ABOVE.format("low", "high")),
        ("low.py", "x = importlib.import_module('toy.high')", 1, ABOVE.format("low", "high")),
        ("low.py", "x = import_module('.high', 'toy')", 1, ABOVE.format("low", "high")),
        ("high/other.py", "import toy", 1, ABOVE.format("high", "toy")),
        ("low.py", "def f():\n  import toy.high", 2, UNLISTED.format("low", "high")),
        ("low.py", "if TYPE_CHECKING:\n  import toy.high", 2, UNLISTED.format("low", "high")),
        ("low.py", "if t.TYPE_CHECKING:\n  import toy.high", 2, UNLISTED.format("low", "high")),
        ("high/other.py", "def f():\n  from .. import Thing", 2, UNLISTED.format("high", "toy")),
    ],
)
def test_the_checker_sees_a_breach(
    tmp_path: Path, file: str, text: str, line: int, told: str
) -> None:
    found = breaches(make_toy(tmp_path, file, text), TOY_ROOMS, {})
    assert found == [f"{Path('toy', file)}:{line}: {told}"]


def test_the_checker_sees_a_room_without_a_place(tmp_path: Path) -> None:
    package = make_toy(tmp_path, "attic.py", "")
    assert breaches(package, TOY_ROOMS, {}) == ["room 'attic' is missing in the table"]


def test_the_checker_takes_a_listed_exception_only_inside_a_function(tmp_path: Path) -> None:
    package = make_toy(tmp_path, "middle.py", "")
    low = package / "low.py"
    listed = {("low", "high"): "a reason"}
    low.write_text("def f():\n    import toy.high")
    assert breaches(package, TOY_ROOMS, listed) == []
    low.write_text("import toy.high")
    (told,) = breaches(package, TOY_ROOMS, listed)
    assert "low imports high" in told
    low.write_text("")
    assert breaches(package, TOY_ROOMS, listed) == ["the exception low -> high is not needed"]


# ---------------------------------------------------------------------------------------------
# What is public
# ---------------------------------------------------------------------------------------------

# What the package promises, and the room that it comes from.
PROMISED = {
    "ChatMessage": "chat",
    "ChatThread": "chat",
    "Cycle": "graph",
    "CycleStatus": "graph",
    "EcsvizError": "errors",
    "Entity": "entity",
    "EntityDependencyGraph": "graph",
    "EntityStorage": "storage",
    "GraphDiff": "diff",
    "InMemoryEntityStorage": "storage",
    "Reference": "references",
    "SQLAlchemyEntityStorage": "storage",
    "SavePlan": "plan",
    "diff": "diff",
    "read_chat": "importers",
    "from_frames": "frames_in",
    "from_networkx": "frames_networkx",
    "read_database": "importers",
    "reference": "references",
    "sample": "samples",
    "to_frames": "frames_out",
}


def test_all_holds_what_is_promised() -> None:
    here = set(rooms_of(PACKAGE).values())
    due = {name for name, room in PROMISED.items() if room in here}
    assert due <= set(ecsviz.__all__)


def test_all_is_exactly_what_is_exported() -> None:
    assert len(set(ecsviz.__all__)) == len(ecsviz.__all__)
    for name in ecsviz.__all__:
        assert getattr(ecsviz, name) is not None
    rooms = set(rooms_of(PACKAGE).values())
    exported = {
        name
        for name, value in vars(ecsviz).items()
        if not name.startswith("_")
        and name != "annotations"  # `from __future__ import annotations`
        and not (isinstance(value, ModuleType) and name in rooms)
    }
    assert exported <= set(ecsviz.__all__)
    assert set(ecsviz.__all__) <= set(dir(ecsviz)), "names made on first use belong in __dir__"


def test_all_is_in_order() -> None:
    # The order that ruff sorts __all__ in: CONSTANTS, Classes, functions.
    def key(name: str) -> tuple[int, str]:
        kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
        return kind, name

    assert list(ecsviz.__all__) == sorted(ecsviz.__all__, key=key)


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_module_hides_a_public_name() -> None:
    # Loading ecsviz.diff, the module, would put it in the place of ecsviz.diff, the function, if
    # the function came only on first use.
    modules = sorted(
        ".".join(["ecsviz", *path.relative_to(PACKAGE).with_suffix("").parts])
        for path, room in rooms_of(PACKAGE).items()
        if path.name != "__init__.py" and room != "__main__"
    )
    assert modules
    out = run(
        "import importlib, json, types, ecsviz\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(json.dumps([n for n in ecsviz.__all__\n"
        "    if isinstance(getattr(ecsviz, n), types.ModuleType)]))"
    )
    assert set(json.loads(out)) <= {"errors"}


def test_the_import_is_light() -> None:
    heavy = {"matplotlib.pyplot", "ipywidgets", "jupyterlab", "pandas"}
    out = run("import json, sys, ecsviz; print(json.dumps(sorted(sys.modules)))")
    loaded = set(json.loads(out))
    assert "ecsviz" in loaded
    assert not heavy & loaded


def test_the_first_picture_of_a_chat_is_light() -> None:
    out = run(
        "import json, sys, ecsviz as ev\n"
        "thread = ev.ChatThread(title='Light')\n"
        "for number in range(499): thread.say('user', f'message {number} of many')\n"
        "ev.EntityDependencyGraph(thread).explore()\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = set(json.loads(out))
    assert "ecsviz.widgets.explorer" in loaded
    assert not {"matplotlib", "pandas", "scipy", "sqlalchemy"} & loaded


def test_the_version_is_the_changelogs() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert ecsviz.__version__ in re.findall(r"^## \[([^]]+)\]", text, flags=re.MULTILINE)


# ---------------------------------------------------------------------------------------------
# How large and how clean
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_no_file_is_long(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 600, "above 600 lines a file is two rooms: split it"


SKIPPED_FOLDERS = {".git", ".venv", "build", "dist", "node_modules", "__pycache__"}


def our_files() -> list[Path]:
    """Return what is, or would be, tracked; without git (as in an sdist) everything here."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        paths = [
            path
            for path in ROOT.rglob("*")
            if not SKIPPED_FOLDERS & set(path.relative_to(ROOT).parts)
        ]
    else:
        paths = [ROOT / os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    return sorted(path for path in set(paths) if path.is_file())


# Put together here, so that this file does not match itself. What stands before the slash must
# not be part of a longer path or of an address.
MACHINE_PATH = re.compile(
    rb"(?<![\w.~/:\-])/(?:" + b"|".join([b"wo" + b"rk", b"ro" + b"ot"]) + rb")/"
    rb"|(?<![\w.~/:\-])/(?:ho" + rb"me|Us" + rb"ers)/(?!jovyan\b)\w"
)
ADDRESS = re.compile(rb"https?://")
LOCK_FILE = re.compile(r"(\.lock|[-.]lock\.(json|ya?ml|toml)|shrinkwrap\.json|^pylock.*\.toml)$")


def faults(path: Path) -> list[str]:
    """Return what a file holds that belongs to one machine only."""
    data = path.read_bytes()
    found = [
        f"{path.name}:{line}: a path of one machine"
        for line, text in enumerate(data.split(b"\n"), 1)
        for _ in MACHINE_PATH.finditer(text)
    ]
    if LOCK_FILE.search(path.name) and ADDRESS.search(data):
        found.append(f"{path.name}: a lock file with download addresses")
    return found


def test_no_file_holds_what_belongs_to_one_machine() -> None:
    files = our_files()
    assert Path(__file__) in files
    assert [fault for path in files for fault in faults(path)] == []


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("a.py", "x = '/wo%rk/main'", 1),
        ("a.py", "x = 1\ny = '/ro%ot/.cache'", 1),
        ("a.ipynb", "File /ho%me/someone/x.py\nFile /Us%ers/someone/x.py", 2),
        ("a.md", "https://example.org/wo%rk/ and ~/wo%rk/ and ./ro%ot/ and a/ro%ot/b", 0),
        ("a.lock", "url = https:%//example.org/a.whl", 1),
        ("package-lock.json", '"resolved": "http:%//example.org/a.tgz"', 1),
        ("package-lock.json", '"version": "1.0"', 0),
        ("a.md", "https:%//example.org/", 0),
    ],
)
def test_the_search_finds_them(tmp_path: Path, name: str, text: str, count: int) -> None:
    path = tmp_path / name
    path.write_text(text.replace("%", ""))
    assert len(faults(path)) == count


# ---------------------------------------------------------------------------------------------
# What the tests lean on
# ---------------------------------------------------------------------------------------------


def test_an_optional_part_that_is_missing_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECSVIZ_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="'no_such_module_here' is not installed"):
        conftest.require_optional("no_such_module_here")
    with pytest.raises(pytest.skip.Exception, match="no program no-such-program"):
        conftest.require_program("no-such-program-here")


def test_an_optional_part_that_is_missing_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECSVIZ_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match="ECSVIZ_REQUIRE_ALL"):
        conftest.require_optional("no_such_module_here")


def test_an_optional_part_that_is_broken_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken_module_here.py").write_text("import what_it_needs_and_lacks")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(ModuleNotFoundError, match="what_it_needs"):
        conftest.require_optional("broken_module_here")


def test_an_optional_part_that_is_there_is_given() -> None:
    assert conftest.require_optional("json.decoder").__name__ == "json.decoder"
    assert Path(conftest.require_program("no-such-program-here", "sh", "cmd")).is_file()


def test_plots_need_no_display() -> None:
    assert importlib.import_module("matplotlib").get_backend().lower() == "agg"
