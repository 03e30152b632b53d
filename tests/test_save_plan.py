"""The order of inserts, and which references are written later."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz.errors import StorageReadOnlyError
from ecsviz.storage.relational.rehearsal import WRITES, noted
from ecsviz.storage.save_plan import InsertOrder, NewReferences, SavePlan, Step, insert_order

Ref = tuple[int, int, tuple[str, str], bool]


def ref(source: int, target: int, kind: str, field: str, nullable: bool) -> Ref:
    return source, target, (kind, field), nullable


def new(*references: Ref) -> NewReferences:
    """The references of one column must be given together."""
    result = NewReferences()
    columns = dict.fromkeys((column, nullable) for *_, column, nullable in references)
    for column, nullable in columns:
        ends = [(s, t) for s, t, c, _ in references if c == column]
        result.add(column, nullable, *np.array(ends, dtype=np.int64).T)
    return result


def ordered(groups: dict[str, list[int]], references: NewReferences) -> InsertOrder:
    every = {name: np.array(positions, dtype=np.int64) for name, positions in groups.items()}
    return insert_order(every, references)


def test_what_is_referred_to_comes_first() -> None:
    order = ordered({"A": [0], "B": [1]}, new(ref(0, 1, "A", "b", False)))
    assert (order.types, order.deferred) == (["B", "A"], [])


def test_of_a_cycle_the_nullable_side_is_written_later() -> None:
    references = [ref(0, 1, "A", "b", False), ref(1, 0, "B", "a", True)]
    order = ordered({"A": [0], "B": [1]}, new(*references))
    assert (order.types, order.deferred) == (["B", "A"], [1])
    swapped = [ref(0, 1, "A", "b", True), ref(1, 0, "B", "a", False)]
    order = ordered({"A": [0], "B": [1]}, new(*swapped))
    assert (order.types, order.deferred) == (["A", "B"], [0])


def test_rows_of_one_table_are_ordered_too() -> None:
    chain = [ref(n, n + 1, "A", "next", True) for n in range(4)]
    order = ordered({"A": [0, 1, 2, 3, 4]}, new(*chain))
    assert (order.rows["A"].tolist(), order.deferred) == ([4, 3, 2, 1, 0], [])


def test_a_row_that_refers_to_itself_is_no_obstacle() -> None:
    assert ordered({"A": [0]}, new(ref(0, 0, "A", "me", False))).deferred == []


def test_a_ring_of_rows_defers_one() -> None:
    ring = [ref(n, (n + 1) % 5, "A", "next", True) for n in range(5)]
    assert len(ordered({"A": list(range(5))}, new(*ring)).deferred) == 1


@given(
    edges=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.booleans()), max_size=20),
    kinds=st.lists(st.sampled_from("ABC"), min_size=8, max_size=8),
)
def test_at_every_insert_what_it_needs_is_there(
    edges: list[tuple[int, int, bool]], kinds: list[str]
) -> None:
    groups: dict[str, list[int]] = {}
    for position, kind in enumerate(kinds):
        groups.setdefault(kind, []).append(position)
    references = [
        ref(a, b, kinds[a], f"f{n}", nullable) for n, (a, b, nullable) in enumerate(edges)
    ]
    order = ordered(groups, new(*references))
    assert sorted(order.types) == sorted(groups)
    sequence = [position for name in order.types for position in order.rows[name].tolist()]
    assert sorted(sequence) == list(range(8))
    place = {position: n for n, position in enumerate(sequence)}
    for n, (source, target, _, _) in enumerate(references):
        if n not in order.deferred:
            assert place[target] <= place[source]


def test_a_plan_says_what_it_does() -> None:
    assert not SavePlan(unchanged=3)
    plan = SavePlan([Step("insert", "pages", 2, "INSERT INTO pages")], ["Page"], added=2)
    assert plan
    assert plan.table() == [("1", "insert", "pages", "2", "INSERT INTO pages")]
    assert "2 new, 0 changed" in plan.summary()
    assert plan.to_frame()["rows"].tolist() == [2]
    assert ev.SavePlan is SavePlan


def test_the_statements_are_those_that_register_runs_and_nothing_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "plan.db"
    thread = ev.ChatThread(title="Cycles")
    question = thread.say("user", "<b>What</b> is a cycle?")
    with ev.SQLAlchemyEntityStorage(path) as store:
        plan = store.explain(thread, sql=True)
        assert not path.exists()
        assert repr(plan) == repr(store.explain(thread)), "what one sees of it else stays"
        assert store.explain(thread).statements == []
        for edit in (lambda: None, lambda: setattr(question, "content", "And an order?")):
            edit()
            before = path.read_bytes() if path.exists() else None, thread.version, question.version
            told = store.explain(thread, sql=True).statements
            after = path.read_bytes() if path.exists() else None, thread.version, question.version
            assert after == before
            with noted(store.engine) as ran:
                store.register(thread)
            real = [each for each in ran if each.text.upper().startswith(WRITES)]
            # Indexes come in any order.
            assert Counter((e.text, e.rows) for e in told) == Counter(
                (e.text, e.rows) for e in real
            )
        assert any("And an order?" in each.parameters for each in told)
        assert store.explain(thread, sql=True).statements == []
        with store.transaction():
            thread.title = "an order"
            plan = store.explain(thread, sql=True)
            store.register(thread)
        assert "statements with their parameters" in plan._repr_html_()
        frame = plan.statements_frame()
        assert frame.shape == (len(plan.statements), 3)
        assert frame["parameters"].str.contains("'an order'").sum() == 1
        assert store.revisions().shape[0] == 3
        assert (thread.version, question.version) == (2, 2)
        assert not len(store.verify())
    thread.title = "read only"
    with (
        ev.SQLAlchemyEntityStorage(path, read_only=True) as store,
        pytest.raises(StorageReadOnlyError),
    ):
        store.explain(thread, sql=True)
