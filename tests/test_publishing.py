"""The wheel and the source distribution: made, checked, installed alone, the same twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ecsviz as ev

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[1]
NAME = f"ecsviz-{ev.__version__}"


def run(*arguments: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, **environment},
        timeout=600,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(
    require_optional: Callable[[str], ModuleType], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with what is published, made twice: the second time in a folder inside."""
    require_optional("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "hatchling", "build", "-d", folder)
    run("-m", "hatchling", "build", "-d", folder / "again")
    return folder


def test_both_are_accepted_and_the_same_twice(
    made: Path, require_optional: Callable[[str], ModuleType]
) -> None:
    require_optional("twine")
    files = sorted(path for path in made.iterdir() if path.is_file())
    assert [path.name for path in files] == [f"{NAME}-py3-none-any.whl", f"{NAME}.tar.gz"]
    assert run("-m", "twine", "--no-color", "check", "--strict", *files).count("PASSED") == 2
    for path in files:
        assert path.read_bytes() == (made / "again" / path.name).read_bytes()


def test_the_wheel_holds_the_package_and_the_bundles_with_their_licences(made: Path) -> None:
    with zipfile.ZipFile(made / f"{NAME}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
        about = HeaderParser().parsestr(wheel.read(f"{NAME}.dist-info/METADATA").decode())
        bundle = wheel.read("ecsviz/widgets/static/cytoscape.js").decode()
        markup = wheel.read("ecsviz/widgets/static/markup.js").decode()
    assert {name.partition("/")[0] for name in names} == {"ecsviz", f"{NAME}.dist-info"}
    lessons = {f"ecsviz/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {"ecsviz/py.typed", "ecsviz/notebooks/01_tour.ipynb"} | lessons < names
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ecsviz").rglob("*.py")}
    assert {name for name in sources if "/js/" not in name} <= names
    assert not [name for name in names if "/js/" in name or "__pycache__" in name]
    assert about["License-Expression"] == "MIT"
    for text, package in ((bundle, "cytoscape"), (markup, "markdown-it"), (markup, "temml")):
        notice = text.partition(f"/*! {package} ")[2].partition("*/")[0]
        assert "Permission is hereby granted" in notice, package


def test_the_source_distribution_holds_what_builds_and_tests_it(made: Path) -> None:
    with tarfile.open(made / f"{NAME}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "README.md", "LICENSE", "Makefile", "environment.yml"}
    needed |= {"docs/conf.py", "tests/conftest.py", "ecsviz/widgets/js/package.json"}
    assert needed <= names
    assert not [name for name in names if name.startswith(("docs/_build", "ecsviz/widgets/static"))]


def test_it_runs_from_the_wheel_alone(made: Path, tmp_path: Path) -> None:
    wheel = made / f"{NAME}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as opened:  # what pip does with a wheel of this kind
        opened.extractall(tmp_path / "site")
    folder = tmp_path / "empty"
    folder.mkdir()
    there = {"PYTHONPATH": str(tmp_path / "site")}
    code = "import ecsviz as ev; print(ev.__file__, len(ev.sample()))"
    assert run("-c", code, cwd=folder, **there).strip() == (
        f"{tmp_path / 'site' / 'ecsviz' / '__init__.py'} 6"
    )
    assert run("-m", "ecsviz", "--version", cwd=folder, **there).endswith(f"{ev.__version__}\n")
    graph = run("-m", "ecsviz", "graph", ev.samples.sample_file("chats"), cwd=folder, **there)
    assert "104" in graph


def closure(name: str, extras: frozenset[str] = frozenset()) -> dict[str, metadata.Distribution]:
    """Return the installed distributions that one asks for, and what those ask for."""
    found: dict[str, metadata.Distribution] = {}
    todo, seen = [(name, extras)], set()
    while todo:
        asked = todo.pop()
        if asked in seen:
            continue
        seen.add(asked)
        of = metadata.distribution(asked[0])
        found[canonicalize_name(asked[0])] = of
        for text in of.requires or ():
            needed = Requirement(text)
            marks = [{"extra": extra} for extra in ("", *asked[1])]
            if needed.marker is None or any(map(needed.marker.evaluate, marks)):
                todo.append((needed.name, frozenset(needed.extras)))
    return found


def write_stand_in(of: metadata.Distribution, links: Path, folder: Path) -> None:
    """Write a wheel that says what a distribution says, and leads to where it is installed."""
    name, version = of.metadata["Name"].replace("-", "_").lower(), of.version
    there = links / name
    there.mkdir(parents=True)
    for top in {file.parts[0] for file in of.files or () if file.parts[0] != ".."}:
        source = Path(str(of.locate_file(top)))
        if top != "__pycache__" and source.exists():
            (there / top).symlink_to(source)
    info = f"{name}-{version}.dist-info"
    about = {
        f"{name}.pth": f"{there}\n",
        f"{info}/METADATA": of.read_text("METADATA") or "",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    about[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in (*about, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for file, text in about.items():
            wheel.writestr(file, text)


@pytest.fixture(scope="module")
def index(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our wheel, and one for each distribution that it asks for; nothing else."""
    folder = tmp_path_factory.mktemp("index")
    shutil.copy(made / f"{NAME}-py3-none-any.whl", folder)
    for name, of in closure("ecsviz").items():
        if name != "ecsviz":
            write_stand_in(of, folder / "links", folder)
    return folder


@pytest.mark.parametrize("tool", ["uv", "pipx"])
def test_the_demo_runs_without_being_installed(
    tool: str, index: Path, tmp_path: Path, require_optional: Callable[[str], ModuleType]
) -> None:
    require_optional(tool)
    shutil.copy(ev.samples.sample_file("export"), tmp_path / "conversations.json")
    apart = {name: str(tmp_path / name.lower()) for name in ("UV_CACHE_DIR", "PIPX_HOME", "HOME")}
    apart |= {"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(index)}
    apart |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "UV_PYTHON": sys.executable}
    command = {"uv": ["uv", "tool", "run"], "pipx": ["pipx", "run", "--python", sys.executable]}
    asked = ["ecsviz", "demo", "conversations.json"]  # as `uvx` and `pipx run` are called
    done = run("-m", *command[tool], *asked, cwd=tmp_path, **apart)
    assert "conversations.json" in done
    assert "reloaded in a new process: equal" in done
    assert "pip install 'ecsviz[lab]'" in done, "nothing that only the extras bring is there"
    page = (tmp_path / "ecsviz-demo" / "chats.html").read_text(encoding="utf-8")
    assert "conversations.json: 2 chats" in page
