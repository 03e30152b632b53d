"""What lies deep: everything that some rows lead to, by one recursive query."""

from __future__ import annotations

from collections.abc import Collection as CollectionOf
from collections.abc import Iterable
from collections.abc import Mapping as MappingOf

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.relational.schema.arcs import Arc
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.sql.dialects import row_of
from ecsviz.storage.sql.statements import columns_of, key_condition

Wanted = dict[str, dict[int, None]]
"""Row ids per type, each once, in order."""


def reach(
    conn: Connection,
    catalog: Catalog,
    starts: MappingOf[str, list[int]],
    kinds: CollectionOf[str],
) -> Wanted:
    """Return everything that some rows lead to.

    Parameters
    ----------
    conn, catalog
        A transaction, and what the store says of itself.
    starts
        Row ids per type.
    kinds
        The types whose own references are followed.

    Notes
    -----
    One statement, however deep it goes.

    By numbers: a thread, row 1, with the messages 1, 2 and 3, of which 2 answers 1 and 3 answers 2.
    Types have codes, here 0 for threads and 1 for messages, so that what is found is pairs of code
    and row id. It begins with (0, 1). The first round follows the list of the thread, the rows
    whose ``thread_id`` is 1: (1, 1), (1, 2) and (1, 3). From these the second round follows
    ``thread`` to (0, 1), ``parent`` to (1, 1) and (1, 2), ``replies`` to (1, 2) and (1, 3). All are
    known, UNION leaves them out, and the query ends: two rounds, however many messages there are.
    A chain of n answers that no list holds takes n rounds, still within the one statement.
    """
    arcs = _arcs(catalog, list(starts), kinds)
    codes = {
        name: n
        for n, name in enumerate(dict.fromkeys(n for a in arcs for n in (a.source, a.target)))
    }
    first = []
    for name, ids in starts.items():
        if name in codes:
            key = catalog.mapping.probe(name).c.id
            chosen = sa.select(sa.literal(codes[name]).label("t"), key.label("i"))
            first.append(chosen.where(key_condition(conn, key, ids)))
    if not first:
        return {}
    # A common table expression made of a compound select takes no union, that of a select does.
    begin = first[0] if len(first) == 1 else sa.select(sa.union_all(*first).subquery("starts"))
    found = begin.cte("reach", recursive=True)
    steps = [
        sa.select(sa.literal(codes[arc.target]).label("t"), arc.held.label("i")).where(
            arc.owner == found.c.i, found.c.t == codes[arc.source], *arc.there
        )
        for arc in arcs
    ]
    if row_of(conn).recursion == "often":
        whole = found.union(*steps)
    else:
        # Elsewhere the recursive part may name the result only once.
        each = sa.union_all(*(step.correlate(found) for step in steps)).lateral("each_step")
        whole = found.union(sa.select(each.c.t, each.c.i).select_from(found.join(each, sa.true())))
    codes_found, ids = columns_of(conn, sa.select(whole.c.t, whole.c.i))
    names = {number: name for name, number in codes.items()}
    wanted: Wanted = {}
    for code, row_id in zip(codes_found, ids, strict=True):
        wanted.setdefault(names[code], {})[row_id] = None
    return wanted


def _arcs(catalog: Catalog, names: list[str], kinds: CollectionOf[str]) -> list[Arc]:
    """Return every arc that can be met from some types."""
    arcs: list[Arc] = []
    seen = dict.fromkeys(names)
    queue = list(seen)
    for name in queue:
        found = catalog.arcs_from(catalog.classes_of([name])[0])
        arcs += found
        for arc in found:
            if arc.target in kinds and arc.target not in seen:
                seen[arc.target] = None
                queue.append(arc.target)
    return [arc for arc in arcs if arc.target in seen]


def want(wanted: Wanted, name: str, ids: Iterable[int | None]) -> None:
    """Add the row ids of one type to what is wanted; None is no id."""
    found = dict.fromkeys(ids)
    found.pop(None, None)
    if found:
        wanted.setdefault(name, {}).update(found)  # type: ignore[arg-type]  # None was taken out
