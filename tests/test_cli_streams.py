"""The command line where its output leads nowhere: closed, full, or a pipe that nobody reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ecsviz as ev
from ecsviz.cli.demo.report import environment

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.name == "nt", reason="the shell there has no such redirections"),
]

COMMANDS = {
    "--help": "",
    "--version": "",
    "info": "a.db",
    "tables": "a.db chat_messages",
    "history": "a.db",
    "verify": "a.db",
    "graph": "a.db --order",
    "export": "a.db --to json",
    "import": "chats.jsonl --store new.db",
}


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    with ev.SQLAlchemyEntityStorage(tmp_path / "a.db") as store:
        store.register(ev.sample("thread"))
    line = '{"messages": [{"role": "user", "content": "hello"}]}\n'
    (tmp_path / "chats.jsonl").write_text(line)
    return tmp_path


def run(here: Path, command: str, redirected: str) -> tuple[int, str]:
    """Run a command in a shell; return its exit code, and what it said of errors."""
    words = f"'{sys.executable}' -m ecsviz {command} {COMMANDS[command]} {redirected}"
    done = subprocess.run(
        ["/bin/sh", "-c", words],
        cwd=here,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_output_is_no_error(here: Path, command: str) -> None:
    assert run(here, command, ">&-") == (0, "")


@pytest.mark.parametrize("command", ["info", "import"])
def test_everything_closed(here: Path, command: str) -> None:
    assert run(here, command, "<&- >&- 2>&-") == (0, "")
    if command == "import":
        with ev.SQLAlchemyEntityStorage(here / "new.db") as store:
            assert len(store.revisions()) == 1
            assert len(store.verify()) == 0, "and nothing was printed into it"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_output_is_told_in_a_line(here: Path, command: str) -> None:
    code, said = run(here, command, ">/dev/full")
    assert (code, said) == (1, "Error: No space left on device.\n")


@pytest.mark.parametrize("command", ["info", "tables", "graph", "export", "--help"])
def test_a_pipe_that_nobody_reads(here: Path, command: str) -> None:
    _, said = run(here, command, "| true")
    assert said == ""
    _, said = run(here, command, "| head -1")
    assert said == ""
