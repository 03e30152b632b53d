"""SavePlan: the order of saving, the deferred references and the statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ecsviz.basics import order
from ecsviz.basics.html import Element, block, element, shown_of, table
from ecsviz.basics.order import NULLABLE, REQUIRED
from ecsviz.basics.text import counted
from ecsviz.domain.walk import Reference, Walk
from ecsviz.errors import short_repr

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = ("step", "what", "table", "rows", "statement")
MAX_STEPS = 30
"""How many steps a cell lists."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a save, run once for all its rows.

    Attributes
    ----------
    what
        ``create``, ``free`` (a unique value is given up that another row gets), ``insert``,
        ``update``, ``version`` (a list of it changed, its row did not), ``link`` (association
        rows), ``unlink``, ``position``, ``clear`` (the back-reference of what a list has lost),
        ``delete`` or ``defer`` (a deferred reference is filled in).
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
class Statement:
    """A statement as the database gets it.

    Attributes
    ----------
    text
        The SQL.
    parameters
        The first row of its parameters.
    rows
        How many rows of parameters it has.
    """

    text: str
    parameters: Any
    rows: int


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
    statements
        Of ``explain(sql=True)``: what writes, with its parameters, in order.

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
    statements: list[Statement] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.added or self.changed)

    def summary(self) -> str:
        """Return one sentence: how many entities, rows and statements."""
        rows = sum(step.rows for step in self.steps if step.what != "create")
        return (
            f"{self.added:,} new, {self.changed:,} changed, {self.unchanged:,} unchanged"
            f" entities: {counted(rows, 'row')} in {counted(len(self.steps), 'statement')},"
            f" {counted(len(self.deferred), 'deferred reference')}"
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

    def statements_frame(self) -> pd.DataFrame:
        """Return the statements as a DataFrame, of ``explain(sql=True)``.

        Returns
        -------
        DataFrame
            Columns ``statement``, ``rows`` (int: how many rows of parameters) and ``parameters``
            (the first of them, as text).

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> plan = store.explain(ev.ChatThread(title="Cycles"), sql=True)
        >>> frame = plan.statements_frame()
        >>> frame[frame["statement"].str.startswith("INSERT INTO chat_threads")]["rows"].tolist()
        [1]
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "statement": pd.Series([each.text for each in self.statements], dtype="str"),
                "rows": pd.Series([each.rows for each in self.statements], dtype="int64"),
                "parameters": pd.Series(
                    [_parameters(each) for each in self.statements], dtype="str"
                ),
            }
        )

    def _statements_html(self) -> list[Element]:
        if not self.statements:
            return []
        rows = [
            (" ".join(each.text.split()), each.rows, _parameters(each))
            for each in self.statements[:MAX_STEPS]
        ]
        left = len(self.statements) - len(rows)
        note = shown_of(len(rows), len(self.statements), "statements") if left else None
        shown = table(("statement", "rows", "parameters of the first"), rows, note=note)
        head = f"{len(self.statements):,} statements with their parameters"
        return [element("details", element("summary", head), shown)]

    def _repr_html_(self) -> str:
        rows = [
            (number, step.what, step.table, step.rows or None, step.statement)
            for number, step in enumerate(self.steps[:MAX_STEPS], 1)
        ]
        caption = f"Save plan: {self.summary()}"
        note = (
            shown_of(len(rows), len(self.steps), "steps") if len(rows) < len(self.steps) else None
        )
        steps = table(HEADINGS, rows, caption=caption, note=note)
        if not rows:
            steps = element("p", caption, look="line")
        notes = (element("p", line, look="note") for line in self.notes())
        return str(block(steps, *notes, *self._statements_html()))

    def __repr__(self) -> str:
        rows = [HEADINGS, *self.table()]
        widths = [max(len(row[n]) for row in rows) for n in range(len(HEADINGS) - 1)]
        lines = [
            "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[-1]]).rstrip()
            for row in rows
        ]
        return "\n".join([f"SavePlan: {self.summary()}", *lines, *self.notes()])


def _parameters(statement: Statement) -> str:
    values = statement.parameters
    if isinstance(values, Mapping):
        return ", ".join(f"{name}={short_repr(_plain(value))}" for name, value in values.items())
    return ", ".join(short_repr(_plain(value)) for value in values)


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


@dataclass(slots=True)
class NewReferences:
    """Foreign keys between new rows.

    Attributes
    ----------
    columns
        The columns that hold them: (type, field).
    nullable
        Per column whether it may be NULL.
    sources, targets
        Per reference the positions of its holder and of what is held.
    column_of
        Per reference the number of its column.
    """

    columns: list[tuple[str, str]] = field(default_factory=list)
    nullable: list[bool] = field(default_factory=list)
    sources: order.Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    targets: order.Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    column_of: order.Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.sources)

    def add(
        self, column: tuple[str, str], nullable: bool, sources: order.Ints, targets: order.Ints
    ) -> None:
        """Add the references of one column."""
        number = np.full(len(sources), len(self.columns), dtype=np.int64)
        self.columns.append(column)
        self.nullable.append(nullable)
        self.sources = np.concatenate([self.sources, sources])
        self.targets = np.concatenate([self.targets, targets])
        self.column_of = np.concatenate([self.column_of, number])


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
    rows: dict[str, order.Ints]
    deferred: list[int]


def deferred_of(
    inserts: InsertOrder, new: NewReferences, found: Walk
) -> tuple[list[Deferred], dict[tuple[str, str], int]]:
    """Return what is deferred, and by column how many rows are filled in by an UPDATE.

    Parameters
    ----------
    inserts, new
        The order of inserting, and the references that it is made of.
    found
        The walk in which they stand.
    """
    late = inserts.deferred
    if not late:
        return [], {}
    sources, column_of = new.sources[late].tolist(), new.column_of[late].tolist()
    wanted = {(s, new.columns[c][1]) for s, c in zip(sources, column_of, strict=True)}
    numbers: dict[tuple[int, str], int] = {}
    of_late = np.isin(np.asarray(found.sources), new.sources[late])
    for number in np.flatnonzero(of_late).tolist():
        key = found.sources[number], found.fields[found.slots[number]].name
        if key in wanted:
            numbers[key] = number
    deferred = []
    columns: dict[tuple[str, str], int] = {}
    for source, at in zip(sources, column_of, strict=True):
        column = new.columns[at]
        how = "update" if new.nullable[at] else "constraint"
        deferred.append(Deferred(found.reference(numbers[source, column[1]]), how))
        if new.nullable[at]:
            columns[column] = columns.get(column, 0) + 1
    return deferred, columns


def insert_order(groups: dict[str, order.Ints], references: NewReferences) -> InsertOrder:
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
    last = max((int(positions.max()) for positions in groups.values()), default=0)
    kinds = np.zeros(1 + last, dtype=np.int64)
    for n, name in enumerate(names):
        kinds[groups[name]] = n
    number = {name: n for n, name in enumerate(names)}
    owners = np.array([number[name] for name, _ in references.columns], dtype=np.int64)
    nullable = np.array(references.nullable, dtype=bool)
    targets = kinds[references.targets]
    within = owners[references.column_of] == targets
    # Between types, all references of one column to one type are one edge.
    edge_of = references.column_of * len(names) + targets
    edges = np.unique(edge_of[~within])
    columns = edges // max(1, len(names))
    found = order.topological_order(
        len(names),
        owners[columns],
        edges % max(1, len(names)),
        np.arange(len(names), dtype=np.int64),
        np.where(nullable[columns], NULLABLE, REQUIRED).astype(np.int64),
    )
    late = ~within & np.isin(edge_of, edges[found.deferred])
    result = InsertOrder(
        [names[n] for n in found.sequence.tolist()], {}, np.flatnonzero(late).tolist()
    )
    for name in result.types:
        own = np.flatnonzero(within & (targets == number[name]))
        result.rows[name], late_rows = _order_rows(groups[name], references, own, nullable)
        result.deferred += own[late_rows].tolist()
    return result


def _order_rows(
    positions: order.Ints, references: NewReferences, own: order.Ints, nullable: Any
) -> tuple[order.Ints, Any]:
    """Order the new rows of one type; also return which of its references lead forward."""
    if not len(own):
        return positions, slice(0, 0)
    local = np.zeros(int(positions.max()) + 1, dtype=np.int64)
    local[positions] = np.arange(len(positions))
    sources, targets = local[references.sources[own]], local[references.targets[own]]
    kinds = np.where(nullable[references.column_of[own]], NULLABLE, REQUIRED).astype(np.int64)
    rank = np.arange(len(positions), dtype=np.int64)
    found = order.topological_order(len(positions), sources, targets, rank, kinds)
    # A row that refers to itself is no obstacle: it exists when its own key is checked.
    late = found.deferred & (sources != targets)
    return positions[found.sequence], np.flatnonzero(late)
