"""Loading: rows of everything that the wanted entities lead to, then objects wired together."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.progress import step
from ecsviz.domain.objects import blanks, fill_all, shell, shells
from ecsviz.domain.post_init import run_post_init
from ecsviz.errors import BrokenReferenceError, StoredDataInvalidError
from ecsviz.storage.checks import present_only, whole_only
from ecsviz.storage.lazy_reading import ReadingStep
from ecsviz.storage.relational.load.closure import Wanted, reach, want
from ecsviz.storage.relational.load.ids import not_stored
from ecsviz.storage.relational.load.loaded_rows import (
    Loaded,
    bare_columns,
    broken_reference,
    entity_columns,
    lists_of,
    resolver,
)
from ecsviz.storage.relational.load.read_rows import ReadRows
from ecsviz.storage.relational.models.handwritten_rows import Making
from ecsviz.storage.relational.past.past_catalog import PastMapping
from ecsviz.storage.relational.schema.arcs import Arc, Kind, by_field
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import check_once
from ecsviz.storage.relational.schema.mapping import ClassMap, Collection, InverseList, RefColumn
from ecsviz.storage.sql.driver_values import exact_by_field
from ecsviz.storage.sql.statements import as_driver, columns_of, kept_columns, select_by_keys
from ecsviz.storage.together import TOGETHER
from ecsviz.values.codecs import JsonCodec, Refused, decoded, not_readable
from ecsviz.values.unfit import invalid

MAX_ROUNDS = 8
"""How many times the closure goes on level by level before one recursive query finds the rest."""


class Load:
    """One reading of entities and of all they lead to.

    Parameters
    ----------
    conn
        A transaction that sees one state.
    catalog
        The store's catalog, its types read.
    lazily
        The step of a lazy reading that this is; None if what is left out is never loaded.
    remembers
        Whether the store remembers what is read: in a transaction that finds what was committed.

    Notes
    -----
    A query per class and level for the first levels, then one recursive query for whatever lies
    deeper: the number of statements does not grow with the entities. Values are checked for
    their type, not validated again: a model's own validators ran when the entity was made.
    """

    def __init__(
        self,
        conn: Connection,
        catalog: Catalog,
        lazily: ReadingStep | None = None,
        remembers: bool = False,
    ) -> None:
        self.conn = conn
        self.catalog = catalog
        self.lazily = lazily
        newest = catalog.found_revision(conn) if remembers else None
        self._memory = ReadRows(None if isinstance(catalog.mapping, PastMapping) else newest)
        self.mapping = catalog.mapping
        self.loaded: dict[str, Loaded] = {}
        self.left_out: dict[str, set[int]] = {}  # row ids of what becomes a placeholder
        self._only: frozenset[str] | None = None
        self._followed: dict[str, int] = {}
        self._arcs: dict[str, list[Arc]] = {}  # by source

    # -- finding -----------------------------------------------------------------------------

    def find(
        self, ids: list[UUID], types: Iterable[str] | None = None
    ) -> dict[UUID, tuple[str, int]]:
        """Return the type and row id of each id that is stored."""
        result: dict[UUID, tuple[str, int]] = {}
        for name in self.mapping.stored if types is None else types:
            left = [ecs_id for ecs_id in ids if ecs_id not in result]
            if not left:
                break
            c = self.mapping.probe(name).c
            keys = as_driver(self.conn, c.ecs_id, left)  # texts are looked up faster than UUIDs
            query = kept_columns([c.ecs_id, c.id])
            found, rows = select_by_keys(self.conn, query, c.ecs_id, keys, raw=("ecs_id",))
            row_of = dict(zip(found, rows, strict=True))
            result |= {
                ecs_id: (name, row_of[key])
                for ecs_id, key in zip(left, keys, strict=True)
                if key in row_of
            }
        return result

    def find_all(self, ids: list[UUID]) -> dict[UUID, tuple[str, int]]:
        """Return the type and row id of each id.

        Raises
        ------
        EntityNotFoundError
            If one is not stored.
        """
        found = self.find(ids)
        for ecs_id in ids:
            if ecs_id not in found:
                raise not_stored(self.conn, self.catalog, ecs_id)
        return found

    def all_ids(self, name: str) -> list[int]:
        """Return the row ids of all entities of a type, in order."""
        table = self.mapping.probe(name)
        ids: list[int] = columns_of(self.conn, sa.select(table.c.id).order_by(table.c.id))[0]
        return ids

    # -- loading -----------------------------------------------------------------------------

    def load(
        self,
        roots: dict[str, list[int]],
        hops: int | None = None,
        only: Iterable[str] | None = None,
    ) -> Callable[[str, int], Any]:
        """Read the rows of the roots and of all they lead to; return a look-up of the objects.

        Parameters
        ----------
        roots
            Row ids per type.
        hops
            How many references to follow; None for all. What lies beyond becomes placeholders.
        only
            The types to read; of others there are placeholders. None for all.

        Raises
        ------
        UnknownTypeError
            If something is of a type for which no class is defined here.
        StoredDataInvalidError
            If a stored value does not fit its field.
        """
        self._only = None if only is None else frozenset(only)
        with collector_paused():
            if hops is None:
                self._load_closure(roots)
            else:
                self._load_hops(roots, hops)
            self._load_by_hand(hops is not None or only is not None)
            step("making")
            for loaded in self.loaded.values():
                self._make_shells(loaded)
            lists = lists_of(self.loaded.values())
            parts = list(map(self._to_fill, self.loaded.values()))
            for part in parts:
                step(f"filling {part.known.table.name}")
                self._fill(part, lists)
            # Nested values last: the validators of plain models may look at the entities inside.
            for part in parts:
                self._fill_nested(part)
            if self.lazily is None:
                self._run_post_init()
            whole = roots if hops is None and only is None and self.lazily is None else {}
            self._memory.remember(self.catalog.remembered, self.loaded, whole)
            if TOGETHER in self.conn.info:
                self.conn.info[TOGETHER].watch(e for x in self.loaded.values() for e in x.entities)
            if self.lazily is not None:  # from here on, others see it
                self.lazily.finish()
        return self.entity

    def entities(
        self,
        rows: list[tuple[str, int]],
        hops: int | None = None,
        only: Iterable[str] | None = None,
    ) -> list[Any]:
        """Return the entities of rows, each given by type and row id; see `load`."""
        roots: dict[str, list[int]] = {}
        for name, row_id in dict.fromkeys(rows):
            roots.setdefault(name, []).append(row_id)
        entity = self.load(roots, hops, only)
        return [entity(name, row_id) for name, row_id in rows]

    def _run_post_init(self) -> None:
        # What hand-written models made was made by a constructor.
        made = [loaded for loaded in self.loaded.values() if not loaded.known.by_hand]
        entities = itertools.chain.from_iterable(loaded.entities for loaded in made)
        run_post_init(entities, [loaded.known.cls for loaded in made])

    def entity(self, name: str, row_id: int) -> Any:
        """Return the object of a row that was read."""
        loaded = self.loaded.get(name)
        place = None if loaded is None else loaded.index.get(row_id)
        if loaded is None or place is None:
            raise broken_reference(name, row_id)
        return loaded.entities[place]

    def _load_closure(self, roots: dict[str, list[int]]) -> None:
        for name, ids in roots.items():
            self._read_rows(name, ids)
        followed = self._followed
        rounds = 0
        while fresh := self._fresh(followed):
            rounds += 1
            if rounds == MAX_ROUNDS:
                self._read_missing(self._reach(fresh))
                fresh = self._fresh(followed)
            followed.update((name, len(self.loaded[name].index)) for name in fresh)
            self._read_missing(self._follow_all(fresh, followed))

    def _reach(self, fresh: dict[str, int]) -> Wanted:
        """Return everything that the rows not followed yet lead to, by one recursive query."""
        starts = {}
        for name, start in fresh.items():
            out = self.left_out.get(name, ())
            starts[name] = [i for i in list(self.loaded[name].index)[start:] if i not in out]
        kinds = [name for name in self.mapping.stored if not self._is_left_out(name)]
        return reach(self.conn, self.catalog, starts, kinds)

    # -- what hand-written models keep -------------------------------------------------------

    def _load_by_hand(self, partial: bool) -> None:
        """Make the entities of hand-written models, and read whatever else they lead to."""
        if not any(self._by_hand()):
            return
        if isinstance(self.mapping, PastMapping):
            raise present_only(self.catalog.database)
        if partial:
            raise whole_only(self.catalog.database)
        making = Making(self.conn, self.mapping.models)
        with making.open(self):
            while True:
                for known, ids in self._missing(making):
                    making.make(known.cls, ids)
                met = making.read_links()
                self._read_met([*making.made, *met])
                self._load_closure({})
                if self._missing(making):
                    continue
                if not met:
                    break
                making.make_strangers(met)
            making.connect()
        for loaded in self.loaded.values():
            if loaded.known.by_hand:
                loaded.made = making.made

    def _by_hand(self) -> Iterator[tuple[ClassMap, list[UUID]]]:
        """Return the ids of what hand-written models hold, without placeholders."""
        for loaded in self.loaded.values():
            if loaded.known.by_hand:
                ids = self._whole(loaded, bare=True).columns["ecs_id"]
                if ids:
                    yield loaded.known, ids

    def _missing(self, making: Making) -> list[tuple[ClassMap, list[UUID]]]:
        """Return what hand-written models hold and have not made yet."""
        return [
            (known, left)
            for known, ids in self._by_hand()
            if (left := [ecs_id for ecs_id in ids if ecs_id not in making.made])
        ]

    def _read_met(self, ids: list[UUID]) -> None:
        """Read the store's own rows of entities that models have led to."""
        types = [name for name, stored in self.mapping.stored.items() if stored.by_hand]
        known = {i for name in types if name in self.loaded for i in self._ids_of(name)}
        met = [ecs_id for ecs_id in ids if ecs_id not in known]
        wanted: Wanted = {}
        for name, row_id in self.find(met, types).values():
            wanted.setdefault(name, {})[row_id] = None
        self._read_missing(wanted)

    def _ids_of(self, name: str) -> list[UUID]:
        ids: list[UUID] = self.loaded[name].columns["ecs_id"]
        return ids

    def promise(self, type_name: str, row_id: int) -> Any:
        """Return the entity of a row as it will be at the end of this load."""
        if row_id not in self._loaded(type_name).index:
            self._read_rows(type_name, [row_id])
        loaded = self._loaded(type_name)
        place = loaded.index.get(row_id)
        if place is None:
            return self.entity(type_name, row_id)  # tells that there is no such row
        if row_id not in loaded.promised:
            loaded.promised[row_id] = shell(loaded.known.cls, loaded.columns["ecs_id"][place])
        return loaded.promised[row_id]

    def _load_hops(self, roots: dict[str, list[int]], hops: int) -> None:
        for name, ids in roots.items():
            self._read_rows(name, ids)
        followed: dict[str, int] = {}
        for hop in range(hops + 1):
            fresh = self._fresh(followed)
            if not fresh:
                return
            followed.update((name, len(self.loaded[name].index)) for name in fresh)
            beyond = hop == hops
            self._read_missing(self._follow_all(fresh, followed, beyond), beyond)

    def _is_left_out(self, name: str) -> bool:
        return self._only is not None and name not in self._only

    def _whole(self, loaded: Loaded, bare: bool = False) -> Loaded:
        """Return what was read of a type without its placeholders."""
        out = self.left_out.get(loaded.known.type_name)
        if not out:
            return loaded
        keep = [n for n, row_id in enumerate(loaded.index) if row_id not in out]
        columns = {name: [column[n] for n in keep] for name, column in loaded.columns.items()}
        index = {row_id: n for n, row_id in enumerate(columns["id"])}
        entities = [] if bare else [loaded.entities[n] for n in keep]
        return Loaded(loaded.known, columns, index, entities, loaded.links)

    def _to_fill(self, loaded: Loaded) -> Loaded:
        """Return what is to get a state: of what others hold already, drafts."""
        whole = self._whole(loaded)
        if self.lazily is None:
            return whole
        return replace(whole, entities=self.lazily.drafts(whole.known.cls, whole.entities))

    def _fresh(self, followed: dict[str, int]) -> dict[str, int]:
        """Return the types with rows whose references were not followed, and the first of them."""
        return {
            name: followed.get(name, 0)
            for name, loaded in self.loaded.items()
            if len(loaded.index) > followed.get(name, 0)
        }

    def _follow_all(
        self, fresh: dict[str, int], until: dict[str, int], beyond: bool = False
    ) -> Wanted:
        """Read lists and links of the rows not followed yet; return what else they lead to.

        Notes
        -----
        Where it goes `beyond` what was asked for, only the ids of what they lead to are read.
        """
        wanted: Wanted = {}
        for name, start in fresh.items():
            loaded = self.loaded[name]
            ids, span = list(loaded.index)[start : until[name]], slice(start, until[name])
            out = self.left_out.get(name, ())
            if out:
                ids = [row_id for row_id in ids if row_id not in out]
            for arcs in by_field(self._arcs_from(loaded.known)):
                if arcs[0].has_table:
                    self._read_links(loaded, arcs, ids, wanted)
                    continue
                for arc in arcs:
                    if arc.kind is Kind.LIST:
                        self._read_members(arc, ids, wanted, beyond)
                        continue
                    held = loaded.columns[arc.held.name][span]
                    if out:
                        rows = zip(loaded.columns["id"][span], held, strict=True)
                        held = [there for row_id, there in rows if row_id not in out]
                    want(wanted, arc.target, held)
        return wanted

    def _arcs_from(self, known: ClassMap) -> list[Arc]:
        if known.type_name not in self._arcs:
            self._arcs[known.type_name] = self.catalog.arcs_from(known)
        return self._arcs[known.type_name]

    def _read_missing(self, wanted: Wanted, beyond: bool = False) -> None:
        for name, ids in wanted.items():
            have = self._loaded(name).index
            self._read_rows(name, [row_id for row_id in ids if row_id not in have], beyond)

    def _loaded(self, name: str) -> Loaded:
        found = self.loaded.get(name)
        if found is None:
            known = self.catalog.classes_of([name])[0]
            found = self.loaded[name] = Loaded(known, {c.name: [] for c in entity_columns(known)})
        return found

    def _read_rows(self, name: str, ids: list[int], beyond: bool | None = None) -> None:
        if ids:
            known = self._loaded(name).known
            bare = beyond or (beyond is not None and self._is_left_out(name))
            self._take(known, None, known.table.c.id, ids, bare)

    def _take(self, known: ClassMap, placed: Any, key: Any, ids: list[int], bare: bool) -> None:
        """Read rows, and add those that are not there yet; of placeholders only the ids."""
        wanted = bare_columns(known) if bare else entity_columns(known)
        step(f"reading {known.table.name}")
        columns = select_by_keys(self.conn, kept_columns(wanted, placed), key, ids)
        loaded = self._loaded(known.type_name)
        start = len(loaded.index)
        names = [c.name for c in wanted]
        check_once(known.table, columns[at := names.index("id")])
        if start and not loaded.index.keys().isdisjoint(columns[at]):
            keep = [n for n, row_id in enumerate(columns[at]) if row_id not in loaded.index]
            columns = [[column[n] for n in keep] for column in columns]
        if not start:
            loaded.columns.update(zip(names, columns, strict=True))
        for column_name, values in zip(names, columns, strict=True) if start else ():
            loaded.columns[column_name].extend(values)
        size = len(columns[at])
        for column_name in loaded.columns.keys() - set(names):
            loaded.columns[column_name].extend([None] * size)
        if bare:
            self.left_out.setdefault(known.type_name, set()).update(columns[at])
        loaded.index.update(zip(columns[at], range(start, start + len(columns[at])), strict=True))

    def _read_members(self, arc: Arc, ids: list[int], wanted: Wanted, beyond: bool) -> None:
        if arc.target not in self.loaded:
            bare = beyond or self._is_left_out(arc.target)
            known = self._loaded(arc.target).known
            c = known.table.c
            self._take(known, c[arc.position.name], c[arc.owner.name], ids, bare)
        else:  # many of them may be there already
            query = kept_columns([arc.held], arc.position)
            want(wanted, arc.target, select_by_keys(self.conn, query, arc.owner, ids)[0])

    def _read_links(self, loaded: Loaded, arcs: list[Arc], ids: list[int], wanted: Wanted) -> None:
        """Read the rows of an association table: owner, position, what is held, key."""
        first = arcs[0]
        columns = [first.owner, first.position, *(arc.held for arc in arcs)]
        columns += [] if first.key is None else [first.key]
        rows = select_by_keys(self.conn, kept_columns(columns), first.owner, ids)
        have = loaded.links.setdefault(first.field, [[] for _ in columns])
        for there, more in zip(have, rows, strict=True):
            there.extend(more)
        for arc, values in zip(arcs, rows[2:], strict=False):
            want(wanted, arc.target, values)

    # -- making objects ----------------------------------------------------------------------

    def _make_shells(self, loaded: Loaded) -> None:
        cls, ids = loaded.known.cls, loaded.columns["ecs_id"]
        if self.lazily is not None:
            loaded.entities = self.lazily.objects(cls, ids)
            return
        if not loaded.promised and not loaded.made:
            # Placeholders get no state; what stands in collections is looked at before it has one.
            maps = [each.known for each in self.loaded.values()]
            named = self.left_out or any(each.collections or each.by_hand for each in maps)
            loaded.entities = shells(cls, ids) if named else blanks(cls, len(ids))
            return
        here: list[Any] = [loaded.promised.get(row_id) for row_id in loaded.index]
        here = [loaded.made.get(i, entity) for i, entity in zip(ids, here, strict=True)]
        loaded.entities = [
            shell(cls, ecs_id) if entity is None else entity
            for entity, ecs_id in zip(here, ids, strict=True)
        ]
        for entity in loaded.entities:
            if type(entity) is not cls:
                raise StoredDataInvalidError(
                    f"to_entity() of the model of {cls.__name__} made a {type(entity).__name__}"
                    f" for {entity.ecs_id}. Give {cls.__name__} a model of its own in models=.",
                    ecs_id=entity.ecs_id,
                )

    def _fill(self, loaded: Loaded, lists: dict[tuple[str, str, int], list[Any]]) -> None:
        known, columns = loaded.known, loaded.columns
        values: dict[str, list[Any]] = {
            "ecs_id": columns["ecs_id"],
            "lineage_id": columns["ecs_lineage_id"],
            "parent_id": columns["ecs_parent_id"],
            "version": columns["ecs_version"],
        }
        row_ids = columns["id"]
        exact = exact_by_field(known.table.name, row_ids, columns["ecs_exact"])
        for value in known.values:
            place, there = (known.table.name, value.column.name), exact.get(value.name)
            stored = columns[value.column.name]
            values[value.name] = decoded(value.codec, stored, place, row_ids, there)
        for item in known.references:
            if isinstance(item, RefColumn):
                held = self._singles(loaded, item)
            elif isinstance(item, InverseList):
                held = [lists.get((known.type_name, item.name, i), []) for i in row_ids]
            elif item.skeleton is None:
                held = self._collections(loaded, item)
            else:
                held = [None] * len(row_ids)
            values[item.name] = held
        if known.by_hand:  # the rest is there already
            for entity, row in zip(
                loaded.entities, zip(*values.values(), strict=True), strict=True
            ):
                entity.__dict__.update(zip(values, row, strict=True))
            return
        names = [name for name in known.cls.model_fields if name in values]  # type: ignore[attr-defined]  # a pydantic model
        rows = fill_all(known.cls, loaded.entities, names, [values[name] for name in names])
        self._memory.note(loaded, rows, values)

    def _singles(self, loaded: Loaded, ref: RefColumn) -> list[Any]:
        result: list[Any] = [None] * len(loaded.index)
        for target, column in ref.arcs.items():
            stored = loaded.columns[column.name]
            if target not in self.loaded:
                place = next((n for n, row_id in enumerate(stored) if row_id is not None), None)
                if place is not None:
                    raise self._broken_at(loaded, target, column.name, place)
                continue
            index, entities = self.loaded[target].index, self.loaded[target].entities
            try:
                if None not in stored and len(ref.arcs) == 1:
                    return [entities[place] for place in map(index.__getitem__, stored)]
                for place, row_id in enumerate(stored):
                    if row_id is not None:
                        result[place] = entities[index[row_id]]
            except KeyError as err:
                place = stored.index(err.args[0])
                raise self._broken_at(loaded, target, column.name, place) from None
        if ref.plan.required and any(held is None for held in result):
            place = next(n for n, held in enumerate(result) if held is None)
            raise invalid(
                loaded.known.table.name,
                next(iter(ref.arcs.values())).name,
                loaded.columns["id"][place],
                f"is NULL, but {ref.plan.place} requires an entity",
            )
        return result

    def _broken_at(
        self, loaded: Loaded, target: str, column: str, place: int
    ) -> BrokenReferenceError:
        held, row = loaded.columns[column][place], loaded.columns["id"][place]
        return broken_reference(target, held, loaded.known.table.name, column, row)

    def _members(self, loaded: Loaded, collection: Collection) -> list[list[tuple[int, Any, Any]]]:
        """Return per row the (position, key, entity) of a collection, in order."""
        members: list[list[tuple[int, Any, Any]]] = [[] for _ in loaded.index]
        links = loaded.links.get(collection.name) or [[] for _ in collection.columns]
        owners, positions, *rest = links
        arcs = list(collection.arcs)
        keys: list[Any] = [None] * len(owners)
        if collection.key is not None:
            name = collection.key.column.name
            at = list(zip(owners, positions, strict=True))
            keys = decoded(collection.key.codec, rest[len(arcs)], (collection.table.name, name), at)
        for n, owner in enumerate(owners):
            target = None
            for arc, column in zip(arcs, rest, strict=False):
                if column[n] is not None:
                    target = self._held(collection, arc, column[n], (owner, positions[n]))
            if target is None:
                name = next(iter(collection.arcs.values())).name
                key = (owner, positions[n])
                raise invalid(collection.table.name, name, key, "is NULL: it refers to nothing")
            members[loaded.index[owner]].append((positions[n], keys[n], target))
        for row in members:
            row.sort(key=operator.itemgetter(0))
        return members

    def _held(self, collection: Collection, arc: str, row_id: int, key: Any) -> Any:
        loaded = self.loaded.get(arc)
        if loaded is None or row_id not in loaded.index:
            column = collection.arcs[arc].name
            raise broken_reference(arc, row_id, collection.table.name, column, key)
        return loaded.entities[loaded.index[row_id]]

    def _collections(self, loaded: Loaded, collection: Collection) -> list[Any]:
        members = self._members(loaded, collection)
        if collection.key is not None:
            return [{key: entity for _, key, entity in row} for row in members]
        container: Any = collection.plan.container
        return [container(entity for _, _, entity in row) for row in members]

    def _fill_nested(self, loaded: Loaded) -> None:
        for collection in loaded.known.collections:
            if collection.skeleton is None:
                continue
            codec, column = collection.skeleton.codec, collection.skeleton.column
            assert isinstance(codec, JsonCodec)
            members = self._members(loaded, collection)
            for place, text in enumerate(loaded.columns[column.name]):
                if text is None:
                    continue
                try:
                    value = codec.read(text, place, resolver(members[place]))
                except Refused as refused:
                    row_id = loaded.columns["id"][place]
                    name = loaded.known.table.name
                    error = not_readable(refused, name, column.name, row_id)
                    raise error from refused.__cause__
                loaded.entities[place].__dict__[collection.name] = value
