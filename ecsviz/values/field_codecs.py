"""Whether a class can be stored, and what each of its fields stores."""

from __future__ import annotations

import enum
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from ecsviz.basics.once import making
from ecsviz.domain.annotations import concrete
from ecsviz.domain.columns import NOTHING, ColumnRule
from ecsviz.domain.entity_class import definitions, is_entity_class, newest_definition
from ecsviz.domain.fields import FieldPlan, Shape, class_plan, complete_fields, strip, union_members
from ecsviz.domain.inverse import inverse_of
from ecsviz.errors import UnsupportedFieldError, short_repr
from ecsviz.values.codecs import Codec, JsonCodec, NoCodec, Refused, codec_for
from ecsviz.values.column_codecs import (
    DatetimeCodec,
    DecimalCodec,
    Exact,
    FloatCodec,
    TextCodec,
)


def has_table(cls: type) -> bool:
    """Tell whether instances of a class can exist: it is neither ``Entity`` itself nor abstract."""
    return cls.__module__ != "ecsviz.domain.entity" and not getattr(
        cls, "__abstractmethods__", None
    )


def with_referenced(classes: Iterable[type]) -> list[type]:
    """Return classes in their newest definition, and all that their fields name."""
    found = dict.fromkeys(map(newest_definition, classes))
    queue = list(found)
    for cls in queue:
        for plan in class_plan(cls).check().fields:
            for target in map(newest_definition, plan.targets):
                if target not in found and has_table(target):
                    found[target] = None
                    queue.append(target)
    return queue


def opaque_names(cls: type) -> tuple[str, ...]:
    """Return the names of the fields that take anything."""
    return tuple(f.name for f in class_plan(cls).fields if f.shape == Shape.OPAQUE)


# A class keeps its own codecs: they may hold classes, which may hold the class.
_CODECS = "__ecsviz_codecs__"


def codec_of(cls: type, name: str) -> tuple[Codec, bool]:
    """Return the codec of a field's values, and whether the field may be None.

    Raises
    ------
    UnsupportedFieldError
        If they cannot be stored.

    Notes
    -----
    Of a dictionary of entities, it is the codec of the keys; of nested values with entities, the
    one of their skeleton. Made once per class and field: pydantic's adapters take their time.
    """
    known: dict[str, tuple[Codec, bool]] = cls.__dict__.get(_CODECS, {})
    found = known.get(name)
    if found is None:
        with making:
            if _CODECS not in cls.__dict__:
                setattr(cls, _CODECS, {})
            known = cls.__dict__[_CODECS]
            found = known.get(name) or known.setdefault(name, _make_codec(cls, name))
    return found


def _make_codec(cls: type, name: str) -> tuple[Codec, bool]:
    plan = next((plan for plan in class_plan(cls).fields if plan.name == name), None)
    info = complete_fields(cls)[name]
    annotation = concrete(info.annotation, cls)
    try:
        if plan is None or plan.shape == Shape.OPAQUE:
            return codec_for(annotation, info.metadata)
        if plan.shape == Shape.DICT:
            return codec_for(plan.key_type)[0], False
        return JsonCodec(plan.annotation), True
    except NoCodec as err:
        what = getattr(annotation, "__name__", None) or str(annotation)
        raise UnsupportedFieldError(
            f"{cls.__name__}.{name} is annotated {what}, which cannot be stored: {err}."
            " Annotate it otherwise, or make it a private attribute (its name begins with _),"
            " which is not stored.",
            cls=cls,
            field=name,
        ) from err


def check_class(cls: Any) -> None:
    """Raise if entities of a class cannot be stored.

    Raises
    ------
    UnsupportedFieldError
        Naming the field and the way out.
    """
    if cls.model_config.get("extra") == "allow":
        raise UnsupportedFieldError(
            f"{cls.__name__} allows extra fields (extra='allow'), which have no column."
            " Declare them, or put them into one field: extras: dict[str, Any].",
            cls=cls,
            field=None,
        )
    if cls.model_config.get("use_enum_values"):
        _refuse_enums(cls)
    for plan in class_plan(cls).check().fields:
        inverse_of(plan)
        if plan.shape in (Shape.DICT, Shape.NESTED):
            codec_of(cls, plan.name)
    for name in class_plan(cls).columns:
        _check_column(cls, name)
    describe(cls)


def _check_column(cls: type, name: str) -> None:
    """Raise if what is declared of a column cannot be."""
    said, codec = class_plan(cls).columns[name], codec_of(cls, name)[0]
    why = ""
    if isinstance(codec, JsonCodec):
        why = "is stored as JSON, which no database compares by value. Annotate it with one type"
    elif said.unique and isinstance(codec, (FloatCodec, DecimalCodec)):
        why = "holds fractions, which no two databases compare alike: they cannot be unique"
    elif said.max_length is not None and type(codec) is not TextCodec:
        why = "holds no str, so that max_length says nothing of its column. Leave it out"
    if why:
        raise UnsupportedFieldError(
            f"{cls.__name__}.{name}: ev.column({said.said}) cannot be, since it {why}.",
            cls=cls,
            field=name,
        )


def _refuse_enums(cls: type) -> None:
    """Raise for an enum in a class whose fields hold the values of enums in their place.

    Not always, though: an unvalidated default and an assignment stay members.
    """
    for name, info in complete_fields(cls).items():
        todo = [concrete(info.annotation, cls)]
        while todo:
            kind = strip(todo.pop())
            todo += typing.get_args(kind)
            if isinstance(kind, enum.Enum):
                kind = type(kind)  # of a Literal
            if isinstance(kind, type) and issubclass(kind, enum.Enum):
                raise UnsupportedFieldError(
                    f"{cls.__name__} sets use_enum_values, so that {cls.__name__}.{name} holds"
                    f" values where it is annotated {kind.__name__}. Leave the setting out (dumps"
                    " in mode='json' write the values all the same), or annotate the field with a"
                    " Literal of the values.",
                    cls=cls,
                    field=name,
                )


_DESCRIBED = "__ecsviz_described__"


def describe(cls: type) -> dict[str, str]:
    """Return what a class's fields store, by name: to compare a class with its table.

    Examples
    --------
    >>> import ecsviz as ev
    >>> class Page(ev.Entity):
    ...     number: int
    ...     next: "Page | None" = None
    >>> describe(Page)
    {'number': 'BIGINT', 'next': 'Page or none'}

    Notes
    -----
    A class keeps what was found, for as long as no other class is defined: each transaction asks.
    """
    now = definitions()
    known: tuple[tuple[int, int], dict[str, str]] | None = cls.__dict__.get(_DESCRIBED)
    if known is None or known[0] != now:
        known = now, _describe(cls)
        setattr(cls, _DESCRIBED, known)
    return dict(known[1])


def _describe(cls: type) -> dict[str, str]:
    plans = {f.name: f for f in class_plan(cls).fields if f.shape != Shape.OPAQUE}
    values = {*class_plan(cls).values, *opaque_names(cls)}
    result = {}
    for name in complete_fields(cls):
        if name in plans:
            result[name] = _describe_references(plans[name])
        elif name in values:
            codec, nullable = codec_of(cls, name)
            result[name] = _sql_name(codec) + (" or none" if nullable else "")
            if name in class_plan(cls).columns:
                result[name] += f" [{class_plan(cls).columns[name].said}]"
    return result


def _describe_references(plan: FieldPlan) -> str:
    targets = " or ".join(target.__name__ for target in plan.targets)
    inverse = inverse_of(plan)
    if plan.shape == Shape.SINGLE:
        said = f" in {inverse.name}" if inverse else ""
        return targets + ("" if plan.required else " or none") + said
    kind = plan.shape.name.lower()
    if plan.shape == Shape.DICT:
        kind += f"[{_sql_name(codec_of(plan.owner, plan.name)[0])}]"
    return f"{kind} of {targets}" + (f" by {inverse.name}" if inverse else "")


def _sql_name(codec: Codec) -> str:
    return codec.sql_name


# -- one entity's state ----------------------------------------------------------------------


def check_value(cls: type, name: str, state: dict[str, Any]) -> None:
    """Raise `Refused` if a field without entities holds what cannot be given back."""
    value = _set_value(name, state)
    codec, optional = codec_of(cls, name)
    if value is None and not optional:
        raise Refused(0, value, "is None, but its field is not optional")
    _, exact = codec.encode([value])
    check_declared(class_plan(cls).columns.get(name, NOTHING), codec, [value], exact)


def check_declared(said: ColumnRule, codec: Codec, values: Sequence[Any], exact: Exact) -> None:
    """Raise `Refused` if a value is not what is declared of its column.

    Parameters
    ----------
    said
        What is declared.
    codec, values, exact
        The field's values, and what `codec.encode` says that the column cannot hold.
    """
    if said.max_length is not None:
        for row, value in enumerate(values):
            if value is not None and len(value) > said.max_length:
                why = f"is {len(value):,} characters long, and its column takes {said.max_length:,}"
                raise Refused(row, value, why)
    if said.unique and exact and not isinstance(codec, DatetimeCodec):
        row = min(exact)
        raise Refused(row, values[row], "is a value of which a unique column has no exact copy")


def check_held(plan: FieldPlan, state: dict[str, Any]) -> None:
    """Raise `Refused` if a field with entities holds what would not come back as it is."""
    value = _set_value(plan.name, state)
    if plan.shape == Shape.SINGLE:
        if value is None and plan.required:
            raise Refused(0, value, "is None, but its field is not optional")
    elif plan.shape == Shape.NESTED:
        if value is None and type(None) not in union_members(plan.annotation):
            raise Refused(0, value, "is None, but its field is not optional")
    elif type(value) is not plan.container:
        container = getattr(plan.container, "__name__", "container")
        what = "None" if value is None else f"of type {type(value).__name__}"
        raise Refused(0, value, f"is {what}, but must be a {container}")


def _set_value(name: str, state: dict[str, Any]) -> Any:
    if name not in state:
        raise Refused(0, None, "was never set (model_construct leaves fields out)")
    return state[name]


def write_keys(cls: type, name: str, keys: list[Any]) -> list[Any]:
    """Return the keys of a dictionary of entities as a column holds them.

    Raises
    ------
    Refused
        For a key of which SQL holds no exact copy.
    """
    stored, exact = codec_of(cls, name)[0].encode(keys)
    for row in exact:
        key = short_repr(keys[row], 30)
        raise Refused(row, keys[row], f"has a key of which SQL holds no exact copy ({key})")
    return stored


def field_text(entity: Any, name: str, annotation: Any) -> str | None:
    """Return what an entity says in one field, whatever the field is; entities by their ids.

    Raises
    ------
    Refused
        For a value that is not of the field's type.
    """

    def refer(part: Any) -> Any:
        return {"$ref": str(part.ecs_id)} if is_entity_class(type(part)) else NotImplemented

    return JsonCodec(annotation).write(entity.__dict__.get(name), 0, refer)
