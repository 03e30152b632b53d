"""What a field's annotation can hold: read once per class, never per value."""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import enum
import sys
import types
import typing
from typing import Annotated, Any, ForwardRef, NamedTuple, TypeVar

from pydantic import BaseModel
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo

from ecsviz.basics.once import making
from ecsviz.domain.entity_class import is_entity_class, known_entity_classes
from ecsviz.errors import UnsupportedFieldError

_SEQUENCES: frozenset[Any] = frozenset(
    {
        list,
        tuple,
        collections.deque,
        collections.abc.Sequence,
        collections.abc.MutableSequence,
        collections.abc.Collection,
    }
)
_SETS: frozenset[Any] = frozenset({set, frozenset, collections.abc.Set, collections.abc.MutableSet})
_MAPPINGS: frozenset[Any] = frozenset(
    {
        dict,
        collections.OrderedDict,
        collections.defaultdict,
        collections.ChainMap,
        collections.Counter,
        types.MappingProxyType,
        collections.abc.Mapping,
        collections.abc.MutableMapping,
    }
)
_CONTAINERS = _SEQUENCES | _SETS | _MAPPINGS


Variables = collections.abc.Mapping[Any, Any]
"""Type variables, and what they stand for."""
NO_VARIABLES: Variables = types.MappingProxyType({})

# -- taking annotations apart ----------------------------------------------------------------


def strip(annotation: Any) -> Any:
    """Return an annotation without ``Annotated`` and without type aliases around it."""
    while True:
        if typing.get_origin(annotation) is Annotated:
            annotation = typing.get_args(annotation)[0]
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = aliased(annotation)
        else:
            return annotation


def aliased(alias: Any) -> Any:
    """Return what a type alias stands for."""
    value = alias.__value__
    if not isinstance(value, str):
        return value
    # Before Python 3.12, an alias that names itself is written as a string.
    scope = getattr(sys.modules.get(getattr(alias, "__module__", "")), "__dict__", {})
    return _evaluated(value, {**scope, alias.__name__: alias})


def union_members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union (both spellings), or the annotation alone.

    ``Literal["a", None]`` is a union too: of ``Literal["a"]`` and None.
    """
    plain = strip(annotation)
    # X | None has types.UnionType as its origin, Optional[X] typing.Union.
    if typing.get_origin(plain) in (typing.Union, types.UnionType):
        return tuple(m for arg in typing.get_args(plain) for m in union_members(arg))
    if typing.get_origin(plain) is typing.Literal and None in typing.get_args(plain):
        rest = tuple(value for value in typing.get_args(plain) if value is not None)
        return (typing.Literal[rest], type(None)) if rest else (type(None),)
    return (plain,)


def entities_only(annotation: Any) -> tuple[bool, bool]:
    """Tell (may be None, is nothing but entity classes and None)."""
    members = union_members(annotation)
    optional = type(None) in members
    rest = [m for m in members if m is not type(None)]
    return optional, bool(rest) and all(is_entity_class(m) for m in rest)


def concrete(annotation: Any, owner: type, variables: Variables = NO_VARIABLES) -> Any:
    """Return an annotation with what stands for a class replaced by that class.

    Parameters
    ----------
    annotation
        May hold ``Self``, type variables (their bound, their constraints, or ``Any``) and
        ``NewType``.
    owner
        The class whose ``Self`` is meant.
    variables
        What type variables stand for, where that is known.

    Examples
    --------
    >>> import typing
    >>> concrete(list[typing.Self], int), concrete(typing.Optional[typing.Self], str)
    (list[int], typing.Optional[str])
    """
    annotation = _stood_for(annotation, owner, variables)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if not args or origin in (typing.Literal, collections.abc.Callable):
        return annotation
    if origin is Annotated:
        inner = concrete(args[0], owner, variables)
        return annotation if inner is args[0] else Annotated[(inner, *args[1:])]
    changed = tuple(concrete(arg, owner, variables) for arg in args)
    if all(new is old for new, old in zip(changed, args, strict=True)):
        return annotation
    if origin is types.UnionType:
        return typing.Union[changed]  # noqa: UP007 - X | Y takes no tuple
    return annotation.copy_with(changed) if hasattr(annotation, "copy_with") else origin[changed]


def _stood_for(annotation: Any, owner: type, variables: Variables) -> Any:
    while True:
        if annotation is typing.Self:
            return owner
        if type(annotation).__name__ == "PydanticRecursiveRef":
            return _parametrized(annotation.type_ref, owner)
        if isinstance(annotation, TypeVar) and annotation in variables:
            return variables[annotation]
        if isinstance(annotation, TypeVar):
            # The tuple is the union of what the variable may be.
            annotation = typing.Union[annotation.__constraints__ or (annotation.__bound__ or Any,)]  # noqa: UP007 - X | Y takes no tuple
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        else:
            return annotation


def _parametrized(ref: str, owner: type) -> Any:
    """Return the class that pydantic means where a generic class names itself: ``Node[int]``.

    Notes
    -----
    While ``Node[int]`` is made, its fields can hold no more than a text with the ids of the
    generic class and of what it is parametrized with.
    """
    for cls in (*owner.__mro__, *known_entity_classes()):
        about = getattr(cls, "__pydantic_generic_metadata__", None) or {}
        if about.get("origin") is None or f":{id(about['origin'])}[" not in ref:
            continue
        if all(f":{id(arg)}" in ref for arg in about["args"]):
            return cls
    return Any


def complete_fields(cls: type) -> dict[str, FieldInfo]:
    """Return a model's fields with every forward reference resolved."""
    model = typing.cast("type[BaseModel]", cls)
    if not model.__pydantic_complete__:
        try:
            with making:
                model.model_rebuild()
        except (PydanticUndefinedAnnotation, NameError) as err:
            missing = getattr(err, "name", None) or str(err)
            raise UnsupportedFieldError(
                f"{cls.__name__} refers to {missing!r}, which is not defined yet."
                f" Define {missing!r} first (in a notebook: run its cell).",
                cls=cls,
                field=None,
                missing=missing,
            ) from err
    return model.model_fields


# -- what can be inside ----------------------------------------------------------------------


_KEY = "as dict keys"
_MEMBER = "as members of a set"
_IN_MEMBER = "inside the members of a set, which have no order"


class _Part(NamedTuple):
    """A part of an annotation that is still to be read."""

    annotation: Any
    owner: type  # whose Self it may name
    where: str | None  # what kind of place it describes, if no common one
    variables: Variables = NO_VARIABLES


class Reading:
    """What an annotation can hold.

    Attributes
    ----------
    entities
        The entity classes that it names, in its order.
    opaque
        Whether it takes anything (``Any``, ``object``, a bare ``list``).
    watched
        Whether it names a class of which a subclass may hold entities, or be one.
    keys
        Whether a dict's key is an entity, or holds one.
    blind
        Where it holds entities that cannot be found without using the value up, or at all.

    Notes
    -----
    Iterative, since annotations may be recursive.
    """

    def __init__(self, annotation: Any, owner: type) -> None:
        self.entities: list[type] = []
        self.opaque = False
        self.watched = False
        self.keys = False
        self.blind: str | None = None
        self._aliases: set[str] = set()
        self._read(annotation, owner)

    def _read(self, annotation: Any, owner: type) -> None:
        seen: set[tuple[int, type, str | None]] = set()
        kept: list[Any] = []  # as long as they live, their ids are their own
        todo = [_Part(annotation, owner, None)]
        while todo:
            part = todo.pop()
            self._aliases.add(getattr(part.annotation, "__name__", ""))
            item = strip(concrete(part.annotation, part.owner, part.variables))
            if (id(item), part.owner, part.where) not in seen:
                seen.add((id(item), part.owner, part.where))
                kept.append(item)
                todo.extend(reversed(self._parts(part._replace(annotation=item))))

    def _parts(self, part: _Part) -> list[_Part]:
        item = part.annotation
        origin, args = typing.get_origin(item), typing.get_args(item)
        if is_entity_class(item):
            self._note(item, part.where)
        elif item is Any or item is object or (not args and (origin or item) in _CONTAINERS):
            self.opaque = True
        elif isinstance(item, (str, ForwardRef)):
            return self._forward(part)
        elif args:
            return self._of_generic(part, origin, [arg for arg in args if arg is not Ellipsis])
        elif isinstance(item, type):
            return self._of_class(item, part.where)
        return []

    def _note(self, cls: type, where: str | None) -> None:
        if where == _KEY:
            self.keys = True
            return
        self.entities.append(cls)
        if where not in (None, _MEMBER):
            self.blind = where

    def _of_generic(self, part: _Part, origin: Any, args: list[Any]) -> list[_Part]:
        where = _inside(part.where)
        if origin in (typing.Literal, type, collections.abc.Callable):
            return []
        if origin in (typing.Union, types.UnionType):
            where = part.where
        elif type(origin).__name__ == "TypeAliasType":
            variables = dict(zip(origin.__type_params__, args, strict=False))
            return [_Part(aliased(origin), part.owner, part.where, variables)]
        elif origin in _MAPPINGS:
            key = _Part(args[0], part.owner, _KEY)
            return [key, *(_Part(arg, part.owner, where) for arg in args[1:])]
        elif origin in _SETS:
            where = where or _MEMBER
        elif has_fields(origin):
            variables = dict(zip(getattr(origin, "__parameters__", ()), args, strict=False))
            fields = self._of_class(origin, part.where)
            return [field._replace(variables=variables) for field in fields]
        elif origin not in _SEQUENCES:
            name = getattr(origin, "__name__", None) or str(part.annotation)
            where = f"inside {name}[…], into which nobody can look"
        return [_Part(arg, part.owner, where) for arg in args]

    def _of_class(self, item: type, where: str | None) -> list[_Part]:
        hints: dict[str, Any] = {}
        if item is BaseModel:
            self.opaque = True
        elif issubclass(item, BaseModel):
            self.watched = True
            hints = {name: info.annotation for name, info in complete_fields(item).items()}
        elif has_fields(item):
            self.watched = True
            hints = hints_of(item)
        elif not issubclass(item, enum.Enum) and not _is_value_class(item):
            # A class of the user's: an abstract base or a protocol, of which an entity may be.
            self.watched = True
        return [_Part(hint, item, _inside(where)) for hint in hints.values()]

    def _forward(self, part: _Part) -> list[_Part]:
        item = part.annotation
        name = item if isinstance(item, str) else item.__forward_arg__
        if name in self._aliases:  # a recursive alias, which is being read
            return []
        scope = getattr(sys.modules.get(part.owner.__module__), "__dict__", {})
        found = _evaluated(name, scope)
        if isinstance(found, str):
            self.opaque = True
            return []
        return [part._replace(annotation=found)]


def _inside(where: str | None) -> str | None:
    """Return what kind of place is inside a container at a place of some kind."""
    return _IN_MEMBER if where == _MEMBER else where


def can_hold_entities(annotation: Any, owner: type = object) -> bool:
    """Tell whether an annotation names an entity class anywhere inside."""
    return bool(Reading(annotation, owner).entities)


def is_named_tuple(kind: type) -> bool:
    """Tell whether a class is a named tuple."""
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def has_fields(kind: Any) -> bool:
    """Tell whether a class is a dataclass, a typed dict or a named tuple."""
    if not isinstance(kind, type):
        return False
    # typing.is_typeddict does not know those of typing_extensions, which pydantic asks for.
    is_typed_dict = issubclass(kind, dict) and hasattr(kind, "__total__")
    return dataclasses.is_dataclass(kind) or is_typed_dict or is_named_tuple(kind)


def _is_value_class(kind: type) -> bool:
    # Standard classes and pydantic's own hold no entities, and nobody derives entities from them.
    package = kind.__module__.partition(".")[0]
    return package in sys.stdlib_module_names - {"__main__"} or package.startswith("pydantic")


def hints_of(kind: type) -> dict[str, Any]:
    """Return the annotations of a dataclass, typed dict or named tuple.

    Notes
    -----
    What cannot be resolved stays text: a local class that only its function knows.
    """
    known = getattr(kind, "__pydantic_fields__", None)
    if known and getattr(kind, "__pydantic_complete__", False):
        return {name: info.annotation for name, info in known.items()}
    try:
        return typing.get_type_hints(kind)
    except NameError:
        pass
    result: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        scope = getattr(sys.modules.get(base.__module__), "__dict__", {})
        for name, hint in vars(base).get("__annotations__", {}).items():
            result[name] = _evaluated(hint, scope) if isinstance(hint, str) else hint
    return result


def _evaluated(text: str, scope: dict[str, Any]) -> Any:
    """Return what an annotation written as text means, or the text."""
    entities = {cls.__name__: cls for cls in known_entity_classes()}
    try:
        return eval(text, {**entities, **scope})  # noqa: S307 - an annotation of the user's own code, which typing.get_type_hints evaluates likewise
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it has no meaning here
        return text
