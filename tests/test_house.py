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

import networkx as nx
import pytest

import ecsviz
from tests import conftest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ecsviz"

# ---------------------------------------------------------------------------------------------
# Which way imports run
# ---------------------------------------------------------------------------------------------

# The one table: folders (and modules) of ecsviz/ from the bottom up. What stands in one may import
# its own folder and those before it, wherever in a file the import stands; there is no exception.
# "face" is what people import by name: ``ecsviz`` itself and its two-line modules.
FLOORS = (
    "errors",
    "basics",
    "domain",
    "values",
    "graph",
    "layout",
    "storage",
    "frames",
    "draw",
    "export",
    "importers",
    "widgets",
    "face",
    "cli",
)
FACE = ("__init__", "isomorphic", "samples")
CLI = ("__main__",)

# The same rule inside; "." are the files that stand directly in the folder. A folder's
# ``__init__`` may name everything in it.
INSIDE = {
    "storage": ("sql", ".", "memory", "relational", "scale"),
    "storage.relational": ("schema", "past", "models", "load", "save", "upkeep", "look", "."),
    "widgets": (".", "graph", "thread", "store", "database", "threads", "lesson"),
}


@dataclass(frozen=True)
class Import:
    """One import of something of ours: from which module, of which, and where."""

    module: str
    target: str
    place: str


def modules_of(package: Path) -> dict[str, Path]:
    """Return every module of a package by its name inside it; the package itself is ``""``."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = list(path.relative_to(package).with_suffix("").parts)
        if "js" not in parts:
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(package: Path) -> Iterator[Import]:
    """Yield every import of one module by another, wherever in a file it stands."""
    known = modules_of(package)
    for module, path in known.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        parents = [package.name, *path.relative_to(package).parts[:-1]]
        for node in ast.walk(tree):
            for name in imported(node, parents):
                root, _, rest = f"{name}.".partition(".")
                target = rest.rstrip(".")
                # `from toy.high import x`: the module, or else a name in it.
                while target and target not in known:
                    target = target.rpartition(".")[0]
                if root == package.name and target != module:
                    place = f"{path.relative_to(package.parent)}:{getattr(node, 'lineno', 0)}"
                    yield Import(module, target, place)


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


def floor_of(module: str) -> str:
    """Return the folder of the one table in which a module stands."""
    first = module.partition(".")[0] or "__init__"
    return "face" if first in FACE else "cli" if first in CLI else first


def room_in(folder: str, module: str, path: Path) -> str | None:
    """Return in which part of a folder a module stands; None for elsewhere and for its face."""
    if not module.startswith(f"{folder}."):
        return None
    rest = module.removeprefix(f"{folder}.").split(".")
    return rest[0] if len(rest) > 1 or path.name == "__init__.py" else "."


def breaches(
    package: Path, floors: tuple[str, ...], inside: dict[str, tuple[str, ...]]
) -> list[str]:
    """Return what is wrong with the direction of the imports, one sentence for each."""
    known = modules_of(package)
    wrong = [
        f"{floor!r} is missing in the table"
        for floor in sorted({floor_of(module) for module in known} - set(floors))
    ]
    for found in imports_of(package):
        pairs = [(floors, floor_of(found.module), floor_of(found.target))]
        for folder, order in inside.items():
            one, other = (
                room_in(folder, module, known[module]) for module in (found.module, found.target)
            )
            if one is not None and other is not None:
                pairs.append((order, one, other))
        for order, room, target in pairs:
            if room in order and target in order and order.index(target) > order.index(room):
                wrong.append(f"{found.place}: {room} imports {target}, which is above it")
    for folder, order in inside.items():
        rooms = {room_in(folder, module, path) for module, path in known.items()} - {None}
        wrong += [f"{room!r} is missing in {folder}" for room in sorted(rooms - set(order))]
    return wrong


def circles(package: Path) -> list[list[str]]:
    """Return the circles of files that import each other, each in one order."""
    graph: nx.DiGraph[str] = nx.DiGraph((i.module, i.target) for i in imports_of(package))
    return [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]


def test_imports_run_one_way() -> None:
    assert breaches(PACKAGE, FLOORS, INSIDE) == []


def test_no_files_import_each_other() -> None:
    assert circles(PACKAGE) == []


def test_few_rooms_stand_on_the_ground_floor() -> None:
    rooms = {module.partition(".")[0] or "__init__" for module in modules_of(PACKAGE)}
    assert len(rooms) <= 17
    entries = {path.name for path in PACKAGE.iterdir()} - {"__pycache__", "py.typed"}
    assert {name.removesuffix(".py") for name in entries} == rooms, "py.typed is no room"


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(PACKAGE.rglob("__init__.py")) if path.parent != PACKAGE],
    ids=lambda path: str(path.relative_to(PACKAGE).parent),
)
def test_every_folder_says_what_it_is(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert re.search(r"(M|m)ay\s+import", text), "what it may import"
    begin = re.findall(r"Begin\s+(?:reading\s+)?at\s+``([\w./]+)", text)
    assert begin, "where to begin reading"
    assert all((path.parent / name).exists() for name in begin)


TOY_FLOORS = ("low", "middle", "high", "face")
TOY_INSIDE = {"high": ("under", ".", "over")}
ABOVE = "{} imports {}, which is above it"


def make_toy(folder: Path, file: str, text: str) -> Path:
    package = folder / "toy"
    for name in ("high/under", "high/over"):
        (package / name).mkdir(parents=True)
    files = ("__init__.py", "low.py", "middle.py", "high/__init__.py", "high/other.py")
    for name in (*files, "high/under/deep.py", "high/over/tall.py"):
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
        ("high/over/tall.py", "from toy.high.under.deep import x"),
        ("high/over/tall.py", "from toy.high.other import x"),
        ("high/__init__.py", "from toy.high.over.tall import x"),
    ],
)
def test_the_checker_lets_pass_what_runs_down(tmp_path: Path, file: str, text: str) -> None:
    package = make_toy(tmp_path, file, text)
    assert breaches(package, TOY_FLOORS, TOY_INSIDE) == []
    assert circles(package) == []


@pytest.mark.parametrize(
    ("file", "text", "line", "told"),
    [
        ("low.py", "from toy.high import x", 1, ABOVE.format("low", "high")),
        ("low.py", "import toy.high", 1, ABOVE.format("low", "high")),
        ("low.py", "from toy import high", 1, ABOVE.format("low", "high")),
        ("low.py", "from . import high", 1, ABOVE.format("low", "high")),
        ("low.py", "from .high import x", 1, ABOVE.format("low", "high")),
        ("low.py", "from toy.high.other import x", 1, ABOVE.format("low", "high")),
        ("low.py", "from toy import Thing", 1, ABOVE.format("low", "face")),
        ("low.py", "import toy", 1, ABOVE.format("low", "face")),
        ("low.py", "class A:\n  if 1:\n    import toy.high", 3, ABOVE.format("low", "high")),
        ("low.py", "try:\n  import toy.high\nfinally: ...", 2, ABOVE.format("low", "high")),
        ("low.py", "x = importlib.import_module('toy.high')", 1, ABOVE.format("low", "high")),
        ("low.py", "x = import_module('.high', 'toy')", 1, ABOVE.format("low", "high")),
        ("high/other.py", "import toy", 1, ABOVE.format("high", "face")),
        ("low.py", "def f():\n  import toy.high", 2, ABOVE.format("low", "high")),
        ("low.py", "if TYPE_CHECKING:\n  import toy.high", 2, ABOVE.format("low", "high")),
        ("low.py", "if t.TYPE_CHECKING:\n  import toy.high", 2, ABOVE.format("low", "high")),
        ("high/other.py", "def f():\n  from .. import Thing", 2, ABOVE.format("high", "face")),
        ("high/other.py", "from toy.high.over import tall", 1, ABOVE.format(".", "over")),
        ("high/under/deep.py", "import toy.high.other", 1, ABOVE.format("under", ".")),
        ("high/under/deep.py", "import toy.high.over.tall", 1, ABOVE.format("under", "over")),
    ],
)
def test_the_checker_sees_a_breach(
    tmp_path: Path, file: str, text: str, line: int, told: str
) -> None:
    found = breaches(make_toy(tmp_path, file, text), TOY_FLOORS, TOY_INSIDE)
    assert found == [f"{Path('toy', file)}:{line}: {told}"]


def test_the_checker_sees_a_room_without_a_place(tmp_path: Path) -> None:
    package = make_toy(tmp_path, "attic.py", "")
    assert breaches(package, TOY_FLOORS, {}) == ["'attic' is missing in the table"]
    assert breaches(package, (*TOY_FLOORS, "attic"), {"high": ("under", ".")}) == [
        "'over' is missing in high"
    ]


def test_the_checker_sees_a_circle(tmp_path: Path) -> None:
    package = make_toy(tmp_path, "high/other.py", "def f():\n  import toy.high.next")
    (package / "high" / "next.py").write_text("import toy.high.other")
    assert circles(package) == [["high.next", "high.other"]]


# ---------------------------------------------------------------------------------------------
# What is private
# ---------------------------------------------------------------------------------------------

# Names with an underscore that others have given, and of which there is no other.
FOREIGN = {
    "_attributes_set": "pydantic: a field's annotation as it was given, see `domain.redefined`",
    "_copy": "SQLAlchemy: a column as it stands, for a table of the same columns",
    "_fields": "named tuples, which the standard library documents",
    "_getframe": "sys: where a class is defined, as the standard library's own collections ask it",
    "_original_annotation": "pydantic: a field's annotation as it was read, see `domain.redefined`",
    "_rebuild_lock": "pydantic: held while a class is completed, see `basics.once`",
    "_replace": "named tuples, which the standard library documents",
    "_variant_mapping": "SQLAlchemy: what a type is on other databases",
}
ASKS = {"getattr", "hasattr", "setattr", "delattr"}


def is_private(name: object) -> bool:
    return isinstance(name, str) and name.startswith("_") and not name.startswith("__")


def own_names(tree: ast.AST) -> set[str]:
    """Return what the classes of a file define, or set in themselves."""
    found = set()
    for cls in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        for node in ast.walk(cls):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, (ast.Attribute, ast.Name)) and isinstance(node.ctx, ast.Store):
                found.add(node.attr if isinstance(node, ast.Attribute) else node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)  # of __slots__
    return found


def private_looks(text: str) -> list[str]:
    """Return where a file looks into what is another file's: a line and what is read there.

    An object may look into another of its kind, by a plain name (``other._rows``); never into
    what an object holds (``self.store._rows``).
    """
    tree = ast.parse(text)
    own, wrong = own_names(tree), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if node.attr not in own | FOREIGN.keys() or (
                isinstance(node.value, (ast.Attribute, ast.Subscript)) and node.attr not in FOREIGN
            ):
                wrong.append(f"{node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.ImportFrom):
            wrong += [f"{node.lineno}: {a.name}" for a in node.names if is_private(a.name)]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ASKS:
            name = node.args[1].value if isinstance(node.args[1], ast.Constant) else ""
            if is_private(name) and name not in FOREIGN:
                wrong.append(f"{node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.Call) and re.match(
            r".*__dict__\.update\(.*__dict__\b", ast.unparse(node)
        ):
            wrong.append(f"{node.lineno}: {ast.unparse(node)}")
    return wrong


def test_no_room_looks_into_another() -> None:
    texts = {name: path.read_text(encoding="utf-8") for name, path in modules_of(PACKAGE).items()}
    assert {name: found for name, text in texts.items() if (found := private_looks(text))} == {}
    whole = "".join(texts.values())
    assert [name for name in FOREIGN if not re.search(rf"\.{name}\b", whole)] == []


OTHER = "class A:\n  def __init__(self): self._rows = []\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("store._rows", ["1: store._rows"]),
        ("def f(store): return store.inside._rows()", ["1: store.inside._rows"]),
        ("class A:\n  def f(self): return self._rows", ["2: self._rows"]),
        (OTHER + "  def f(self): return self.store._rows", ["3: self.store._rows"]),
        (OTHER + "  def f(self, n): return self.stores[n]._rows", ["3: self.stores[n]._rows"]),
        ("from ecsviz.graph import _order", ["1: _order"]),
        ("getattr(store, '_rows', None)", ["1: getattr(store, '_rows', None)"]),
        ("a.__dict__.update(b.__dict__)", ["1: a.__dict__.update(b.__dict__)"]),
        (OTHER + "  def f(self, other): return self._rows + other._rows", []),
        ("class A:\n  def _f(self): ...\n  def g(self): return self._f()", []),
        ("item._replace(a=1), item.__dict__, item.rows, getattr(a, '__name__')", []),
    ],
)
def test_the_checker_sees_a_look(text: str, told: list[str]) -> None:
    assert private_looks(text) == told


@pytest.mark.parametrize("kind", ["InMemoryEntityStorage", "SQLAlchemyEntityStorage"])
def test_a_store_is_a_face_of_its_inside(kind: str) -> None:
    cls = getattr(ecsviz, kind)
    store = cls() if kind.startswith("InMemory") else cls(":memory:")
    assert list(vars(store)) == ["inside"]
    parts = cls.__mro__[:-1]
    assert {name for part in parts for name in vars(part) if is_private(name)} == {"_repr_html_"}
    assert {part.__bases__ for part in parts[1:]} == {(object,)}, "side by side, no chain"


def test_no_widget_speaks_to_a_database() -> None:
    names = {
        name.partition(".")[0]
        for path in (PACKAGE / "widgets").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in imported(node, [])
    }
    assert "ipywidgets" in names
    assert "sqlalchemy" not in names


# ---------------------------------------------------------------------------------------------
# What is public
# ---------------------------------------------------------------------------------------------


def test_all_is_exactly_what_is_exported() -> None:
    assert len(set(ecsviz.__all__)) == len(ecsviz.__all__)
    for name in ecsviz.__all__:
        assert getattr(ecsviz, name) is not None
    exported = {
        name
        for name, value in vars(ecsviz).items()
        if not name.startswith("_")
        and name != "annotations"  # `from __future__ import annotations`
        and not isinstance(value, ModuleType)
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
    modules = [f"ecsviz.{name}" for name in modules_of(PACKAGE) if name not in {"", "__main__"}]
    assert modules
    out = run(
        "import importlib, json, types, ecsviz\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(json.dumps([n for n in ecsviz.__all__\n"
        "    if isinstance(getattr(ecsviz, n), types.ModuleType)]))"
    )
    assert set(json.loads(out)) <= {"draw", "errors"}, "ev.draw is a module that can be called"


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
    assert "ecsviz.widgets.graph.explorer" in loaded
    assert not {"matplotlib", "pandas", "scipy", "sqlalchemy"} & loaded


@pytest.mark.parametrize(
    "code",
    [
        (
            "store = ev.InMemoryEntityStorage(); store.register(thread); thread.title = 'b'\n"
            "store.register(thread); store.find(ev.ChatThread, title='b', order_by='title')\n"
            "store.history(thread.ecs_id); store.verify(); store.get(thread.ecs_id, as_of=1)"
        ),
        "ev.to_frames(thread); ev.from_frames(*ev.to_frames(thread))",
        "ev.read_chat(ev.samples.sample_file('chats'))",
    ],
    ids=["memory", "frames", "read_chat"],
)
def test_what_needs_no_database_loads_no_sqlalchemy(code: str) -> None:
    out = run(
        "import sys, ecsviz as ev\n"
        "thread = ev.ChatThread(title='a'); thread.say('user', 'hello')\n"
        f"{code}\nprint('sqlalchemy' in sys.modules)"
    )
    assert out == "False\n"


def test_the_version_is_the_changelogs() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert ecsviz.__version__ in re.findall(r"^## \[([^]]+)\]", text, flags=re.MULTILINE)


# Classes that users know by a name which another class has as well, inside.
PROMISED = {"Node": "importers.samples"}


def test_no_class_stands_for_two_things() -> None:
    found: dict[str, list[str]] = {}
    for module, path in modules_of(PACKAGE).items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(module)
    twice = {name: modules for name, modules in found.items() if len(modules) > 1}
    assert twice.keys() == PROMISED.keys(), "a name that is free says which of the two is meant"
    assert all(PROMISED[name] in modules for name, modules in twice.items())


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


def test_every_connection_is_closed() -> None:
    """A connection as context manager commits, and is not closed: Python 3.13 warns of it."""
    found = re.compile(r"with [^\n]*(?<!closing\()sqlite3\.connect\(")
    left = [file.name for file in (ROOT / "tests").rglob("*.py") if found.search(file.read_text())]
    assert left == []


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
