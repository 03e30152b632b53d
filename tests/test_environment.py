"""pyproject.toml, environment.yml, the recipe and the citation say the same things."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import ecsviz as ev

ROOT = Path(__file__).resolve().parents[1]

# PyPI's name -> conda-forge's name, where the two differ, and why that one.
CONDA_NAMES = {
    "matplotlib": ("matplotlib-base", "conda-forge's matplotlib also brings Qt"),
    "xxhash": ("python-xxhash", "conda-forge's xxhash is the program in C"),
    "nbconvert": ("nbconvert-core", "conda-forge's nbconvert also brings pandoc"),
}
# What conda-forge does not have stands in the `pip:` section; with the reason.
ONLY_ON_PYPI: dict[str, str] = {}
# What environment.yml has besides, and why.
CONDA_ONLY = {"pip": "installs ecsviz itself from the folder"}

# Python in a browser: what Pyodide has, of what we ask for. Copied from `pyodide-lock.json` of
# npm's package `pyodide` 314.0.7, whose Python is 3.14.2.
PYODIDE_PYTHON = "3.14.2"
PYODIDE = {
    "click": "8.3.1",
    "ipython": "9.12.0",
    "jiter": "0.13.0",
    "markupsafe": "3.0.3",
    "matplotlib": "3.10.8",
    "networkx": "3.6.1",
    "numpy": "2.4.6",
    "pandas": "3.0.2",
    "pydantic": "2.12.5",
    "scipy": "1.18.0",
    "sqlalchemy": "2.0.48",
    "tqdm": "4.67.3",
    "traitlets": "5.14.3",
    "typing-extensions": "4.15.0",
    "xxhash": "3.6.0",
}
# What is compiled where it can be, and is published as pure Python besides.
PURE_AS_WELL = {"psygnal", "sqlalchemy"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    loaded = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table: dict[str, Any] = loaded["project"]
    return table


@pytest.fixture(scope="module")
def environment() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    return loaded


def parse(lines: list[str]) -> dict[str, SpecifierSet]:
    requirements = [Requirement(line) for line in lines]
    found: dict[str, SpecifierSet] = {canonicalize_name(r.name): r.specifier for r in requirements}
    assert len(found) == len(lines), "a name stands twice"
    return found


def wanted(project: dict[str, Any]) -> dict[str, SpecifierSet]:
    return parse(project["dependencies"] + project["optional-dependencies"]["lab"])


def test_conda_has_the_same_names_and_lower_bounds(
    project: dict[str, Any], environment: dict[str, Any]
) -> None:
    expected = {
        CONDA_NAMES.get(name, (name, ""))[0]: str(bound)
        for name, bound in wanted(project).items()
        if name not in ONLY_ON_PYPI
    }
    expected["python"] = project["requires-python"]
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    actual = {name: str(bound) for name, bound in parse(lines).items() if name not in CONDA_ONLY}
    assert actual == expected


def test_conda_installs_the_rest_with_pip(
    project: dict[str, Any], environment: dict[str, Any]
) -> None:
    (section,) = [line for line in environment["dependencies"] if isinstance(line, dict)]
    assert list(section) == ["pip"]
    lines = section["pip"]
    assert lines.count("-e .") == 1
    expected = {n: str(bound) for n, bound in wanted(project).items() if n in ONLY_ON_PYPI}
    rest = parse([line for line in lines if line != "-e ."])
    assert {name: str(bound) for name, bound in rest.items()} == expected


def test_conda_takes_everything_from_conda_forge(environment: dict[str, Any]) -> None:
    # `nodefaults` keeps the channel of the user's own settings from being mixed in.
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    assert environment["name"] == "ecsviz"


def test_the_recipe_is_of_the_same_package(project: dict[str, Any]) -> None:
    recipe = yaml.safe_load((ROOT / ".conda" / "recipe.yaml").read_text(encoding="utf-8"))
    run = {name: str(bound) for name, bound in parse(recipe["requirements"]["run"]).items()}
    assert run.pop("python") == project["requires-python"]
    core = parse(project["dependencies"])
    assert run == {CONDA_NAMES.get(n, (n, ""))[0]: str(bound) for n, bound in core.items()}
    assert recipe["context"]["version"] == ev.__version__
    assert recipe["about"]["summary"] == project["description"]
    (script,) = recipe["build"]["python"]["entry_points"]
    assert script == " = ".join(["ecsviz", project["scripts"]["ecsviz"]])


def test_the_citation_is_of_this_version(project: dict[str, Any]) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == ev.__version__
    assert citation["license"] == project["license"]
    assert [author["name"] for author in citation["authors"]] == [project["authors"][0]["name"]]


def test_the_tables_name_what_is_there(project: dict[str, Any]) -> None:
    names = set(wanted(project))
    assert set(CONDA_NAMES) <= names
    assert set(ONLY_ON_PYPI) <= names


def test_every_dependency_has_a_lower_bound_only(project: dict[str, Any]) -> None:
    lines = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        lines += extra
    for line in lines:
        requirement = Requirement(line)
        if requirement.name == "ecsviz":
            continue  # an extra that includes others
        assert [spec.operator for spec in requirement.specifier] == [">="], line


def test_extras_include_only_extras_that_exist(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    included = {
        name
        for lines in extras.values()
        for requirement in map(Requirement, lines)
        if requirement.name == "ecsviz"
        for name in requirement.extras
    }
    assert included <= set(extras)


def test_the_readme_is_the_long_description(project: dict[str, Any]) -> None:
    if not (ROOT / "README.md").exists():
        assert "readme" not in project
    else:
        assert project["readme"] == "README.md"


def test_a_browser_has_what_we_ask_for(project: dict[str, Any]) -> None:
    """Pyodide has it in a version that we take, or else it is pure Python, and so what it needs."""
    marks = {"extra": "", "sys_platform": "emscripten", "platform_system": "Emscripten"}
    marks |= {"platform_machine": "wasm32", "python_full_version": PYODIDE_PYTHON}
    marks["python_version"] = PYODIDE_PYTHON.rpartition(".")[0]

    def needs(lines: Iterable[str]) -> list[Requirement]:
        asked = map(Requirement, lines)
        return [each for each in asked if not each.marker or each.marker.evaluate(marks)]

    todo = needs(project["dependencies"])
    taken, fetched, lacking = set(), set(), set()
    assert "uuid6" not in {each.name for each in todo}, "Python 3.14 has it itself"
    while todo:
        asked = todo.pop()
        name = canonicalize_name(asked.name)
        if name in PYODIDE and PYODIDE[name] in asked.specifier:
            taken.add(name)
            continue
        if name in fetched:
            continue
        fetched.add(name)
        found = metadata.distribution(name)
        is_pure = "Root-Is-Purelib: true" in (found.read_text("WHEEL") or "")
        if not (is_pure or name in PURE_AS_WELL):
            lacking.add(str(asked))
        todo += needs(found.requires or ())
    assert not lacking, "compiled, and Pyodide has no version of it that we take"
    assert PURE_AS_WELL | {"alembic", "anywidget", "ipywidgets"} <= fetched
    assert taken - {"sqlalchemy"} == PYODIDE.keys() - fetched
    marks |= {"python_version": "3.13", "python_full_version": "3.13.0"}
    assert "uuid6" in {each.name for each in needs(project["dependencies"])}


@pytest.mark.skipif(sys.platform == "win32", reason="a script of bash")
@pytest.mark.parametrize(
    ("pip", "npm", "code", "told"),
    [
        (
            '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "X-1"}]}]}',
            "",
            1,
            "X-1",
        ),
        ('{"dependencies": [{"name": "a", "skip_reason": "b"}]}', "", 0, "0 of 1 Python packages"),
        ("", '{"vulnerabilities": {"b": {"severity": "high"}}}', 1, "b high"),
        ("no JSON", '{"error": {"code": 405}}', 0, "npm's registry cannot be asked here"),
    ],
)
def test_an_audit_tells_faults_and_who_cannot_be_asked(
    tmp_path: Path, pip: str, npm: str, code: int, told: str
) -> None:
    (tmp_path / "pip.json").write_text(pip)
    (tmp_path / "npm.json").write_text(npm)
    python = tmp_path / "python"
    own = f'case "$*" in *pipx*) cat {tmp_path}/pip.json;; *) exec {sys.executable} "$@";; esac'
    python.write_text(f"#!/bin/sh\n{own}\n")
    (tmp_path / "npm").write_text(f"#!/bin/sh\ncat {tmp_path}/npm.json\n")
    for file in (python, tmp_path / "npm"):
        file.chmod(0o755)
    script = ROOT / ".ci" / "audit"
    done = subprocess.run([script, python], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    assert told in done.stdout
