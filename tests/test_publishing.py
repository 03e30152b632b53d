"""The wheel and the source distribution: made, checked, installed alone, the same twice."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from email.parser import HeaderParser
from pathlib import Path
from types import ModuleType

import pytest

import ecsviz as ev

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[1]
NAME = f"ecsviz-{ev.__version__}"


def run(*arguments: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
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
    assert {"ecsviz/py.typed", "ecsviz/notebooks/01_tour.ipynb"} < names
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
