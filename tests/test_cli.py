"""The command line: help, errors, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import ecsviz as ev
from ecsviz import cli
from ecsviz.cli import demo
from ecsviz.cli.demo import report, tour


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.cli, arguments, prog_name="ecsviz")


def test_help_names_every_command() -> None:
    for flag in ("--help", "-h"):
        done = run(flag)
        assert done.exit_code == 0
        for name, command in cli.cli.commands.items():
            assert f"\n  {name} " in done.output
            assert command.help, f"{name} has no help"
            assert run(name, "--help").exit_code == 0


def test_its_page_names_every_command(root: Path) -> None:
    page = (root / "docs" / "command_line.md").read_text(encoding="utf-8")
    for name in cli.cli.commands:
        assert f"ecsviz {name}" in page


def test_the_version() -> None:
    done = run("--version")
    assert (done.exit_code, done.output) == (0, f"ecsviz, version {ev.__version__}\n")


@pytest.mark.parametrize(
    "arguments", [["demos"], ["--no-such"], ["demo", "a", "b"], ["demo", "--out"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert re.search(r"^Error: \S", done.stderr, flags=re.MULTILINE)
    assert "Traceback" not in done.stderr


def test_as_a_module() -> None:
    command = [sys.executable, "-m", "ecsviz"]
    done = subprocess.run(
        [*command, "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=report.environment(),
    )
    assert done.stdout == f"ecsviz, version {ev.__version__}\n"
    bad = subprocess.run(
        [*command, "demo", "no-such-file.json"],
        capture_output=True,
        text=True,
        check=False,
        env=report.environment(),
    )
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("Error: ")
    assert "no-such-file.json" in bad.stderr
    assert "Traceback" not in bad.stderr
    assert len(bad.stderr.splitlines()) == 1


@pytest.fixture
def notebooks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Stands in for the notebook, which tests/test_demo.py runs; notes what it was called with."""
    called: list[tuple[Any, ...]] = []

    def run_notebook(folder: Path, source: Any, *, progress: bool) -> Path:
        called.append((folder, source, progress))
        page = folder / "tour.html"
        page.write_text("<html>", encoding="utf-8")
        return page

    monkeypatch.setattr(demo, "run_notebook", run_notebook)
    monkeypatch.setattr(demo, "missing_of", lambda modules: [])
    return called


def test_demo_on_a_file(notebooks: list[tuple[Any, ...]], tmp_path: Path) -> None:
    source, out = ev.samples.sample_file("export"), tmp_path / "out"
    done = run("demo", str(source), "--out", str(out))
    assert done.exit_code == 0
    assert done.stderr == ""
    assert "export.json" in done.output
    assert f"Written to {out}/:" in done.output
    assert "conversations.json" not in done.output, "who has given a file needs no hint"
    assert notebooks == [(out, source, False)]
    figures = json.loads((out / demo.REPORT).read_text(encoding="utf-8"))
    assert (figures["threads"], figures["messages"]) == (2, 15)
    # A second time, into the same folder.
    assert run("demo", str(source), "--out", str(out)).exit_code == 0


def test_demo_without_a_file(
    notebooks: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("demo")
    assert done.exit_code == 0
    assert "ecsviz demo conversations.json" in done.output
    assert notebooks == [(tmp_path / "ecsviz-demo", None, False)]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.json", "{", "a.json"),
        ("a.json", '{"no": "chat"}', "no chat that is known here"),
        ("a.db", "SQLite format 3\0", "a.db"),
        ("a.json", "[]", "a.json"),
    ],
)
def test_demo_on_what_is_no_chat(
    notebooks: list[tuple[Any, ...]], tmp_path: Path, name: str, content: str, told: str
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    done = run("demo", str(path), "--out", str(tmp_path / "out"))
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert told in done.stderr
    assert not (tmp_path / "out").exists(), "nothing is written where there is nothing to show"
    assert notebooks == []


def test_demo_that_loses_something_fails(
    notebooks: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lossy = report.RELOAD.replace("pickle.dump(", "threads[0].messages.pop()\npickle.dump(")
    monkeypatch.setattr(report, "RELOAD", lossy)
    done = run("demo", "--out", str(tmp_path / "out"))
    assert done.exit_code == 1
    assert "NOT EQUAL at [0] ChatThread.messages" in done.stdout
    assert "differs from the one saved, at [0] ChatThread.messages" in done.stderr
    assert notebooks == []


def test_demo_without_the_lab_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "NEEDED", ("no_such_module_here",))
    done = run("demo", str(ev.samples.sample_file("export")), "--out", str(tmp_path / "out"))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "no_such_module_here is not installed: pip install 'ecsviz[lab]'" in done.output
    assert "tour.html" not in done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [demo.PAGE, demo.REPORT]


def test_demo_ends_with_a_page_of_ones_own_chats(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report_of = demo.measure(ev.samples.sample_file("export"))
    page = demo.write_page(report_of, tmp_path)
    assert page == tmp_path / demo.PAGE
    text = page.read_text(encoding="utf-8")
    assert "export.json: 2 chats" in text
    assert "default-src 'none'; script-src 'sha256-" in text
    said = [message.content for chat in report_of.chats for message in chat.messages]
    assert all(json.dumps(words[:20], ensure_ascii=False)[1:-1] in text for words in said)
    longest, other = sorted(report_of.chats, key=lambda chat: -len(chat.messages))
    monkeypatch.setattr(tour, "LARGEST", len(longest.messages) + 1)
    demo.write_page(report_of, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert ": 1 chat<" in text
    assert str(longest.ecs_id) in text
    assert str(other.ecs_id) not in text
    empty = report.Report("empty.json", threads=1, chats=[ev.ChatThread(title="nothing said")])
    assert demo.write_page(empty, tmp_path) == page
    assert "nothing said" in page.read_text(encoding="utf-8")
    monkeypatch.setattr(tour, "LARGEST", 1)
    assert demo.write_page(report_of, tmp_path) is None


def test_lab_gives_back_the_exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "start_lab", lambda folder: 0 if folder is None else 7)
    assert run("lab").exit_code == 0
    assert run("lab", str(tmp_path)).exit_code == 7
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert run("lab", str(tmp_path / "file")).exit_code == 2


def test_a_number_is_no_part_of_a_title(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "s.db")
    store.register([ev.ChatThread(title="10,000 rows"), ev.ChatThread(title="99999999999 of them")])
    for number in ("0", "10", "000", "00000000000007", "99999999999"):
        done = run("show", str(tmp_path / "s.db"), number)
        assert done.exit_code == 1
        assert f"There is no chat '{number}' among 2" in done.stderr
    assert "10,000" in run("show", str(tmp_path / "s.db"), "0001").output
    assert "10,000" in run("show", str(tmp_path / "s.db"), "10,000").output


@pytest.mark.parametrize("name", ["", ".x", "a..b", "a b", "../x"])
def test_what_is_no_name_of_a_module(tmp_path: Path, name: str) -> None:
    ev.SQLAlchemyEntityStorage(tmp_path / "s.db").register(ev.ChatThread())
    done = run("verify", str(tmp_path / "s.db"), "--classes", name)
    assert done.exit_code == 2
    assert "is no name of a module" in done.stderr
