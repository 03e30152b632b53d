"""Loading in memory: new objects made of the stored states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from ecsviz.basics.garbage import collector_paused
from ecsviz.domain.entity_class import derives_from, newest_definition, type_key
from ecsviz.domain.fields import class_plan, complete_fields
from ecsviz.domain.objects import default_of, fill, shell
from ecsviz.domain.post_init import run_post_init
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.checks import differences, outdated
from ecsviz.storage.copies import copied
from ecsviz.storage.lazy_reading import LazyReading, Read, ReadingStep
from ecsviz.storage.memory.kept import Held, Kept, Record
from ecsviz.storage.memory.unique import fit_declared
from ecsviz.storage.protocol import check_first_rows, not_found
from ecsviz.values.field_codecs import check_class, describe, with_referenced

WHERE = "this storage"


def load(
    kept: Kept,
    stored: Mapping[UUID, Record],
    ids: list[UUID],
    hops: int | None = None,
    only: list[type] | None = None,
    lazily: ReadingStep | None = None,
) -> list[Any]:
    """Return entities with what they lead to.

    Parameters
    ----------
    kept
        What the storage keeps.
    stored
        Its states of now, or of then.
    ids, hops, only
        What `get_many` was given.
    lazily
        The step of a lazy reading that this is; None if what is left out is never loaded.

    Raises
    ------
    EntityNotFoundError
        If one is not stored.
    """
    check_stored(stored, ids)
    # Breadth first, so that each is met on the shortest way.
    depths = dict.fromkeys(ids, 0)
    queue, whole = list(depths), set(depths)
    for ecs_id in queue:
        if ecs_id not in whole:
            continue
        depth = depths[ecs_id] + 1
        for other in stored[ecs_id].held:
            if other not in depths:
                depths[other] = depth
                queue.append(other)
                kind = newest_definition(stored[other].cls)
                if (hops is None or depth <= hops) and (
                    only is None or any(derives_from(kind, cls) for cls in only)
                ):
                    whole.add(other)
    records = {ecs_id: stored[ecs_id] for ecs_id in queue}
    check_classes(kept, {record.cls for record in records.values()})
    if lazily is None:
        entities = {i: shell(newest_definition(r.cls), i) for i, r in records.items()}
        _fill(entities, records, whole, entities)
        run_post_init(entities.values(), set(map(type, entities.values())))
    else:
        entities = _objects(records, lazily)
        filled = [i for i in records if i in whole]
        drafts = {
            i: lazily.drafts(newest_definition(records[i].cls), [entities[i]])[0] for i in filled
        }
        _fill(drafts, records, whole, entities)
        lazily.finish()
    if kept.together is not None:
        kept.together.watch(entities.values())
    return [entities[ecs_id] for ecs_id in ids]


def _objects(records: Mapping[UUID, Record], lazily: ReadingStep) -> dict[UUID, Any]:
    by_class: dict[type, list[UUID]] = {}
    for ecs_id, record in records.items():
        by_class.setdefault(newest_definition(record.cls), []).append(ecs_id)
    found: dict[UUID, Any] = {}
    for cls, ids in by_class.items():
        found.update(zip(ids, lazily.objects(cls, ids), strict=True))
    return found


def _fill(
    shells: Mapping[UUID, Any],
    records: Mapping[UUID, Record],
    whole: set[UUID],
    entities: Mapping[UUID, Any],
) -> None:
    """Give shells the states of records that are whole, with entities in them."""

    def resolve(part: Any) -> Any:
        return entities[part.ecs_id] if type(part) is Held else NotImplemented

    for ecs_id, record in records.items():
        if ecs_id not in whole:
            continue
        values: dict[str, Any] = {
            "ecs_id": ecs_id,
            "lineage_id": record.lineage_id,
            "parent_id": record.parent_id,
            "version": record.version,
        }
        for name, value in record.state.items():
            values[name] = copied(value, resolve)
        entity = shells[ecs_id]
        ordered = {name: values[name] for name in type(entity).model_fields if name in values}
        fill(entity, ordered, set(ordered))


def load_lazily(
    kept: Kept, as_of: AsOf, ids: list[UUID], hops: int | None, only: list[type] | None
) -> list[Any]:
    """Return entities with placeholders that load on first touch; see `load`."""
    stored = kept.at(as_of)
    revision = kept.newest if as_of is None else kept.revision_at(as_of)
    with LazyReading(partial(_open_at, kept, revision), revision).step() as step:
        return load(kept, stored, ids, hops, only, step)


@contextmanager
def _open_at(kept: Kept, revision: int) -> Iterator[Read]:
    with kept.lock, collector_paused():
        stored = kept.at(revision)

        def read(step: ReadingStep, ids: dict[type, list[UUID]]) -> None:
            load(kept, stored, [i for some in ids.values() for i in some], hops=0, lazily=step)

        yield read


def check_stored(stored: Mapping[UUID, Record], ids: Iterable[UUID]) -> None:
    """Raise EntityNotFoundError if an id is not stored."""
    for ecs_id in ids:
        if ecs_id not in stored:
            raise not_found(ecs_id, stored, WHERE)


def records_of(stored: Mapping[UUID, Record], cls: type) -> list[Record]:
    """Return the records of a class and its subclasses, in the order of listing."""
    kinds = {record.cls for record in stored.values()}
    wanted = {kind for kind in kinds if derives_from(newest_definition(kind), cls)}
    if not wanted:
        check_first_rows(cls, map(type_key, kinds))
    found = [record for record in stored.values() if record.cls in wanted]
    return sorted(found, key=lambda record: (record.cls.__name__, record.number))


# -- classes ---------------------------------------------------------------------------------


def check_classes(kept: Kept, classes: Iterable[type]) -> dict[tuple[str, str], dict[str, str]]:
    """Return what each class that is new here stores, in its newest definition.

    Raises
    ------
    UnsupportedFieldError, SchemaOutdatedError
        If a class cannot be stored, or was defined anew with other fields.
    """
    result = {}
    for cls in with_referenced(classes):
        check_class(cls)
        stored = kept.types.get(type_key(cls))
        if stored is None:
            result[type_key(cls)] = describe(cls)
        elif not _add_fields(kept, cls, stored):
            raise outdated(
                cls,
                differences(stored, describe(cls)),
                "entities in this storage",
                "A storage in memory takes further fields with a default alone. Define the"
                " class as it was stored, give it another name, or use a new storage.",
            )
    return result


def _add_fields(kept: Kept, cls: Any, stored: dict[str, str]) -> bool:
    """Give stored entities the defaults of further fields; False if that is not all.

    O(entities), where there are such fields.
    """
    now = describe(cls)
    if now == stored:
        return True
    added = [name for name in now if name not in stored]
    plans = {plan.name for plan in class_plan(cls).fields}
    if any(_type(now.get(name)) != _type(kind) for name, kind in stored.items()) or any(
        info.is_required() or (name in plans and default_of(info, {}))
        for name, info in complete_fields(cls).items()
        if name in added
    ):
        return False
    own = [record for record in kept.records.values() if type_key(record.cls) == type_key(cls)]
    if not fit_declared(cls, kept.records, own, {n: complete_fields(cls)[n] for n in added}):
        return False
    past = (record for states in kept.past.values() for record, _ in states)
    for record in (*kept.records.values(), *past):
        if type_key(record.cls) == type_key(cls):
            for name in added:  # in place, for those who read at this moment
                info = complete_fields(cls)[name]
                record.state.setdefault(name, default_of(info, record.state))
    kept.types[type_key(cls)] = now
    return True


def _type(described: str | None) -> str | None:
    """Return what `describe` says of a field, without what is declared of its column."""
    return described and described.partition(" [")[0]
