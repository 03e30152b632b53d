"""What the demo does: figures, proof, notebook, folder."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ecsviz as ev
from ecsviz.cli import demo
from ecsviz.cli.demo import DemoError, measure, report, tour
from ecsviz.isomorphic import find_difference
from ecsviz.samples import sample_file
from tests.databases import fetched

Optional = Callable[[str], ModuleType]


# -- the figures -----------------------------------------------------------------------------


def test_the_figures_of_the_shipped_chats() -> None:
    found = measure()
    threads = ev.sample()
    messages = [message for thread in threads for message in thread.messages]
    answers = [message for message in messages if message.parent is not None]
    assert found.source == "chats.jsonl"
    assert (found.threads, found.messages) == (len(threads), len(messages)) == (6, 98)
    assert found.branches == sum(len(thread.leaves()) for thread in threads)
    assert found.entities == found.rows == len(threads) + len(messages)
    assert found.references == 2 * len(messages) + 2 * len(answers)
    assert found.cyclic_components == 6
    assert found.largest_component == max(len(thread.messages) for thread in threads) + 1
    assert (found.cycles, found.all_cycles, found.generations) == (1000, False, 1)
    assert found.closing == found.references // 2
    assert (found.deferred, found.rows_again, found.difference) == (0, 0, None)
    assert 5 < found.statements < 60
    assert list(found.seconds) == report.STEPS
    assert found.problems == []


def test_the_progress_names_the_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    measure()
    assert capsys.readouterr().err == ""
    measure(progress=True)
    shown = capsys.readouterr().err
    assert all(f"{name}:" in shown for name in report.STEPS)


def test_statements_do_not_grow_with_the_file(tmp_path: Path) -> None:
    lines = sample_file("chats").read_text(encoding="utf-8").splitlines()
    small = tmp_path / "one.jsonl"
    small.write_text(lines[0], encoding="utf-8")
    assert measure(small).statements == measure().statements


def test_what_could_not_be_placed_is_in_the_report(tmp_path: Path) -> None:
    def node(name: str, parent: str | None) -> dict[str, Any]:
        said = {"author": {"role": "user"}, "content": {"parts": ["hi"]}, "create_time": "now?"}
        return {"id": name, "parent": parent, "message": {"id": name, **said}}

    nodes = {f"n{n}": node(f"n{n}", None) for n in range(7)}
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([{"title": "T", "id": "c", "mapping": nodes}]), encoding="utf-8")
    found = measure(path)
    assert found.messages == 7
    assert found.equal
    assert len(found.problems) > 5
    text = "\n".join(found.lines())
    assert f"could not be placed as the file has it ({len(found.problems)}):" in text
    assert f"… {len(found.problems) - 5} more" in text


@pytest.mark.parametrize("content", ["[]", "\n"])
def test_a_file_without_chats(tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ev.EcsvizError, match=r"empty\.json"):
        measure(path)


def chats_of_others(shared: Path) -> list[tuple[str, int, int]]:
    """The path of every chat that the demo reads, how many threads it holds, and messages."""
    text = (shared / "data" / "expected.json").read_text(encoding="utf-8")
    found = []
    for each in json.loads(text)["datasets"]:
        expected = each["expected"]
        if expected.get("kind") == "oasst_trees":
            found.append((each["path"], expected["trees"], expected["messages"]))
        elif expected.get("kind") == "chatgpt_export":
            totals = expected["totals"]
            found.append((each["path"], totals["conversations"], totals["messages_not_null"]))
    return found


def test_chats_of_others_come_back_equal(shared: Path) -> None:
    files = chats_of_others(shared)
    assert ("chats/oasst/en_trees_share_1_50.jsonl", 50, 549) in files
    assert len(files) >= 7
    for path, threads, messages in files:
        found = measure(shared / "data" / path)
        assert (path, found.threads, found.messages) == (path, threads, messages)
        assert (path, found.difference) == (path, None)
        assert found.rows == found.entities == threads + messages
        assert found.rows_again == 0
        assert found.cyclic_components == threads


# -- the proof -------------------------------------------------------------------------------

LOSSY = report.RELOAD.replace(
    "pickle.dump(", "threads[2].messages[3].content = 'secret'\npickle.dump("
)


def test_a_loss_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RELOAD", LOSSY)
    found = measure()
    assert not found.equal
    assert found.place == "[2] ChatThread.messages[3].content"
    text = "\n".join(found.lines())
    assert "reloaded in a new process: NOT EQUAL at [2] ChatThread.messages[3].content" in text
    assert "secret" not in text


def test_a_process_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    thread = store.register(ev.sample("thread"))
    (again,) = demo.reload_in_new_process(tmp_path / "a.db", [str(thread.ecs_id)])
    assert find_difference(thread, again) is None
    monkeypatch.setattr(report, "RELOAD", "raise SystemExit('no luck')")
    with pytest.raises(DemoError, match="could not read the store: no luck"):
        demo.reload_in_new_process(tmp_path / "a.db", [])


# -- the folder ------------------------------------------------------------------------------


def test_a_folder_is_made_and_taken_again(tmp_path: Path) -> None:
    folder = demo.prepare_folder(tmp_path / "a" / "b")
    assert [path.name for path in folder.iterdir()] == [demo.REPORT]
    for name in (demo.STORE, f"{demo.STORE}-journal", "two.db", "kept.txt"):
        (folder / name).write_text("x", encoding="utf-8")
    assert demo.prepare_folder(folder) == folder
    assert {path.name for path in folder.iterdir()} == {demo.REPORT, "kept.txt"}


def test_a_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / demo.STORE).write_text("precious", encoding="utf-8")
    with pytest.raises(DemoError, match=r"holds other files\. Name another one with --out"):
        demo.prepare_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [demo.STORE]


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x", encoding="utf-8")
    with pytest.raises(DemoError, match="cannot be written to"):
        demo.prepare_folder(tmp_path / "out")


# -- the notebook ----------------------------------------------------------------------------


def test_the_notebook_of_an_installed_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: Path
) -> None:
    assert demo.notebook_path() == root / "notebooks" / demo.NOTEBOOK
    inside = tmp_path / "ecsviz" / "notebooks" / demo.NOTEBOOK
    beside = tmp_path / "notebooks" / demo.NOTEBOOK
    monkeypatch.setattr(ev, "__file__", str(tmp_path / "ecsviz" / "__init__.py"))
    with pytest.raises(DemoError, match="is missing in this installation"):
        demo.notebook_path()
    for path in (beside, inside):
        path.parent.mkdir(parents=True)
        path.write_text("{}", encoding="utf-8")
        assert demo.notebook_path() == path


def test_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name.startswith("nb") else known(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    told = r"nbclient and nbconvert are not installed\. .*: pip install 'ecsviz\[lab\]'"
    with pytest.raises(DemoError, match=told) as caught:
        demo.run_notebook(Path("nowhere"))
    assert caught.value.missing == ["nbclient", "nbconvert"]


def write_notebook(path: Path, *sources: str) -> Path:
    cells = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {"alt": "two <lines>"} if "plot" in source else {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(sources)
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def test_a_notebook_as_a_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, require_optional: Optional
) -> None:
    for name in demo.NEEDED:
        require_optional(name)
    notebook = write_notebook(
        tmp_path / "own.ipynb",
        "import os, sys; print(sys.executable, os.environ['ECSVIZ_DEMO_FILE'])",
        "import ecsviz as ev; ev.EntityDependencyGraph(ev.sample('two_cycle')).explore()",
        "import matplotlib.pyplot as plt; plt.plot([1, 2]);",
        "print('<script>alert(1)</script>'); 1 / 0",
        "print('never')",
    )
    monkeypatch.setattr(tour, "notebook_path", lambda: notebook)
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(DemoError, match=r"failed with ZeroDivisionError; .*tour\.html shows which"):
        demo.run_notebook(out, "chats.json")
    page = (out / "tour.html").read_text(encoding="utf-8")
    assert f"{sys.executable} {tmp_path / 'chats.json'}" in page
    assert "ZeroDivisionError" in page
    assert "never\n" not in page
    # Nothing may run, and nothing may be fetched: what chats say was written by others.
    head = page.partition("<head>")[2]
    assert head.lstrip().startswith('<meta http-equiv="Content-Security-Policy" content="default')
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    # A widget is dead in a page: its table stands there instead; a picture has its text.
    assert "Run this cell to explore it live." in page
    assert 'alt="The dependency graph: 2 entities, 2 references, 1 cyclic component."' in page
    assert "application/vnd.jupyter.widget-view+json" not in page
    assert re.search(r'<img [^>]*alt="two &lt;lines&gt;"', page)


def test_the_whole_command(tmp_path: Path, require_optional: Optional) -> None:
    for name in demo.NEEDED:
        require_optional(name)
    done = subprocess.run(
        [sys.executable, "-m", "ecsviz", "demo", "--out", "seen"],
        cwd=tmp_path,
        env=report.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    for line in (
        r"ecsviz \S+: chats\.jsonl",
        r"  threads +6",
        r"  messages +98  in 34 branches",
        r"  references +380  .*",
        r"  components with a cycle +6  .*",
        r"  rows saved +104  in \d+ statements, 1 transaction",
        r"  reloaded in a new process: equal",
        r"Written to seen/:",
        r"  try +ecsviz lab .*",
    ):
        assert re.search(f"^{line}$", done.stdout, flags=re.MULTILINE), line
    folder = tmp_path / "seen"
    assert [path.name for path in tmp_path.iterdir()] == ["seen"]
    named = set(re.findall(r"^  (\S+\.\w+) ", done.stdout, flags=re.MULTILINE))
    assert named == {path.name for path in folder.iterdir()}
    pictures = {"tasks.png", "one-thread.png", "diff.png"}
    assert {name for name in named if name.endswith(".png")} == pictures
    for name in pictures:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    page = (folder / "tour.html").read_text(encoding="utf-8")
    shown = len(pictures) + 1  # that which stands in for the explorer
    assert page.count("<img ") == shown
    assert page.count('src="data:image/png;base64,') == shown
    assert "a picture made by the cell above" not in page, "a picture without alt in the notebook"
    assert "EntityDependencyGraph" in page
    figures = json.loads((folder / demo.REPORT).read_text(encoding="utf-8"))
    assert (figures["messages"], figures["difference"]) == (98, None)
    # What the notebook has saved is what was read.
    threads = ev.sample()
    again = ev.SQLAlchemyEntityStorage(folder / demo.STORE).get_many(t.ecs_id for t in threads)
    assert find_difference(threads, again, versions=False) is None
    assert fetched(folder / demo.STORE, "SELECT count(*) FROM chat_messages") == [(98,)]


def test_the_tour_takes_a_chat_without_a_message(
    tmp_path: Path, require_optional: Optional
) -> None:
    for name in demo.NEEDED:
        require_optional(name)
    root = {"id": "r", "message": None, "parent": None, "children": []}
    chat = {"title": "Empty", "create_time": 1.0, "mapping": {"r": root}, "conversation_id": "c"}
    source = tmp_path / "conversations.json"
    source.write_text(json.dumps([chat]), encoding="utf-8")
    page = demo.run_notebook(demo.prepare_folder(tmp_path / "out"), source)
    assert "And one more question?" in page.read_text(encoding="utf-8")


# -- processes, JupyterLab -------------------------------------------------------------------


def test_processes_find_this_package(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", "before")
    monkeypatch.setattr(ev, "__file__", str(root / "ecsviz" / "__init__.py"))
    assert report.environment()["PYTHONPATH"] == f"{root}{os.pathsep}before"
    import sysconfig

    installed = Path(sysconfig.get_path("purelib")) / "ecsviz" / "__init__.py"
    monkeypatch.setattr(ev, "__file__", str(installed))
    assert report.environment(A="b")["PYTHONPATH"] == "before"
    assert report.environment(A="b")["A"] == "b"


def test_lab_opens_the_notebooks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: Path
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(tour, "require", lambda modules: None)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    assert demo.start_lab() == 3
    assert demo.start_lab("elsewhere") == 3
    assert [command[1:] for command in ran] == [
        ["-m", "jupyterlab", str(root / "notebooks")],
        ["-m", "jupyterlab", "elsewhere"],
    ]
    assert list(tmp_path.iterdir()) == []
    # Installed: a copy to work with, which is not written over.
    packed = tmp_path / "lib" / "ecsviz" / "notebooks" / demo.NOTEBOOK
    packed.parent.mkdir(parents=True)
    packed.write_text("{}", encoding="utf-8")
    packed.with_name("02_more.ipynb").write_text("[]", encoding="utf-8")
    monkeypatch.setattr(ev, "__file__", str(packed.parents[1] / "__init__.py"))
    demo.start_lab()
    assert ran[-1][-1] == "ecsviz-notebooks"
    own = tmp_path / "ecsviz-notebooks" / demo.NOTEBOOK
    assert own.read_text(encoding="utf-8") == "{}"
    assert own.with_name("02_more.ipynb").read_text(encoding="utf-8") == "[]"
    own.write_text("mine", encoding="utf-8")
    demo.start_lab()
    assert own.read_text(encoding="utf-8") == "mine"
