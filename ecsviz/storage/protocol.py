"""EntityStorage: what every storage offers, and the checks that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from operator import eq
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, runtime_checkable
from uuid import UUID

from ecsviz.basics.arguments import flag, listed, natural_number
from ecsviz.domain.diff import GraphDiff
from ecsviz.domain.entity import Entity
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.errors import (
    EXAMPLE,
    EntityNotFoundError,
    InvalidArgumentError,
    InvalidIdError,
    NotAnEntityError,
    UnknownTypeError,
    short_repr,
)
from ecsviz.graph.arrays import as_roots
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.hits import Hits

if TYPE_CHECKING:
    import pandas as pd

E_ = TypeVar("E_", bound=Entity)
Match = str | Iterable[str] | Mapping[Any, str | Iterable[str]]
"""The names of the fields that are a natural key; or these by class."""


@runtime_checkable
class EntityStorage(Protocol):
    """What every storage of entity graphs offers.

    The conformance suite in ``tests/conformance`` is written against this Protocol: a storage
    that passes it stores graphs as described in the documentation of these methods.
    """

    def register(
        self,
        entity_or_entities: Any,
        note: str | None = None,
        *,
        hops: int | None = None,
        match: Match | None = None,
        progress: bool | None = None,
    ) -> Any:
        """Store entities with everything they lead to, in one transaction; return what was given.

        An id instead of an entity is looked up, as by `get`.
        """
        ...

    def get(
        self,
        ecs_id: UUID | str,
        expected_type: type[E_] | None = None,
        *,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        check: bool = False,
        progress: bool | None = None,
    ) -> Any:
        """Return the entity of an id, with everything it leads to, or with its neighbourhood."""
        ...

    def get_many(
        self,
        ecs_ids: Iterable[UUID | str],
        *,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        check: bool = False,
        progress: bool | None = None,
    ) -> list[Any]:
        """Return several entities that share what they have in common."""
        ...

    def list_by_type(self, cls: type[E_], *, as_of: AsOf = None) -> list[E_]:
        """Return all entities of a class and its subclasses: by class, each as they were stored."""
        ...

    def find(
        self,
        cls: type[E_],
        *,
        order_by: str | Iterable[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        **fields: Any,
    ) -> list[E_]:
        """Return the entities of a class whose fields are as they are asked for."""
        ...

    def first(
        self,
        cls: type[E_],
        *,
        order_by: str | Iterable[str] | None = None,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        **fields: Any,
    ) -> E_ | None:
        """Return the first entity that fits, None if there is none."""
        ...

    def one(
        self,
        cls: type[E_],
        *,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        **fields: Any,
    ) -> E_:
        """Return the only entity that fits."""
        ...

    def count(self, cls: type[Entity], *, as_of: AsOf = None, **fields: Any) -> int:
        """Return how many entities of a class fit."""
        ...

    def exists(self, cls: type[Entity], *, as_of: AsOf = None, **fields: Any) -> bool:
        """Tell whether an entity of a class fits."""
        ...

    def iterate(
        self,
        cls: type[E_],
        *,
        batch: int = 1_000,
        hops: int | None = 0,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        **fields: Any,
    ) -> Iterator[E_]:
        """Yield the entities of a class that fit, batch by batch, all as of one revision."""
        ...

    def __len__(self) -> int:
        """Return how many entities are stored."""
        ...

    def __contains__(self, ecs_id: Any) -> bool:
        """Tell whether an entity, or the one of an id, is stored."""
        ...

    def search(
        self,
        text: str,
        cls: type[Entity] | None = None,
        *,
        fields: str | Iterable[str] | None = None,
        limit: int | None = 20,
        offset: int = 0,
    ) -> Hits:
        """Search texts by words; return where all of them are, the best first."""
        ...

    def index_text(self, cls: type[Entity], *fields: str) -> int:
        """Make an index of the words of text fields, for `search`."""
        ...

    def drop_text_index(self, cls: type[Entity], *fields: str) -> None:
        """Take such an index away."""
        ...

    def has_entity(self, ecs_id: UUID | str) -> bool:
        """Tell whether an id is stored."""
        ...

    def get_lineage_entities(self, lineage_id: UUID | str) -> list[Any]:
        """Return all entities of one family."""
        ...

    def delete(self, entities_or_ids: Any) -> None:
        """Delete entities that nothing else refers to."""
        ...

    def transaction(self, note: str | None = None) -> AbstractContextManager[None]:
        """Make several calls one revision, all or nothing."""
        ...

    def revisions(self) -> pd.DataFrame:
        """Return every change of the storage, oldest first."""
        ...

    def history(self, ecs_id: UUID | str | Entity) -> pd.DataFrame:
        """Return the versions of an entity, oldest first."""
        ...

    def revert(
        self,
        ecs_id: UUID | str | Entity,
        *,
        to: AsOf,
        note: str | None = None,
        delete_added: bool = False,
    ) -> Any:
        """Bring an entity, and all that it led to, back to an old state, as a new revision."""
        ...

    def diff(self, a: Any, b: Any = None) -> GraphDiff:
        """Return what differs between two states: revisions, times, the present, live entities."""
        ...

    def refresh(self, entity: Any) -> Any:
        """Bring a live graph up to date with the store, in place."""
        ...

    def merge(self, entity: Any, *, base: AsOf = None, choose: Any = None) -> Any:
        """Bring what others have stored into a live graph with changes of its own."""
        ...

    def lineage_graph(self, lineage_id: UUID | str | Entity) -> EntityDependencyGraph:
        """Return the family of an entity as a graph."""
        ...

    def verify(self, entity: Any = None) -> pd.DataFrame:
        """Return what is not as it was written, a row per problem."""
        ...

    def repair(self, to: EntityStorage, *, doubtful: bool = False) -> pd.DataFrame:
        """Save in another storage all that is sound; return what is not as it was."""
        ...

    def prune(self, before: AsOf = None) -> int:
        """Forget the past."""
        ...

    def close(self) -> None:
        """Give back what was opened; using the storage afterwards raises StorageClosedError."""
        ...

    def __enter__(self) -> Self:
        """Return the storage; the end of the ``with`` statement closes it."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close the storage."""
        ...


def check_repairs_to(to: Any) -> None:
    """Raise if what is sound cannot be saved in something.

    Raises
    ------
    InvalidArgumentError
        If it is no storage, or holds something already.
    """
    if not isinstance(to, EntityStorage):
        raise InvalidArgumentError(
            f"to is {short_repr(to)}. Give a storage that holds nothing yet:"
            " store.repair(to=ev.SQLAlchemyEntityStorage('new.db')).",
            value=to,
        )
    if len(to):
        raise InvalidArgumentError(
            f"{short_repr(to)} holds {len(to):,} entities. Give a storage that holds nothing yet,"
            " for what is sound.",
            value=to,
        )


def as_id(value: Any) -> UUID:
    """Return a UUID, from one, from its text or from an entity.

    Raises
    ------
    InvalidIdError
        If it is neither.
    """
    if isinstance(value, UUID):
        return value
    if is_entity_class(type(value)):
        found: UUID = value.ecs_id
        return found
    with suppress(ValueError):  # whose words quote what was given, which may be an address
        return UUID(value if isinstance(value, str) else "")
    raise InvalidIdError(
        f"{short_repr(value)} is not a UUID. Give an entity or its ecs_id, which looks like"
        f" {EXAMPLE}.",
        value=value,
    )


def registers_itself(given: Any) -> Callable[..., Any] | None:
    """Return what stores something part by part, as a stream of an importer does; None for others.

    Parameters
    ----------
    given
        What was given to `register`. If its class has a method ``register_into``, that is called
        with it, the storage and the options of `register`.
    """
    found: Callable[..., Any] | None = getattr(type(given), "register_into", None)
    return found


def as_registered(given: Any) -> tuple[Any, list[Any]]:
    """Return what was given to `register`, an iterator as a list, and the entities in it.

    Raises
    ------
    NotAnEntityError
        If it is neither an entity nor an iterable of entities.
    """
    if not is_entity_class(type(given)) and not isinstance(given, Mapping):
        given = list(given) if isinstance(given, Iterator) else given
    roots = as_roots(given)
    for root in roots:
        if is_entity_class(root):
            raise NotAnEntityError(
                f"{root.__name__} is a class. Give entities: its instances.", value=root
            )
    return given, roots


def check_entity_class(cls: Any) -> None:
    """Raise if something is no entity class.

    Raises
    ------
    NotAnEntityError
        Saying what it is.
    """
    if not is_entity_class(cls):
        raise NotAnEntityError(
            f"{short_repr(cls)} is not an entity class. Give a subclass of ev.Entity.", value=cls
        )


OF_FIRST_ROWS = "__of_first_rows__"
"""What a class of a foreign table has while only the first of its rows were looked at."""


def check_first_rows(cls: type, stored: Iterable[tuple[str, str]]) -> None:
    """Raise where a class stands for the first rows of a foreign table, and others are stored.

    Parameters
    ----------
    cls
        Of which nothing is stored.
    stored
        The module and the name of all classes that are.

    Raises
    ------
    UnknownTypeError
        Saying how to come by the class that is stored.
    """
    if not getattr(cls, OF_FIRST_ROWS, False):
        return
    name, database = cls.__name__, cls.__module__.rpartition("_")[0]
    if any(other == name and module.rpartition("_")[0] == database for module, other in stored):
        raise UnknownTypeError(
            f"Of the table of {name} only the first rows were looked at, and what is stored of it"
            " holds other values as well: it has a class of its own. Call look_at_all() of the"
            " database, and take the class anew from its classes.",
            type_name=name,
        )


def check_hops(hops: Any) -> None:
    """Raise if a number of references to follow is none.

    Raises
    ------
    InvalidArgumentError
        Saying what it is.
    """
    if hops is not None and natural_number(hops) is None:
        raise InvalidArgumentError(
            f"hops is {short_repr(hops)}. Give a whole number from 0, or None to follow all"
            " references.",
            value=hops,
        )


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is read of what the entities lead to that were found; what `find` was given.

    Attributes
    ----------
    hops, lazy
        As of `get`, checked.
    only
        The classes to which reading is confined; None for all.
    check
        Whether checksums are checked.
    """

    hops: int | None = None
    only: list[type] | None = None
    lazy: bool = False
    check: bool = False

    @classmethod
    def of(cls, hops: Any, only: Any, lazy: Any, check: Any = False) -> Extent:
        """Return it, of the options of a method; lazily, none follows unless it is said.

        Raises
        ------
        InvalidArgumentError
            If `hops` is no number, `lazy` neither True nor False, or `check` has no truth.
        NotAnEntityError
            If `only` holds what is no entity class.
        """
        check_hops(hops)
        if not isinstance(lazy, bool):
            raise InvalidArgumentError(
                f"lazy is {short_repr(lazy)}. Give True to load what is touched, or False.",
                value=lazy,
            )
        far = 0 if lazy and hops is None and only is None else hops
        return cls(far, check_only(only), lazy, flag(check, "check"))


def check_alone(hops: Any) -> bool:
    """Tell whether entities are to be saved alone.

    Raises
    ------
    InvalidArgumentError
        If `hops` is neither 0 nor None.
    """
    if hops is not None and (type(hops) is not int or hops != 0):
        raise InvalidArgumentError(
            f"hops is {short_repr(hops)}. Give 0 to save the given entities alone, or None to save"
            " everything that they lead to.",
            value=hops,
        )
    return hops is not None


def check_only(only: Iterable[type] | None) -> list[type] | None:
    """Return the classes to which reading is confined; None for all.

    Raises
    ------
    NotAnEntityError
        If one is no entity class.
    """
    if only is None:
        return None
    kinds: list[type] = (
        [only] if isinstance(only, type) else listed(only, "only", "Give a list of classes.")
    )
    for cls in kinds:
        check_entity_class(cls)
    return kinds


def check_type(entity: Any, expected: type | None) -> Any:
    """Return the entity, or raise if it is not of the expected class."""
    if expected is not None and not _is_a(entity, expected):
        raise UnknownTypeError(
            f"{entity.ecs_id} is a {type(entity).__name__}, not a {expected.__name__}."
            " Leave expected_type out, or ask for the right id.",
            ecs_id=entity.ecs_id,
            type_name=type(entity).__name__,
        )
    return entity


def _is_a(entity: Any, expected: Any) -> bool:
    try:
        return isinstance(entity, expected)
    except TypeError as err:
        raise NotAnEntityError(
            f"expected_type is {short_repr(expected)}. Give an entity class, or leave it out.",
            value=expected,
        ) from err


def not_found(ecs_id: UUID, known: Iterable[UUID], where: str) -> EntityNotFoundError:
    """Return the error for an unknown id, with the ids that look most like it."""
    near = [str(other) for other in _closest_ids(ecs_id, known)]
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return EntityNotFoundError(
        f"No entity with the ecs_id {ecs_id} is stored in {where}.{hint}"
        " list_by_type(...) lists what is there.",
        ecs_id=ecs_id,
        closest=near,
    )


MISTYPED = 6
"""In how many of its 32 digits an id may differ to pass for a mistyped one."""


def _closest_ids(ecs_id: UUID, known: Iterable[UUID]) -> list[UUID]:
    """Return at most three ids of which few digits are others."""
    digits = ecs_id.hex
    found = []
    for other in known:
        wrong = 32 - sum(map(eq, digits, other.hex))
        if wrong <= MISTYPED:
            found.append((wrong, other))
    return [other for _, other in sorted(found)[:3]]


def ids_of(entities_or_ids: Any) -> list[UUID]:
    """Return the ids of one or several entities or ids, each once."""
    given = entities_or_ids
    if isinstance(given, (UUID, str)) or is_entity_class(type(given)):
        given = [given]
    elif is_entity_class(given):
        raise NotAnEntityError(
            f"{given.__name__} is a class. Give entities or their ids; for all of the class,"
            f" store.list_by_type({given.__name__}).",
            value=given,
        )
    elif isinstance(given, Mapping):
        given = list(given.values())
    elif not isinstance(given, Iterable):
        given = [given]  # one thing, and no id
    return list(dict.fromkeys(map(as_id, listed(given, "What was given", _IDS))))


_IDS = "Give an entity, its ecs_id, or a list of them."


def ids_in_order(ecs_ids: Any) -> list[UUID]:
    """Return ids as they were given, one or several."""
    if isinstance(ecs_ids, (UUID, str)) or is_entity_class(type(ecs_ids)):
        return [as_id(ecs_ids)]
    return [as_id(value) for value in listed(ecs_ids, "ecs_ids", _IDS)]
