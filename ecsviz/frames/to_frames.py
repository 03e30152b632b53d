"""Entity graphs → two DataFrames that hold everything; `from_frames` is the way back."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ecsviz.basics.result_frames import objects
from ecsviz.domain.entity_class import is_entity_class, type_name
from ecsviz.domain.fields import OWN_FIELDS, ClassPlan, FieldPlan, Shape, class_plan
from ecsviz.domain.objects import is_placeholder, not_loaded
from ecsviz.domain.walk import Walk, walk
from ecsviz.errors import NotAnEntityError, UnsupportedFieldError, short_repr
from ecsviz.frames.columns import ABSENT, column_of
from ecsviz.graph.arrays import as_roots
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.values.codecs import JsonCodec, Refused, not_storable
from ecsviz.values.field_codecs import check_class, check_held, check_value, codec_of, opaque_names

if TYPE_CHECKING:
    import pandas as pd

CLASS: Final = "class"
"""The column of nodes that names an entity's class."""
NODE_COLUMNS: Final = (CLASS, *OWN_FIELDS)
REFERENCE_COLUMNS: Final = ("source", "field", "position", "key", "target")


def to_frames(graph_or_entities: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a graph of entities as two DataFrames that hold all of it.

    Parameters
    ----------
    graph_or_entities
        An `EntityDependencyGraph` of entities, an entity, or an iterable of them; whatever they
        lead to is included.

    Returns
    -------
    nodes : DataFrame
        A row per entity, those that were given first:

        - ``class`` (category): the name of its class.
        - ``ecs_id``, ``lineage_id``, ``parent_id`` (object): UUIDs; None without a parent.
        - ``version`` (int64).
        - a column per field that holds no entity, by its name; fields of several classes that
          are called alike share one. What pandas has an exact dtype for has it (``str``,
          ``int64``, ``bool``, ``float64``, ``datetime64[us, UTC]``); all else are Python's own
          objects. Missing where it is None, or where the class has no such field.
        - a column (object, JSON texts) per field that holds entities inside of other values, with
          ``{"$ref": position}`` in their places.
    references : DataFrame
        A row per reference, by source:

        - ``source``, ``target`` (object): the ``ecs_id`` of the holder and of what is held.
        - ``field`` (category): the holder's field.
        - ``position`` (Int64): the place in a list, tuple or dict; NA where there is none.
        - ``key`` (object): the key in a dict.

    Raises
    ------
    NotAnEntityError
        If the graph is one of classes, of tables or of what a store holds.
    ValueNotStorableError, UnsupportedFieldError
        If a field holds what could not be given back exactly. As for storing.

    See Also
    --------
    ecsviz.from_frames : the way back.

    Notes
    -----
    ``from_frames(*to_frames(x))`` is isomorphic to ``x``: classes, values, Python types, order,
    sharing. The frames hold copies. O(entities + references).

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> nodes, references = ev.to_frames(thread)
    >>> nodes[["title", "role", "content", "version"]]
        title  role content  version
    0  Cycles   NaN     NaN        0
    1     NaN  user   hello        0
    >>> references[["field", "position"]]
          field  position
    0  messages         0
    1    thread      <NA>
    """
    found = walk(_roots(graph_or_entities))
    for entity in found.entities:
        if is_placeholder(entity):
            raise not_loaded(entity, "version")
    return Nodes(found).frame(), _references(found)


def _roots(given: Any) -> list[Any]:
    if not isinstance(given, EntityDependencyGraph):
        roots = as_roots(given)
    else:
        roots = given.nodes
    for root in roots:
        if not is_entity_class(type(root)):
            raise NotAnEntityError(
                f"{short_repr(root)} is no entity, so it has no values to put into frames. Build"
                " the graph from entities; of a graph of classes, tables or stored rows there are"
                " nodes_frame() and references_frame().",
                value=root,
            )
    return roots


class Nodes:
    """The rows of nodes, class by class.

    Attributes
    ----------
    columns
        Per field a value per row, `ABSENT` where the class has no such field.
    optional
        Per field whether it may be None in one of the classes.
    """

    def __init__(self, found: Walk) -> None:
        self.found = found
        self.columns: dict[str, list[Any]] = {}
        self.optional: dict[str, bool] = {}
        self.rows: dict[type, list[int]] = {}
        for row, entity in enumerate(found.entities):
            self.rows.setdefault(type(entity), []).append(row)
        for cls, rows in self.rows.items():
            check_class(cls)
            self._add_class(class_plan(cls), rows)

    def frame(self) -> pd.DataFrame:
        """Return all rows as a DataFrame."""
        import pandas as pd

        states = [entity.__dict__ for entity in self.found.entities]
        names = {cls: type_name(cls) for cls in self.rows}
        kinds = [names[type(entity)] for entity in self.found.entities]
        result: dict[str, Any] = {CLASS: pd.Series(pd.Categorical(kinds, sorted(set(kinds))))}
        for name in ("ecs_id", "lineage_id", "parent_id"):
            result[name] = pd.Series(objects([state[name] for state in states]), dtype=object)
        result["version"] = pd.Series([state["version"] for state in states], dtype="int64")
        for name, values in self.columns.items():
            result[name] = column_of(values, optional=self.optional[name])
        return pd.DataFrame(result, index=pd.RangeIndex(len(states)))

    def _add_class(self, plan: ClassPlan, rows: list[int]) -> None:
        cls = plan.cls
        for name in (*plan.values, *opaque_names(cls)):
            codec, optional = codec_of(cls, name)
            states = [self.found.entities[row].__dict__ for row in rows]
            try:
                values = [state[name] for state in states]
                if not optional and any(value is None for value in values):
                    raise Refused(0, None, "")
                codec.check(values)
            except (KeyError, Refused) as err:
                raise self._refused(cls, name, rows) from err.__cause__
            if isinstance(codec, JsonCodec):  # what may change must not be shared
                values = copy.deepcopy(values)
            self._put(cls, name, rows, values, optional=optional)
        nested = [p for p in plan.fields if p.shape == Shape.NESTED]
        for field in plan.fields:
            if field.shape != Shape.OPAQUE:
                self._check_held(field, rows)
        if nested:
            by_row = _targets(self.found)
            for field in nested:
                texts = [self._skeleton(field, row, by_row) for row in rows]
                self._put(cls, field.name, rows, texts, optional=True)

    def _put(
        self, cls: type, name: str, rows: list[int], values: list[Any], *, optional: bool
    ) -> None:
        if name in NODE_COLUMNS:
            raise UnsupportedFieldError(
                f"{cls.__name__}.{name} would share its column with the one that names classes."
                " Name it otherwise.",
                cls=cls,
                field=name,
            )
        column = self.columns.setdefault(name, [ABSENT] * len(self.found))
        for row, value in zip(rows, values, strict=True):
            column[row] = value
        self.optional[name] = self.optional.get(name, False) or optional

    def _skeleton(
        self, field: FieldPlan, row: int, by_row: dict[tuple[int, str], list[int]]
    ) -> str | None:
        """Return a nested value as JSON, with numbers in the places of its entities."""
        value = self.found.entities[row].__dict__[field.name]
        if value is None:
            return None
        targets = by_row.get((row, field.name), [])
        numbers: dict[int, int] = {}
        for number, target in enumerate(targets):
            numbers.setdefault(target, number)  # the first stands for all of one entity

        def refer(part: Any) -> Any:
            position = self.found.position(part)
            return NotImplemented if position is None else {"$ref": numbers[position]}

        codec = codec_of(field.owner, field.name)[0]
        assert isinstance(codec, JsonCodec)
        try:
            return codec.write(value, 0, refer, lambda n: self.found.entities[targets[n]])
        except Refused as refused:
            raise self._not_storable(refused, row, field.name) from refused.__cause__

    def _check_held(self, field: FieldPlan, rows: list[int]) -> None:
        for row in rows:
            try:
                check_held(field, self.found.entities[row].__dict__)
            except Refused as refused:
                raise self._not_storable(refused, row, field.name) from refused.__cause__

    def _refused(self, cls: type, name: str, rows: list[int]) -> Exception:
        """Return the error for the first entity whose value is refused."""
        for row in rows:
            try:
                check_value(cls, name, self.found.entities[row].__dict__)
            except Refused as refused:
                return self._not_storable(refused, row, name)
        raise AssertionError(name)  # together they were refused

    def _not_storable(self, refused: Refused, row: int, name: str) -> Exception:
        ecs_id = self.found.ids[row]
        place = f"{self.found.place(row)}.{name}"
        return not_storable(refused, place, ecs_id=ecs_id, field=name)


def _targets(found: Walk) -> dict[tuple[int, str], list[int]]:
    """Return what each nested field holds, in the order of its places."""
    result: dict[tuple[int, str], list[int]] = {}
    for source, target, slot in zip(found.sources, found.targets, found.slots, strict=True):
        field = found.fields[slot]
        if field.shape == Shape.NESTED:
            result.setdefault((source, field.name), []).append(target)
    return result


def _references(found: Walk) -> pd.DataFrame:
    import pandas as pd

    positions: list[int | None] = []
    keys: list[Any] = []
    last, number = (-1, -1), 0
    for source, slot, key in zip(found.sources, found.slots, found.keys, strict=True):
        # The references of one field of one entity stand together.
        number = number + 1 if (source, slot) == last else 0
        last = (source, slot)
        shape = found.fields[slot].shape
        positions.append(None if shape in (Shape.SINGLE, Shape.SET) else number)
        keys.append(key if shape == Shape.DICT else None)
    fields = [found.fields[slot].name for slot in found.slots]
    ids = objects(found.ids)
    return pd.DataFrame(
        {
            "source": pd.Series(_taken(ids, found.sources), dtype=object),
            "field": pd.Categorical(fields, sorted(set(fields))),
            "position": pd.Series(positions, dtype="Int64"),
            "key": pd.Series(objects(keys), dtype=object),
            "target": pd.Series(_taken(ids, found.targets), dtype=object),
        },
        index=pd.RangeIndex(len(fields)),
        columns=list(REFERENCE_COLUMNS),
    )


def _taken(ids: Any, numbers: Sequence[int]) -> Any:
    return ids[list(numbers)]
