"""The commands that look at stores, files and databases."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import networkx as nx
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import ecsviz as ev
from ecsviz import cli
from ecsviz.cli import output
from ecsviz.cli.demo import report
from ecsviz.storage.relational.classless import BareStore
from tests.chat_files import conversation, encode, node
from tests.conformance import classes as c
from tests.databases import execute
from tests.hostile import HOSTILE
from tests.processes import in_a_new_process

FILE = str(ev.samples.sample_file("export"))


def run(*arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(cli.cli, list(map(str, arguments)), prog_name="ecsviz")
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    assert "\x1b" not in done.output
    return done


def table(done: Result) -> list[dict[str, str]]:
    """Read tab-separated output."""
    names, *rows = (line.split("\t") for line in done.stdout.removesuffix("\n").split("\n"))
    return [dict(zip(names, row, strict=True)) for row in rows]


def facts(done: Result) -> dict[str, str]:
    pairs = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


@pytest.fixture(name="chats", scope="module")
def _chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chats") / "chats.db"
    ev.SQLAlchemyEntityStorage(path).register(ev.sample(), note="six\tthreads")
    return path


UNKNOWN = """
import sys
import ecsviz as ev
from tests.conformance import classes as c
node = c.Node(name="a")
node.links = [node, c.Node(name="b")]
node.by_name = {"x": node}
node.group = {node}
node.pair = (node, 3)
store = ev.SQLAlchemyEntityStorage(sys.argv[1])
thread = store.register([node, c.thread(), c.Shelf(keeper=c.Puppy())])[1]
thread.title = "another"
store.register(thread)
store.delete(node) if len(sys.argv) > 2 else None
print(thread.ecs_id)
"""


@pytest.fixture(name="unknown", scope="module")
def _unknown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store of classes that a process of its own has defined, and the id of a thread."""
    path = tmp_path_factory.mktemp("unknown") / "other.db"
    return path, in_a_new_process(UNKNOWN, path).strip()


RUNNER = """
import json, sys
from click.testing import CliRunner
from ecsviz.cli import cli
for arguments in json.loads(sys.argv[1]):
    done = CliRunner().invoke(cli, arguments, prog_name="ecsviz")
    print(json.dumps([done.exit_code, done.stdout, done.stderr]))
"""


def elsewhere(*commands: list[Any], cwd: Path) -> list[tuple[int, str, str]]:
    """Run commands in a process of its own, where no class of the tests is defined."""
    given = json.dumps([list(map(str, arguments)) for arguments in commands])
    told = in_a_new_process(RUNNER, given, cwd=cwd, **report.environment())
    return [tuple(json.loads(line)) for line in told.splitlines()]


# -- import -----------------------------------------------------------------------------------


def test_import_twice_adds_nothing(tmp_path: Path) -> None:
    store = tmp_path / "chats.db"
    first = facts(run("import", FILE, "--store", store, "--note", "mine"))
    assert (first["threads"], first["entities"], first["added"]) == ("2", "17", "17")
    again = facts(run("import", FILE, "--store", store))
    assert (again["entities"], again["added"], again["changed"]) == ("17", "0", "0")
    revisions = ev.SQLAlchemyEntityStorage(store).revisions()
    assert revisions["note"].tolist() == ["mine"]


def message(name: str, parent: str | None, role: str, text: str) -> dict[str, Any]:
    return {
        "id": name,
        "parent": parent,
        "children": [],
        "message": {
            "id": name,
            "author": {"role": role},
            "content": {"content_type": "text", "parts": [text]},
        },
    }


def test_a_longer_export_updates(tmp_path: Path) -> None:
    nodes = [message("a", None, "user", "hi"), message("b", "a", "assistant", "hello")]
    chat = {"title": "t", "id": "c", "mapping": {node["id"]: node for node in nodes}}
    file, store = tmp_path / "c.json", tmp_path / "chats.db"
    file.write_text(json.dumps([chat]), encoding="utf-8")
    run("import", file, "--store", store)
    longer = message("c", "b", "user", "more")
    chat["mapping"]["c"] = longer  # type: ignore[index]  # a dict
    file.write_text(json.dumps([chat]), encoding="utf-8")
    done = facts(run("import", file, "--store", store))
    assert done["added"] == "1"
    opened = ev.SQLAlchemyEntityStorage(store)
    assert len(opened.revisions()) == 2
    (thread,) = opened.list_by_type(ev.ChatThread)
    assert [m.content for m in thread.messages] == ["hi", "hello", "more"]


def test_import_of_several_files_and_of_the_same_one_twice(tmp_path: Path) -> None:
    store = tmp_path / "chats.db"
    done = run("import", FILE, FILE, ev.samples.sample_file("chats"), "--store", store)
    assert facts(done)["entities"] == str(17 + 104)
    assert len(ev.SQLAlchemyEntityStorage(store).revisions()) == 1


def test_import_of_a_wall_clock(tmp_path: Path) -> None:
    chat, store = tmp_path / "chat.txt", tmp_path / "x.db"
    chat.write_text("15.08.23, 21:12 - Ann: Hi\n", encoding="utf-8")
    run("import", chat, "--store", store, "--timezone", "Europe/Berlin")
    (message,) = ev.SQLAlchemyEntityStorage(store).list_by_type(ev.ChatMessage)
    assert message.created_at == datetime(2023, 8, 15, 19, 12, tzinfo=UTC)
    done = run("import", chat, "--store", store, "--timezone", "Mars", code=1)
    assert "names no time zone" in done.stderr


def test_import_of_an_older_export_and_of_a_bad_record(tmp_path: Path) -> None:
    new, old, store = tmp_path / "new.json", tmp_path / "old.json", tmp_path / "x.db"
    nodes = (node("a"), node("b", "a"))
    new.write_bytes(encode([conversation(*nodes, update_time=2), None]))
    old.write_bytes(encode([conversation(*nodes[:1], update_time=1)]))
    assert "not read" in run("import", new, "--store", store).stderr
    done = run("import", old, "--store", store)
    assert (facts(done)["added"], facts(done)["changed"]) == ("0", "0")
    assert done.stderr == (
        "Note: 'conv': what this copy has not: the store has 1 message, its updated_at; kept\n"
    )
    assert len(ev.SQLAlchemyEntityStorage(store).list_by_type(ev.ChatMessage)) == 2
    run("import", new, "--store", store, "--strict", code=1)


def test_import_of_what_is_none_makes_no_store(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{", encoding="utf-8")
    for name in (bad, tmp_path / "missing.json"):
        done = run("import", name, "--store", tmp_path / "x.db", code=1)
        assert done.stderr.startswith("Error: ")
    assert not (tmp_path / "x.db").exists()
    assert "no-such" in run("import", FILE, "--store", "x.db", "--format", "no-such", code=1).stderr
    run("import", "--store", "x.db", code=2)
    run("import", FILE, code=2)


# -- info, tables, history, verify ------------------------------------------------------------


def test_info(chats: Path) -> None:
    done = run("info", chats)
    told = facts(done)
    assert (told["classes"], told["entities"], told["revisions"]) == ("2", "104", "1")
    assert told["note"] == "six threads"
    assert "ChatThread\tecsviz.chat\tchat_threads\t6" in done.stdout


def test_tables(chats: Path) -> None:
    rows = {row["table"]: row for row in table(run("tables", chats))}
    assert list(rows) == ["chat_messages", "chat_threads"]
    assert (rows["chat_messages"]["rows"], rows["chat_messages"]["class"]) == ("98", "ChatMessage")
    assert "thread_id" in rows["chat_messages"]["columns"].split(", ")
    every = {row["table"] for row in table(run("tables", chats, "--all"))}
    assert {"ecs_types", "chat_threads_history"} <= every


def test_rows_of_a_table(chats: Path) -> None:
    rows = table(run("tables", chats, "chat_messages", "--limit", "5"))
    assert [row["id"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert rows[0]["role"] == "user"
    assert len(table(run("tables", chats, "chat_messages"))) == 98
    assert "Did you mean 'chat_messages'?" in run("tables", chats, "chat_message", code=1).stderr


def test_history(chats: Path, tmp_path: Path) -> None:
    assert [row["added"] for row in table(run("history", chats))] == ["104"]
    thread = ev.sample("thread")
    (row,) = table(run("history", chats, str(thread.ecs_id)))
    assert (row["version"], row["what"], row["note"]) == ("1", "added", "six threads")
    assert "is not a UUID" in run("history", chats, "x", code=1).stderr
    done = run("history", chats, "00000000-0000-0000-0000-000000000000", code=1)
    assert "No entity with the ecs_id" in done.stderr


def test_verify(path: Path) -> None:
    ev.SQLAlchemyEntityStorage(path).register(ev.sample("thread"))
    assert run("verify", path).stdout == "ok\n"
    execute(path, "UPDATE chat_threads SET title = 'x'")
    done = run("verify", path, code=1)
    assert [row["problem"] for row in table(done)] == ["content"]
    assert done.stderr == "1 problem\n"


# -- classes that are not defined here --------------------------------------------------------


def test_a_store_of_unknown_classes(unknown: tuple[Path, str], tmp_path: Path, root: Path) -> None:
    path, thread = unknown
    done = elsewhere(
        ["history", path, thread],
        ["info", path],
        ["tables", path],
        ["tables", path, "nodes"],
        ["history", path],
        ["graph", path],
        ["graph", path, "--types", "--cycles"],
        ["export", path, "--to", "csv", "--out", tmp_path / "csv"],
        ["export", path, "--to", "dot"],
        cwd=tmp_path,
    )
    assert [code for code, _, _ in done] == [0] * 9, done
    assert len(list((tmp_path / "csv").glob("*.csv"))) > 10
    assert [line.split("\t")[0::4] for line in done[0][1].splitlines()] == [
        ["version", "what"],
        ["1", "added"],
        ["2", "changed"],
    ]
    *refused, wrong = elsewhere(
        ["verify", path],
        ["export", path, "--to", "parquet", "--out", "x"],
        ["verify", path, "--classes", "no_such_module"],
        cwd=tmp_path,
    )
    for code, _, told in refused:
        assert code == 1
        assert "whose class is not known. Name the module that defines it: --classes" in told
    assert wrong[0] == 2
    assert "no_such_module cannot be imported" in wrong[2]
    (found,) = elsewhere(["verify", path, "--classes", "tests.conformance.classes"], cwd=root)
    assert found == (0, "ok\n", "")


def ends(graph: ev.EntityDependencyGraph) -> list[tuple[Any, ...]]:
    kinds = graph.references_frame()
    rows = kinds[["source", "target", "path", "source_type", "field"]].astype(str)
    return sorted(rows.itertuples(index=False, name=None))


def test_the_graph_without_classes_is_the_graph_with_them(unknown: tuple[Path, str]) -> None:
    store = ev.SQLAlchemyEntityStorage(unknown[0])
    # The classes are defined in this process.
    assert c.Thread.__name__ == "Thread"
    assert ends(BareStore(store).graph()) == ends(store.graph())
    root = store.list_by_type(c.Shelf)[0]
    for hops in (0, 1, None):
        bare, known = BareStore(store).graph(root.ecs_id, hops), store.graph(root, hops)
        assert ends(bare) == ends(known)
        assert len(bare) == len(known)


def test_the_graph_of_chats_without_classes(chats: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(chats)
    assert ends(BareStore(store).graph()) == ends(store.graph())
    types = BareStore(store).type_graph()
    assert len(types.get_cycles()) == len(ev.EntityDependencyGraph([ev.ChatThread]).get_cycles())


def test_entities_are_known_by_their_texts(chats: Path, unknown: tuple[Path, str]) -> None:
    thread = ev.sample("thread")
    order = table(run("graph", chats, "--order"))
    labels = {row["ecs_id"]: row["label"] for row in order}
    assert thread.title.startswith(labels[str(thread.ecs_id)][:20])
    first = thread.messages[0]
    assert labels[str(first.ecs_id)].startswith(f"user: {first.content[:20]}")
    there = {row["type"]: row["label"] for row in table(run("graph", unknown[0], "--order"))}
    assert (there["Thread"], there["Message"]) == ("another", "2")


def test_what_a_store_names_is_never_imported(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    ev.SQLAlchemyEntityStorage(path).register(ev.sample("thread"))
    (tmp_path / "trap.py").write_text("open('sprung', 'w')", encoding="utf-8")
    execute(path, "UPDATE ecs_types SET module = 'trap', name = 'trap.' || name")
    names = ("info", "verify", "graph", "tables", "history")
    done = elsewhere(*([name, path] for name in names), cwd=tmp_path)
    assert len(done) == len(names)
    assert not (tmp_path / "sprung").exists()


# -- graph ------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["file", "store"])
def test_graph(source: str, chats: Path) -> None:
    given: str | Path = chats if source == "store" else ev.samples.sample_file("chats")
    told = facts(run("graph", given))
    assert (told["nodes"], told["references"]) == ("104", "380")
    assert (told["status"], told["cyclic components"]) == ("cycle detected", "6")
    cycles = table(run("graph", given, "--cycles", "--limit", "3"))
    assert len(cycles) == 3
    assert cycles[0]["length"] == "2"
    order = table(run("graph", given, "--order"))
    assert [row["order"] for row in order] == list(map(str, range(104)))
    assert order[0]["type"] == "ChatThread"


def test_graph_of_classes(chats: Path) -> None:
    told = table(run("graph", chats, "--types", "--order"))
    assert [row["ecs_id"] for row in told] == ["ChatThread", "ChatMessage"]


def test_graph_from_a_root(chats: Path) -> None:
    thread = ev.sample("thread")
    told = facts(run("graph", chats, "--root", thread.ecs_id, "--hops", "1"))
    assert told["nodes"] == str(1 + len(thread.messages))
    assert (
        "No entity"
        in run("graph", chats, "--root", thread.messages[0].ecs_id.hex[::-1], code=1).stderr
    )


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_graph_draws(ending: str, chats: Path, tmp_path: Path) -> None:
    out = tmp_path / f"picture.{ending}"
    done = run("graph", chats, "--types", "--out", out)
    assert done.stderr == f"Written: {out}\n"
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[ending]
    assert out.read_bytes().startswith(start)
    if ending == "svg":
        before = out.read_bytes()
        run("graph", chats, "--types", "--out", out)
        assert out.read_bytes() == before, "the same graph is the same file"


def test_graph_refuses_other_endings(chats: Path, tmp_path: Path) -> None:
    done = run("graph", chats, "--out", tmp_path / "x.dot", code=2)
    assert "'ecsviz export'" in done.stderr
    assert "goes with a store only" in run("graph", FILE, "--root", "x", code=1).stderr


def test_graph_of_another_database(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    execute(
        path,
        "create table staff (id integer primary key, store_id integer references store)",
        "create table store (id integer primary key, manager_id integer references staff)",
    )
    assert table(run("graph", path, "--cycles"))[0]["length"] == "2"
    assert "was not made by ecsviz" in run("info", path, code=1).stderr


# -- export -----------------------------------------------------------------------------------


def test_export_of_texts(chats: Path, tmp_path: Path) -> None:
    assert run("export", chats, "--to", "dot").stdout.startswith("digraph ecsviz {")
    read = nx.node_link_graph(json.loads(run("export", chats, "--to", "json").stdout))
    assert (read.number_of_nodes(), read.number_of_edges()) == (104, 380)
    data = json.loads(run("export", FILE, "--to", "cytoscape").stdout)
    assert len(data["elements"]["nodes"]) == 17
    assert run("export", chats, "--to", "mermaid", "--types").stdout.startswith("flowchart TD")
    schema = run("export", chats, "--to", "erdiagram").stdout
    assert schema.startswith("erDiagram\n")
    assert "ChatMessage" in schema or "chat_messages" in schema
    out = tmp_path / "x.graphml"
    assert run("export", chats, "--to", "graphml", "--out", out).stdout == ""
    assert nx.read_graphml(out, force_multigraph=True).number_of_edges() == 380


def test_export_of_chats(chats: Path, tmp_path: Path) -> None:
    for kind in ("chatgpt", "oasst"):
        out = tmp_path / kind
        for source in (chats, ev.samples.sample_file("chats")):
            run("export", source, "--to", kind, "--out", out)
            assert sum(len(thread.messages) for thread in ev.read_chat(out)) == 98
        assert run("export", source, "--to", kind).stdout == out.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["chatgpt", "oasst", "json", "dot", "graphml", "xlsx"])
def test_an_export_replaces_no_store(
    chats: Path, tmp_path: Path, kind: str, require_optional: Callable[[str], ModuleType]
) -> None:
    require_optional("openpyxl")
    other = tmp_path / "other.db"
    ev.SQLAlchemyEntityStorage(chats).backup(other)
    link = tmp_path / "link.json"
    link.symlink_to(chats)
    before = chats.read_bytes(), other.read_bytes()
    for out in (chats, other, link):
        code = 1 if out == other else 2
        done = run("export", chats, "--to", kind, "--out", out, code=code)
        assert "would be replaced" in done.stderr
    assert (chats.read_bytes(), other.read_bytes()) == before
    file = tmp_path / "conversations.json"
    file.write_bytes(ev.samples.sample_file("export").read_bytes())
    if kind != "xlsx":
        done = run("export", file, "--to", kind, "--out", file, code=2)
        assert "is SOURCE" in done.stderr


def test_repair(chats: Path, tmp_path: Path) -> None:
    whole = run("repair", chats, tmp_path / "whole.db")
    assert whole.stdout == "ok\n"
    damaged = ev.SQLAlchemyEntityStorage(chats).backup(tmp_path / "damaged.db")
    execute(damaged, "UPDATE chat_threads SET title = 'x' WHERE id = 1")
    told = table(run("repair", damaged, tmp_path / "sound.db", code=1))
    assert {row["what"] for row in told} == {"gone"}
    assert "holds" in run("repair", damaged, tmp_path / "sound.db", code=1).stderr
    told = table(run("repair", damaged, tmp_path / "all.db", "--doubtful", code=1))
    assert [row["what"] for row in told] == ["doubtful"]
    sizes = [
        len(ev.SQLAlchemyEntityStorage(tmp_path / f"{n}.db")) for n in ("whole", "sound", "all")
    ]
    assert sizes[0] == sizes[2] > sizes[1] > 0


def test_export_of_tables(
    chats: Path, tmp_path: Path, require_optional: Callable[[str], ModuleType]
) -> None:
    run("export", chats, "--to", "csv", "--out", tmp_path / "csv")
    files = {path.name for path in (tmp_path / "csv").iterdir()}
    assert files == {"chat_messages.csv", "chat_threads.csv"}
    frame = pd.read_csv(tmp_path / "csv" / "chat_messages.csv")
    assert len(frame) == 98
    assert {"ecs_id", "thread_ecs_id", "content"} <= set(frame.columns)
    printed = run("export", chats, "--to", "csv", "--table", "chat_threads").stdout
    assert len(pd.read_csv(io.StringIO(printed))) == 6
    require_optional("openpyxl")
    run("export", chats, "--to", "xlsx", "--out", tmp_path / "x.xlsx")
    assert list(pd.read_excel(tmp_path / "x.xlsx", sheet_name=None)) == [
        "chat_messages",
        "chat_threads",
    ]


def test_export_of_parquet(
    chats: Path, tmp_path: Path, require_optional: Callable[[str], ModuleType]
) -> None:
    require_optional("pyarrow")
    for source in (chats, ev.samples.sample_file("chats")):
        run("export", source, "--to", "parquet", "--out", tmp_path / "p")
        again = ev.from_frames(*ev.export.read_parquet(tmp_path / "p"))
        assert {e.ecs_id for e in again} == {
            e.ecs_id for e in ev.EntityDependencyGraph(ev.sample()).nodes
        }


def test_a_graph_in_a_folder(chats: Path, tmp_path: Path) -> None:
    out = tmp_path / "graph"
    run("export", chats, "--to", "parquet-graph", "--out", out)
    live = ev.EntityDependencyGraph(ev.sample())
    facts = dict(line.split("\t") for line in run("scale", out).stdout.splitlines()[:3])
    assert facts["nodes"] == str(len(live))
    assert facts["references"] == str(len(live.references))
    done = run("scale", out, "--components", "--in-cycle", "--degrees", "--limit", 1)
    sizes = [line.split("\t") for line in done.stdout.splitlines()]
    largest = max(map(len, live.cyclic_components()))
    assert [sizes[1][1], sizes[3][1]] == [str(largest)] * 2, "each chat is one component"
    most = int(live.nodes_frame()[["dependencies", "dependents"]].sum(axis=1).max())
    assert sum(map(int, sizes[5][2:])) == most
    assert "--limit shows more" in done.stderr
    run("import-parquet", out, "--store", tmp_path / "new.db")
    assert run("verify", tmp_path / "new.db").stdout == "ok\n"
    assert run("export", tmp_path / "new.db", "--to", "chatgpt").stdout == (
        run("export", chats, "--to", "chatgpt").stdout
    )
    assert "already" in run("import-parquet", out, "--store", chats, code=1).stderr
    (tmp_path / "calls.csv").write_text("a,b\nx,y\ny,x\n")
    done = run("scale", tmp_path / "calls.csv", "--source", "a", "--target", "b", "--in-cycle")
    assert done.stdout.splitlines()[1:] == ["1\t2"]
    assert (
        "is no store" in run("export", FILE, "--to", "parquet-graph", "--out", out, code=1).stderr
    )
    assert "cannot be read" in run("scale", tmp_path / "none", code=1).stderr


def test_export_neutralises_formulas(path: Path) -> None:
    ev.SQLAlchemyEntityStorage(path).register([ev.ChatThread(title=text) for text in ("=1+1", "a")])
    safe = run("export", path, "--to", "csv", "--table", "chat_threads").stdout
    assert "'=1+1" in safe
    unsafe = run("export", path, "--to", "csv", "--table", "chat_threads", "--unsafe").stdout
    assert "\n=1+1," in unsafe


class Base(ev.Entity):
    type: str = ""


class Sub(Base):
    pass


def test_export_has_each_entity_in_one_file(path: Path, tmp_path: Path) -> None:
    ev.SQLAlchemyEntityStorage(path).register([Base(type="one"), Sub(type="two")])
    run("export", path, "--to", "csv", "--out", tmp_path / "out")
    texts = {file.name: file.read_text() for file in (tmp_path / "out").glob("*.csv")}
    assert ("one" in texts["bases.csv"], "two" in texts["bases.csv"]) == (True, False)
    assert ("one" in texts["subs.csv"], "two" in texts["subs.csv"]) == (False, True)
    assert "Base" not in texts["bases.csv"]


def test_export_refuses(chats: Path) -> None:
    for kind in ("csv", "xlsx", "parquet", "parquet-graph"):
        assert f"--to {kind} needs --out" in run("export", chats, "--to", kind, code=2).stderr
    assert (
        "needs --out"
        in run("export", chats, "--to", "xlsx", "--table", "chat_threads", code=2).stderr
    )
    run("export", chats, "--to", "pickle", code=2)
    assert "is no store" in run("export", FILE, "--to", "csv", "--out", "x", code=1).stderr
    done = run("export", chats, "--to", "csv", "--table", "chat_thread", code=1)
    assert "Did you mean 'chat_threads'" in done.stderr


# -- all commands -----------------------------------------------------------------------------

READING = [
    ["info"],
    ["tables"],
    ["history"],
    ["verify"],
    ["graph"],
    ["export", "--to", "csv", "--out", "x"],
    ["export", "--to", "dot"],
]


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_reading_makes_no_store(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.db").touch()
    (tmp_path / "text.db").write_text("no database", encoding="utf-8")
    execute(tmp_path / "other.db", "create table t (x)")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name in (
        "missing.db",
        "no/such/folder.db",
        "sqlite:///missing.db",
        "empty.db",
        "text.db",
        ".",
    ):
        done = run(arguments[0], name, *arguments[1:], code=1)
        assert done.stdout == ""
        assert done.stderr.startswith("Error: ")
        assert len(done.stderr.splitlines()) == 1
        if name == "missing.db":
            assert re.search("There is no file|No such file", done.stderr)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_passwords_are_not_shown() -> None:
    done = run("info", "nosuch://user:hunter2@host/db", code=1)
    assert "hunter2" not in done.output


def test_a_store_in_postgresql(postgres_url: str, tmp_path: Path) -> None:
    url = postgres_url.replace("postgres:@", "postgres:hunter2@")
    assert "hunter2" in url
    outputs = [run("import", FILE, "--store", url)]
    outputs += [run(name, url) for name in ("info", "tables", "history", "verify", "graph")]
    outputs.append(run("export", url, "--to", "csv", "--out", tmp_path / "csv"))
    assert facts(outputs[0])["entities"] == "17"
    assert facts(outputs[-2])["nodes"] == "17"
    assert outputs[4].stdout == "ok\n"
    assert not any("hunter2" in done.output for done in outputs)


def test_stored_texts_do_not_steer_the_terminal(path: Path) -> None:
    ev.SQLAlchemyEntityStorage(path).register(
        [ev.ChatThread(title=text) for text in HOSTILE], note="\x1b[31m"
    )
    for arguments in (
        ["tables", path, "chat_threads"],
        ["history", path],
        ["info", path],
        ["graph", path, "--order"],
    ):
        done = run(*arguments)
        assert not set(done.stdout) & set("\x1b\x07\x9b\u202e\r\x0b")
    assert len(table(run("tables", path, "chat_threads"))) == len(HOSTILE)


def test_a_terminal_gets_aligned_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    output.show_table(["name", "n"], [["a", 1], ["long " * 30, None]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("name ")
    assert lines[1].index("1") == lines[0].index("n", 4)
    assert lines[2].endswith("…")
    assert all(len(line) < 80 for line in lines)
    output.show_facts([("a", 1), ("long", "x")])
    assert capsys.readouterr().out.splitlines() == ["a     1", "long  x"]


def test_a_closed_pipe_is_no_error(chats: Path, tmp_path: Path) -> None:
    python = [sys.executable, "-m", "ecsviz", "tables", str(chats), "chat_messages"]
    with subprocess.Popen(
        python, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=report.environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_poor_encoding_is_no_error(chats: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ecsviz", "tables", str(chats), "chat_threads"],
        capture_output=True,
        check=True,
        env={**report.environment(), "PYTHONIOENCODING": "latin-1"},
    )
    assert b"\\u2026" in done.stdout


def test_every_command_has_examples() -> None:
    for name, each in cli.cli.commands.items():
        if name not in ("demo", "lab"):
            help_text = run(name, "--help").output
            assert f"\n    ecsviz {name} " in help_text, help_text
            for option in each.params:
                if isinstance(option, click.Option) and option.name != "kind":
                    assert option.help, f"{name} {option.name} has no help"


def test_import_of_a_folder_reads_what_has_changed(tmp_path: Path) -> None:
    folder, store = tmp_path / "chats", tmp_path / "x.db"
    folder.mkdir()
    said = '{"id": "%s", "messages": [{"role": "user", "content": "%s"}]}'
    for name in "ab":
        (folder / f"{name}.json").write_text(said % (name, "Hi"))
    assert facts(run("import", folder, "--store", store))["threads"] == "2"
    again = run("import", folder, "--store", store)
    assert facts(again)["threads"] == "0"
    assert "--all reads it again" in again.stderr
    (folder / "b.json").write_text(said % ("b", "Hi there"))
    assert facts(run("import", folder, "--store", store))["threads"] == "1"
    assert facts(run("import", folder, "--store", store, "--all"))["threads"] == "2"


def test_import_that_watches(tmp_path: Path) -> None:
    folder, store = tmp_path / "chats", tmp_path / "x.db"
    folder.mkdir()
    said = '{"id": "%s", "messages": [{"role": "user", "content": "Hi"}]}'
    (folder / "a.json").write_text(said % "a")
    command = [sys.executable, "-m", "ecsviz", "import", str(folder)]
    command += ["--store", str(store), "--watch"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(5)]
            for name in ("b", "c"):
                (folder / f"{name}.json").write_text(f"[{said % name}, 7]")
                lines += [process.stdout.readline() for _ in range(5)]
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr is not None
        told = process.stderr.read()
    assert "ChatImportWarning" not in told
    assert told.count("Note: chats: 1 thing could not be placed") == 2
    assert [line.split() for line in lines if line.startswith("threads")] == [["threads", "1"]] * 3


def test_show_lists_chats_and_shows_one_by_number_id_or_title(chats: Path) -> None:
    listed = [line.split("\t") for line in run("show", chats).stdout.splitlines()]
    assert listed[0] == ["number", "title", "messages", "branches", "id"]
    number, title, messages, branches, ecs_id = listed[1]
    shown = run("show", chats, number).stdout
    assert shown.startswith(title)
    assert f" of {messages} messages, branch {branches} of {branches}" in shown
    assert run("show", chats, ecs_id).stdout == run("show", chats, title).stdout == shown
    assert run("show", chats, number, "--branch", "1").stdout != shown
    whole = run("show", chats, number, "--all").stdout
    assert len(re.findall(r"^\d+\. (?:user|assistant)", whole, flags=re.MULTILINE)) == int(messages)


def test_show_leaves_out_what_would_steer_a_terminal(tmp_path: Path) -> None:
    thread = ev.ChatThread(title="bad \x1b[31m\u202e title")
    text = "one\x1b]0;owned\x07\r\ntwo\x9b31m"
    call = ev.MessagePart(kind="tool_call\x1b[2J", tool="\x1bc", text="three\x1b[2J", name="\x07")
    thread.say("user\x1b[1m", [ev.MessagePart(kind="text", text=text), call]).author = "\x1b[5m"
    store = ev.SQLAlchemyEntityStorage(tmp_path / "bad.db")
    store.register(thread)
    store.close()
    shown = run("show", str(tmp_path / "bad.db")).stdout
    assert "two31m" in shown
    assert "three[2J" in shown
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("no such",), "There is no chat 'no such'"),
        (("999",), "There is no chat '999'"),
        (("e",), "Give a number"),
        (("1", "--branch", "99"), "branch is 99. Give a number from 1 to"),
    ],
)
def test_show_tells_what_is_not_there(chats: Path, arguments: tuple[str, ...], told: str) -> None:
    assert told in run("show", chats, *arguments, code=1).stderr
    run("show", chats, "1", "--branch", "1", "--all", code=2)


def test_show_fits_a_terminal_and_is_coloured_there_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = ev.ChatThread(title="Wide")
    thread.say("user", "word " * 50 + "\n    " + "code " * 20)
    with ev.SQLAlchemyEntityStorage(tmp_path / "wide.db") as store:
        store.register(thread)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    cli.cli(["show", str(tmp_path / "wide.db")], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "\x1b[36m" in shown
    lines = click.unstyle(shown).splitlines()
    assert max(map(len, lines)) < 40
    assert sum(line.startswith("    code") for line in lines) > 2
    piped = run("show", tmp_path / "wide.db").stdout
    assert "\x1b" not in piped
    assert "word " * 49 in piped
