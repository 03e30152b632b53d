"""SavePlan: the order of saving, the deferred references and the statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ecsviz import order
from ecsviz.order import NULLABLE, REQUIRED
from ecsviz.references import Reference

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = ("step", "what", "table", "rows", "statement")


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a save, run once for all its rows.

    Attributes
    ----------
    what
        ``create``, ``insert``, ``update``, ``version`` (a list of it changed, its row did not),
        ``link`` (association rows), ``unlink``, ``position`` or ``defer`` (a deferred reference
        is filled in).
    table
        The table.
    rows
        How many rows.
    statement
        The SQL, shortened.
    """

    what: str
    table: str
    rows: int
    statement: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """A reference that is written after both ends exist.

    Attributes
    ----------
    reference
        The reference.
    how
        ``"update"``: the column is NULL at first; ``"constraint"``: the column is required, and
        its foreign key is checked at the end of the transaction.
    """

    reference: Reference
    how: str


@dataclass(slots=True)
class SavePlan:
    """What `register` is about to do, or has done.

    Attributes
    ----------
    steps
        The statements in order.
    order
        The names of the types, dependencies first.
    deferred
        References that close cycles between rows that are new.
    added, changed, unchanged
        How many entities.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> plan = ev.SQLAlchemyEntityStorage(":memory:").explain(thread)
    >>> plan.added, plan.order, len(plan.deferred)
    (2, ['ChatThread', 'ChatMessage'], 0)
    """

    steps: list[Step] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    deferred: list[Deferred] = field(default_factory=list)
    inverse: list[str] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    unchanged: int = 0

    def __bool__(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.added or self.changed)

    def summary(self) -> str:
        """Return one sentence: how many entities, rows and statements."""
        rows = sum(step.rows for step in self.steps if step.what != "create")
        return (
            f"{self.added:,} new, {self.changed:,} changed, {self.unchanged:,} unchanged"
            f" entities: {rows:,} rows in {len(self.steps)} statements,"
            f" {len(self.deferred):,} deferred references"
        )

    def table(self) -> list[tuple[str, str, str, str, str]]:
        """Return the steps as rows of text under `HEADINGS`."""
        return [
            (str(n), s.what, s.table, f"{s.rows:,}" if s.rows else "", s.statement)
            for n, s in enumerate(self.steps, 1)
        ]

    def notes(self, limit: int = 10) -> list[str]:
        """Return what is deferred and what lists need no rows, as sentences."""
        lines = [f"order: {' → '.join(self.order)}"] if self.order else []
        lines += self.inverse
        for item in self.deferred[:limit]:
            how = {
                "update": "filled in by an UPDATE",
                "constraint": "checked at the end of the transaction",
            }[item.how]
            lines.append(f"deferred: {item.reference!r}, {how}")
        if len(self.deferred) > limit:
            lines.append(f"deferred: … {len(self.deferred) - limit:,} more")
        return lines

    def to_frame(self) -> pd.DataFrame:
        """Return the steps as a DataFrame.

        Returns
        -------
        DataFrame
            Columns ``step`` (int), ``what``, ``table``, ``rows`` (int) and ``statement``.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "step": range(1, len(self.steps) + 1),
                "what": [s.what for s in self.steps],
                "table": [s.table for s in self.steps],
                "rows": [s.rows for s in self.steps],
                "statement": [s.statement for s in self.steps],
            }
        )

    def _repr_html_(self) -> str:
        from ecsviz import reprs

        return reprs.plan_html(self)

    def __repr__(self) -> str:
        rows = [HEADINGS, *self.table()]
        widths = [max(len(row[n]) for row in rows) for n in range(len(HEADINGS) - 1)]
        lines = [
            "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[-1]]).rstrip()
            for row in rows
        ]
        return "\n".join([f"SavePlan: {self.summary()}", *lines, *self.notes()])


@dataclass(frozen=True, slots=True)
class NewReference:
    """A foreign key from one new row to another: what the order of inserting depends on.

    Attributes
    ----------
    source, target
        Positions of the entities.
    column
        Which foreign key, as (type name, field).
    nullable
        Whether the column may be NULL at first.
    """

    source: int
    target: int
    column: tuple[str, str]
    nullable: bool


@dataclass(slots=True)
class InsertOrder:
    """In which order new rows are inserted, and what is filled in afterwards.

    Attributes
    ----------
    types
        Type names, dependencies first.
    rows
        Per type the positions of its new entities, dependencies first.
    deferred
        Positions in the list of references: those that lead to a row inserted later.
    """

    types: list[str]
    rows: dict[str, list[int]]
    deferred: list[int]


def insert_order(groups: dict[str, list[int]], references: Sequence[NewReference]) -> InsertOrder:
    """Return the order of inserting new rows, one statement per type.

    Parameters
    ----------
    groups
        Per type the positions of its new entities.
    references
        The foreign keys between them.

    Notes
    -----
    Types come in topological order; between types on a cycle, the columns against that order
    are deferred (nullable ones first). Rows of a type that refers to itself come in topological
    order too; what is left are the references that close cycles. O((rows + references) log).
    """
    names = sorted(groups)
    number = {name: n for n, name in enumerate(names)}
    type_of = {position: name for name, group in groups.items() for position in group}
    columns: dict[tuple[str, str, str], bool] = {}
    for ref in references:
        target = type_of[ref.target]
        if target != ref.column[0]:
            columns[(*ref.column, target)] = ref.nullable
    ends = np.array([(number[a], number[c]) for a, _, c in columns], dtype=np.int64).reshape(-1, 2)
    kinds = np.array(
        [NULLABLE if nullable else REQUIRED for nullable in columns.values()], dtype=np.int64
    )
    found = order.topological_order(
        len(names), ends[:, 0], ends[:, 1], np.arange(len(names), dtype=np.int64), kinds
    )
    late = {key for key, is_late in zip(columns, found.deferred.tolist(), strict=True) if is_late}
    result = InsertOrder([names[n] for n in found.sequence.tolist()], {}, [])
    within: dict[str, list[int]] = {}
    for index, ref in enumerate(references):
        target = type_of[ref.target]
        if target == ref.column[0]:
            within.setdefault(target, []).append(index)
        elif (*ref.column, target) in late:
            result.deferred.append(index)
    for name in result.types:
        result.rows[name], late_rows = _order_rows(
            groups[name], [references[i] for i in within.get(name, ())]
        )
        result.deferred += [within[name][i] for i in late_rows]
    return result


def _order_rows(group: list[int], references: list[NewReference]) -> tuple[list[int], list[int]]:
    """Order the new rows of one type; also return which of its references lead forward."""
    if not references:
        return group, []
    local = {position: n for n, position in enumerate(group)}
    ends = np.array(
        [(local[r.source], local[r.target]) for r in references], dtype=np.int64
    ).reshape(-1, 2)
    kinds = np.array([NULLABLE if r.nullable else REQUIRED for r in references], dtype=np.int64)
    rank = np.arange(len(group), dtype=np.int64)
    found = order.topological_order(len(group), ends[:, 0], ends[:, 1], rank, kinds)
    rows = [group[n] for n in found.sequence.tolist()]
    # A row that refers to itself is no obstacle: it exists when its own key is checked.
    late = found.deferred & (ends[:, 0] != ends[:, 1])
    return rows, np.flatnonzero(late).tolist()
