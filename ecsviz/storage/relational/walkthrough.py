"""What a store does with entities, step by step: its save plan, and the statements of a load."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final
from uuid import UUID

from ecsviz.basics.text import counted
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.errors import (
    GraphTooLargeError,
    InvalidArgumentError,
    NotAnEntityError,
    NotLoadedError,
    short_repr,
)
from ecsviz.graph.walks import MAX_STEPS, taken_part
from ecsviz.graph.walkthrough import (
    DONE,
    HELD,
    NOW,
    WAITING,
    Choice,
    Ground,
    Script,
    WalkStep,
    Walkthrough,
    ground_of,
)
from ecsviz.storage.relational.rehearsal import noted
from ecsviz.storage.relational.store import SQLAlchemyEntityStorage
from ecsviz.storage.save_plan import SavePlan, Statement, Step

MOST: Final = 10_000
"""Of more entities nobody looks at every statement."""
SAVE: Final = Script(
    "Saving",
    (
        "begin the transaction",
        "make the tables that are missing",
        "insert new rows, type by type, dependencies first",
        "update rows that have changed, and keep the old ones",
        "write places in lists, and association tables",
        "deferred references: fill in, now that both ends exist",
        "commit: keys hold, entities learn their versions",
    ),
    {
        "not written": WAITING,
        "written now": NOW,
        "a reference is missing": HELD,
        "written": DONE,
    },
)
LOAD: Final = Script(
    "Loading",
    (
        "look up which types there are, in which tables",
        "find the rows of what is asked for",
        "while there are keys of rows that are not read:",
        "    read their rows, a table at a time",
        "    read who is in their lists, and their association tables",
        "make the objects, then fill in values and references",
    ),
    {"not read": WAITING, "read now": NOW, "read": HELD, "an object": DONE},
)
LINES: Final = {
    "create": 2,
    "insert": 3,
    "model": 3,
    "defer": 6,
    "link": 5,
    "unlink": 5,
    "position": 5,
}
"""By what a step of the plan does, its line of the code; 4 for all others."""
SHOWN: Final = 160
"""How many characters of a statement are shown."""


def stored_walkthrough(
    graph: Any, what: str, *, around: Any, nodes: Any, pairs: Any, store: Any
) -> Walkthrough:
    """Show what a store does to save, or to load, a graph of entities; nothing is written.

    Parameters
    ----------
    graph
        Of entities.
    what
        ``"save"`` or ``"load"``.
    around, nodes, pairs
        Which of them the picture shows.
    store
        The store, which is only read; None for a new one in memory.

    Raises
    ------
    NotAnEntityError, NotLoadedError, GraphTooLargeError, InvalidArgumentError
        If these are no entities, are not loaded, are more than 10,000, or `store` is none.
    EcsvizError
        Whatever ``explain``, or ``get``, would raise.
    """
    entities = _checked(graph)
    if store is not None and not isinstance(store, SQLAlchemyEntityStorage):
        raise InvalidArgumentError(
            f"store is {short_repr(store)}. Give a SQLAlchemyEntityStorage, or None for a new one"
            " in memory.",
            argument="store",
            value=store,
        )
    part, note = taken_part(graph, around, nodes, pairs)
    ground = ground_of(part)
    with nullcontext(store) if store is not None else _scratch(what, entities) as asked:
        answer: Any
        if what == "save":
            answer, steps = _saved(asked, entities, ground)
        else:
            answer, steps = _loaded(asked, graph, ground)
    complete = len(steps) <= MAX_STEPS
    if not complete:
        note = f"{note} The first {MAX_STEPS:,} steps of {len(steps):,}.".strip()
        del steps[MAX_STEPS:]
    script = SAVE if what == "save" else LOAD
    return Walkthrough(what, part, script, steps, answer, note, complete=complete)


def _checked(graph: Any) -> list[Any]:
    entities = list(graph.nodes)
    other = next((node for node in entities if not is_entity_class(type(node))), None)
    if other is not None:
        raise NotAnEntityError(
            f"{short_repr(other)} in this graph is no entity, so no store saves it. Build the"
            " graph of entities: ev.EntityDependencyGraph(entity).",
            value=other,
        )
    if graph.left_out:
        raise NotLoadedError(
            f"{graph.left_out:,} entities of this graph are not loaded yet. Read it whole:"
            " store.get(ecs_id) without lazy=True.",
        )
    if len(entities) > MOST:
        raise GraphTooLargeError(
            f"{len(entities):,} entities are too many to look at every statement: the most are"
            f" {MOST:,}. Build the graph of a part of them.",
            n=len(entities),
            limit=MOST,
        )
    return entities


@contextmanager
def _scratch(what: str, entities: list[Any]) -> Iterator[SQLAlchemyEntityStorage]:
    """Open a store in memory; to load from it, one that holds copies: it tells them versions."""
    with SQLAlchemyEntityStorage(":memory:") as made:
        if what == "load" and entities:
            copies: list[Any] = copy.deepcopy(entities)
            for each in copies:
                each.__dict__["version"] = 0
            made.register(copies)
        yield made


# -- saving --------------------------------------------------------------------------------------


def _saved(
    store: SQLAlchemyEntityStorage, entities: list[Any], ground: Ground
) -> tuple[SavePlan, list[WalkStep]]:
    plan = store.explain(entities) if entities else SavePlan()
    stored = store.inside.stored_versions([entity.ecs_id for entity in entities])
    tables = {
        known.cls: known.table.name for known in store.inside.catalog.mapping.by_type.values()
    }
    return plan, list(_Saving(plan, ground, set(stored), tables).steps())


class _Saving:
    """A save plan as steps, and what is written so far."""

    def __init__(
        self, plan: SavePlan, ground: Ground, stored: set[UUID], tables: dict[type, str]
    ) -> None:
        self.plan, self.ground = plan, ground
        self.table_of = [tables.get(type(node), "") for node in ground.parts.nodes]
        self.stored = [node_id in stored for node_id in ground.parts.ids]
        self.done = list(self.stored)
        self.late = {id(item.reference.source) for item in plan.deferred if item.how == "update"}
        self.missing: set[int] = set()
        self.now: list[int] = []
        self.rows: list[str] = []

    def steps(self) -> Iterator[WalkStep]:
        yield self._step(1, f"Begin. {self.plan.summary()}.")
        inserts = [step for step in self.plan.steps if LINES.get(step.what) == 3]
        for step in self.plan.steps:
            line = LINES.get(step.what, 4)
            question, choices = "", {}
            if line == 3:
                question = "Whose rows come next?"
                choices = self._choices(step, [each.table for each in inserts])
            self._do(step, line)
            if step.rows:
                self.rows.append(f"{step.what} {step.table}: {step.rows:,}")
            yield self._step(line, self._text(step), step.statement, question, choices)
        self.now, self.missing = [], set()
        kept = "Commit: the keys hold." if self.plan else "Nothing to write: no revision is made."
        yield self._step(7, kept)

    def _do(self, step: Step, line: int) -> None:
        mine = [n for n, table in enumerate(self.table_of) if table == step.table]
        self.now = []
        if line == 3:
            self.now = [n for n in mine if not self.stored[n]]
            nodes = self.ground.parts.nodes
            self.missing |= {n for n in self.now if id(nodes[n]) in self.late}
            for n in self.now:
                self.done[n] = True
        elif line == 6:
            self.now = [n for n in mine if n in self.missing]
            self.missing -= set(self.now)

    def _text(self, step: Step) -> str:
        rows = counted(step.rows, "row")
        return {
            "create": f"Make the table {step.table}.",
            "insert": f"Insert {rows} into {step.table}"
            + ("; what is not there yet stays empty." if self.missing & set(self.now) else "."),
            "model": f"Hand {rows} of {step.table} to your own model.",
            "defer": f"Fill in {counted(step.rows, 'reference')} of {step.table}: both ends exist.",
            "link": f"Write {rows} of the association table {step.table}.",
            "unlink": f"Take {rows} out of the association table {step.table}.",
            "position": f"Write the places of {rows} of {step.table} in their lists.",
            "version": f"A list of {rows} of {step.table} has changed: a new version.",
            "clear": f"Empty the back-reference of {rows} of {step.table}, whom their list lost.",
            "delete": f"Delete {rows} of {step.table}.",
            "free": f"Give up {counted(step.rows, 'value')} of {step.table} that others get.",
        }.get(step.what, f"Update {rows} of {step.table}; the old ones go to its history.")

    def _choices(self, step: Step, tables: list[str]) -> dict[str, Choice]:
        done = {row.split(" ")[1].rstrip(":") for row in self.rows}
        order = " → ".join(self.plan.order)
        said = {}
        for table in sorted(set(tables)):
            why = "its rows are written already." if table in done else f"the order is {order}."
            said[table] = Choice(table == step.table, f"Not {table}: {why}")
        return said

    def _step(
        self,
        line: int,
        text: str,
        statement: str = "",
        question: str = "",
        choices: dict[str, Choice] | None = None,
    ) -> WalkStep:
        marks = ["written" if done else "not written" for done in self.done]
        for n in self.now:
            marks[n] = "written now"
        for n in self.missing:
            marks[n] = "a reference is missing"
        waiting = [
            repr(item.reference)
            for item in self.plan.deferred
            if item.how == "update" and line not in (6, 7)
        ]
        state = {
            "statement": statement or ("COMMIT" if line == 7 else "BEGIN"),
            "rows": "; ".join(self.rows) or "–",
            "deferred": "; ".join(waiting[:3]) + (" …" if len(waiting) > 3 else "") or "–",
        }
        return WalkStep(line, text, state, marks, question, choices or {})


# -- loading -------------------------------------------------------------------------------------


def _loaded(
    store: SQLAlchemyEntityStorage, graph: Any, ground: Ground
) -> tuple[list[Any], list[WalkStep]]:
    roots = _roots(graph)
    with noted(store.engine) as ran:
        found = store.get_many([node.ecs_id for node in roots]) if roots else []
    return found, list(_loading_steps(store, ran, ground, found))


def _roots(graph: Any) -> list[Any]:
    """Return one entity of every component that nothing else depends on: they lead to all."""
    component, parts = graph.ordering.component, graph.arrays
    between = component[parts.sources] != component[parts.targets]
    held = set(component[parts.targets[between]].tolist())
    first: dict[int, Any] = {}
    for number, node in zip(component.tolist(), parts.nodes, strict=True):
        if number not in held:
            first.setdefault(number, node)
    return list(first.values())


def _loading_steps(
    store: SQLAlchemyEntityStorage,
    ran: Iterable[Statement],
    ground: Ground,
    found: list[Any],
) -> Iterator[WalkStep]:
    own = {known.table.name for known in store.inside.catalog.mapping.by_type.values()}
    node_of = {node_id: number for number, node_id in enumerate(ground.parts.ids)}
    marks, rows = ["not read"] * len(ground.names), dict[str, int]()

    def step(line: int, text: str, statement: str) -> WalkStep:
        counts = "; ".join(f"{table}: {count:,}" for table, count in rows.items()) or "–"
        return WalkStep(line, text, {"statement": statement, "rows": counts}, list(marks))

    with store.inside.reading() as (conn, _):
        for each in ran:
            text = each.text
            table = next(iter(re.findall(r"FROM \"?([\w.]+)", text)), "")
            short = " ".join(text.split())
            short = short if len(short) <= SHOWN else f"{short[:SHOWN]}…"
            if not text.lstrip().upper().startswith(("SELECT", "WITH")):
                continue
            if table.startswith(("ecs_", "main.sqlite", "pg_")):
                yield step(1, "What does the store hold?", short)
                continue
            # Once more, to tell which rows there were: it is only read.
            read = conn.exec_driver_sql(text, each.parameters)
            names, data = list(read.keys()), read.fetchall()
            ids = [_uuid(row[names.index("ecs_id")]) for row in data] if "ecs_id" in names else []
            marks[:] = ["read" if mark == "read now" else mark for mark in marks]
            if "ecs_version" in names:
                for node_id in ids:
                    if node_id in node_of:
                        marks[node_of[node_id]] = "read now"
                rows[table] = rows.get(table, 0) + len(data)
                yield step(4, f"Read {counted(len(data), 'row')} of {table}.", short)
            elif ids or ("ecs_id" in names and table in own):
                said = counted(len(data), "row") + " there" if data else "nothing there"
                yield step(2, f"Is it in {table}? {said[0].upper()}{said[1:]}.", short)
            else:
                said = f"Read {counted(len(data), 'row')} of {table}: who is in which list."
                yield step(5, said, short)
    marks[:] = ["not read" if mark == "not read" else "an object" for mark in marks]
    made = f"{counted(len(found), 'entity')} asked for, and all that they lead to"
    yield step(6, f"Objects are made and filled: {made}.", "–")


def _uuid(value: Any) -> Any:
    """Return an id as the driver gives it as a UUID."""
    if isinstance(value, (bytes, memoryview)):
        return UUID(bytes=bytes(value))
    return UUID(value) if isinstance(value, str) else value
