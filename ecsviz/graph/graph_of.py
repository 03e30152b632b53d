"""The graph of objects that are no entities, and of their classes."""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

import numpy as np

from ecsviz.basics.arguments import flag
from ecsviz.basics.order import COLLECTION, NULLABLE, REQUIRED, Ints
from ecsviz.basics.outside import outside
from ecsviz.basics.views import own_view
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.objects import is_placeholder
from ecsviz.domain.paths import KeyStep, Steps, format_path, nested_entities
from ecsviz.domain.plain_objects import (
    PlainField,
    identity_of,
    is_plain_class,
    mapped_below,
    not_loaded,
    object_state,
    other_side,
    plain_fields,
)
from ecsviz.errors import (
    NotAnEntityError,
    NotLoadedWarning,
    StorageError,
    UnsupportedFieldError,
    short_repr,
)
from ecsviz.graph.dependency_graph import EntityDependencyGraph


def graph_of(objects: Any, *, load: bool = False) -> EntityDependencyGraph:
    """Return the graph of objects as they are: models, dataclasses, attrs, rows of an ORM.

    Parameters
    ----------
    objects
        One object, or lists and dicts of them, however nested: instances of pydantic models, of
        dataclasses, of attrs classes, of classes that SQLAlchemy or SQLModel maps, and entities.
        Or classes: then a reference is a field; a declarative base stands for all that is mapped
        below it. What they lead to is found.
    load
        Whether relationships of SQLAlchemy that are not loaded are loaded, one query each.
        False leaves them out, and a warning says which; nothing is asked of a database.

    Returns
    -------
    EntityDependencyGraph
        Its nodes are the objects themselves, which are only read. An object is one node however
        often it is met; so is a stored row of SQLAlchemy, by its class and primary key. Its id
        is a name such as ``"Person 2"``: of the second that was met, or of the row with key 2.

    Raises
    ------
    NotAnEntityError
        If something given is neither an object with fields nor a container of such.
    StorageError
        If `load` is asked for and SQLAlchemy cannot load, since the session has gone.
    UnsupportedFieldError
        If containers hold themselves, or a given class has an annotation that names nothing.

    Warns
    -----
    NotLoadedWarning
        If relationships are left out because they are not loaded.

    Notes
    -----
    O(objects + references); iterative. Only fields are read; properties are not evaluated.
    A list and its members' back-references are a pair as between entities: where SQLAlchemy says
    ``back_populates``, or there is one list of B on A and one A on B.

    Examples
    --------
    >>> from dataclasses import dataclass, field
    >>> import ecsviz as ev
    >>> @dataclass
    ... class Task:
    ...     name: str
    ...     needs: list["Task"] = field(default_factory=list)
    >>> tea, water = Task("tea"), Task("water")
    >>> tea.needs.append(water)
    >>> graph = ev.graph_of(tea)
    >>> graph
    EntityDependencyGraph(2 nodes, 1 references, no cycle)
    >>> [task.name for task in graph.get_topological_sort()]
    ['water', 'tea']
    """
    flag(load, "load")
    roots = list(_roots(objects))
    classes = [root for root in roots if isinstance(root, type)]
    if classes and len(classes) < len(roots):
        raise NotAnEntityError(
            f"{short_repr(classes[0])} stands among objects but is a class."
            " Give either objects or classes.",
            value=classes[0],
        )
    if all(is_entity_class(root if classes else type(root)) for root in roots):
        return EntityDependencyGraph(roots)
    return _of_classes(classes) if classes else _of_objects(roots, load)


_CONTAINERS: Final = (Mapping, Sequence, AbstractSet)
_TEXTS: Final = frozenset((str, bytes, bytearray, memoryview, range))


def _is_node(kind: type) -> bool:
    return issubclass(kind, type) or is_plain_class(kind)


def _roots(objects: Any) -> Iterator[Any]:
    """Yield what was given, and say of what is nothing for a graph where it stands."""
    if isinstance(objects, Iterator):
        objects = list(objects)

    def is_end(kind: type) -> bool:
        return _is_node(kind) or kind in _TEXTS or not issubclass(kind, _CONTAINERS)

    for steps, item in nested_entities(objects, "objects", is_end, leaves=()):
        kind = item if isinstance(item, type) else type(item)
        if not is_plain_class(kind) and (below := mapped_below(kind)) and item is kind:
            yield from below
            continue
        if not is_plain_class(kind) or own_view(item, "draw"):
            place = format_path("objects", steps or None)
            raise NotAnEntityError(
                f"{place} is {short_repr(item)}, of type {type(item).__name__}. Give instances of"
                " pydantic models, dataclasses, attrs classes or mapped classes, or lists and"
                " dicts of them. (Files are read by ev.read_chat and ev.read_database.)",
                value=item,
            )
        yield item


# -- objects ---------------------------------------------------------------------------------


class _Edge(NamedTuple):
    source: int
    target: int
    field: str
    path: str
    kind: int


class _Found:
    """What has been met: nodes with their numbers, and the references between them."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.edges: list[_Edge] = []
        self.missing: Counter[str] = Counter()
        self.waiting: list[tuple[int, Any]] = []
        self._numbers: dict[Any, int] = {}
        self._looked: dict[int, set[str]] = {}
        self._kept: list[Any] = []  # an id is an object's own only while the object is there

    def number_of(self, node: Any) -> int:
        """Return the number of a node; what is met first will be looked at."""
        met = id(node)
        number = self._numbers.get(met)
        if number is None:
            number = self._numbers.setdefault(identity_of(node), len(self.nodes))
            self._numbers[met] = number
            self._kept.append(node)
            self.waiting.append((number, node))
            if number == len(self.nodes):
                self.nodes.append(node)
        return number

    def look_at(self, number: int, node: Any, load: bool) -> None:
        """Note what a node holds; of a row that was met before, what was not loaded there."""
        if is_entity_class(type(node)) and is_placeholder(node):
            return  # what it holds is unknown, and looking would load it
        if load:
            _load(node)
        looked = self._looked.setdefault(number, set())
        place = type(node).__name__
        for name, value in (object_state(node) or {}).items():
            if name in looked or value is None:
                continue
            looked.add(name)
            for steps, held in nested_entities(value, f"{place}.{name}", _is_node):
                if isinstance(held, type):
                    continue  # a class that stands in a field is a value
                path = format_path(name, _readable(steps) or None)
                kind = COLLECTION if steps else NULLABLE
                self.edges.append(_Edge(number, self.number_of(held), name, path, kind))
        for name in not_loaded(node):
            self.missing[f"{place}.{name}"] += 1


def _readable(steps: Steps) -> Steps:
    """Return steps without objects that are keys: the repr of one may run through the graph."""
    return Steps(KeyStep() if _is_node(type(step)) else step for step in steps)


def _load(node: Any) -> None:
    for name in not_loaded(node):
        try:
            getattr(node, name)
        except Exception as err:
            raise StorageError(
                f"{type(node).__name__}.{name} could not be loaded: {type(err).__name__}."
                " Open the session again, load it there (selectinload), or leave load=True out."
            ) from err


def _of_objects(roots: Iterable[Any], load: bool) -> EntityDependencyGraph:
    found = _Found()
    for root in roots:
        found.number_of(root)
    for number, node in found.waiting:  # grows while it is read
        found.look_at(number, node, load)
    if found.missing:
        listed = ", ".join(name for name, _ in found.missing.most_common(5))
        total = found.missing.total()
        warnings.warn(
            f"{total:,} relationship{'s are' if total != 1 else ' is'} not loaded and left out:"
            f" {listed}. Load what you want to see (selectinload), or give load=True.",
            NotLoadedWarning,
            stacklevel=outside(),
        )
    found.edges.sort(key=lambda edge: edge.source)  # stable: the fields of one stand in order
    return _graph(found.nodes, _names(found.nodes), found.edges, type)


def _names(nodes: list[Any]) -> list[Any]:
    """Return a name for every node, unlike any other's."""
    counts: Counter[str] = Counter()
    taken: set[str] = set()
    names: list[Any] = []
    for node in nodes:
        kind = type(node).__name__
        if is_entity_class(type(node)):
            names.append(str(node.ecs_id))
            continue
        identity = identity_of(node)
        if isinstance(identity, tuple):
            name = f"{kind} {', '.join(map(str, identity[1]))}"
        else:
            counts[kind] += 1
            name = f"{kind} {counts[kind]}"
        while name in taken:
            name += "'"
        taken.add(name)
        names.append(name)
    return names


# -- classes ---------------------------------------------------------------------------------


def _of_classes(roots: Iterable[type]) -> EntityDependencyGraph:
    nodes = list(dict.fromkeys(roots))
    numbers = {kind: number for number, kind in enumerate(nodes)}
    known = {kind.__name__: kind for kind in nodes}
    edges = []
    for source, kind in enumerate(nodes):  # grows while it is read
        for field in plain_fields(kind, known):
            for target in field.targets:
                if target not in numbers:
                    numbers[target] = len(nodes)
                    nodes.append(target)
                how = COLLECTION if field.many else REQUIRED if field.required else NULLABLE
                edges.append(_Edge(source, numbers[target], field.name, field.name, how))
    counts = Counter(kind.__name__ for kind in nodes)
    names = [
        kind.__name__ if counts[kind.__name__] == 1 else f"{kind.__module__}.{kind.__qualname__}"
        for kind in nodes
    ]
    return _graph(nodes, names, edges, lambda kind: kind)


def _graph(
    nodes: list[Any], names: list[Any], edges: list[_Edge], class_of: Callable[[Any], type]
) -> EntityDependencyGraph:
    of_classes = bool(nodes) and isinstance(nodes[0], type)
    return EntityDependencyGraph.from_parts(
        nodes,
        names,
        ["class" if of_classes else type(node).__name__ for node in nodes],
        [edge.source for edge in edges],
        [edge.target for edge in edges],
        [edge.path for edge in edges],
        fields=[edge.field for edge in edges],
        kinds=[edge.kind for edge in edges],
        sides=lambda: _sides([class_of(node) for node in nodes], edges),
        rising=True,
    )


def _sides(kinds: list[type], edges: list[_Edge]) -> Ints:
    """Return per reference the side that its field is of a pair, as ``pairs.sides_of`` does."""
    known = {kind.__name__: kind for kind in kinds}

    @functools.cache
    def fields_of(kind: type) -> list[PlainField]:
        try:
            return plain_fields(kind, known)
        except UnsupportedFieldError:  # without the annotations nobody can tell
            return []

    numbers: dict[tuple[str, str], int] = {}

    @functools.cache
    def side_of(kind: type, name: str) -> int:
        field = next((field for field in fields_of(kind) if field.name == name), None)
        other = None if field is None else other_side(kind, field, fields_of)
        if field is None or other is None:
            return 0
        if field.many:
            return numbers.setdefault((name, other), len(numbers) + 1)
        return -numbers.setdefault((other, name), len(numbers) + 1)

    return np.array([side_of(kinds[edge.source], edge.field) for edge in edges], dtype=np.int64)
