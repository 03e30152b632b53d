"""Entity graphs as plain data: dump, load.

Both go through the graph iteratively and write each entity once, so that cycles and chains of
any length pass. None of it needs a database.
"""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel, PlainSerializer, RootModel, ValidationError, WrapSerializer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, from_json, to_json, to_jsonable_python

from ecsviz.basics.garbage import collector_paused
from ecsviz.domain.entity_class import (
    derives_from,
    is_entity_class,
    known_entity_classes,
    names_of,
    same_type,
    shadowing,
    type_name,
)
from ecsviz.domain.field_entities import refuse_hidden
from ecsviz.domain.fields import OWN_FIELDS, FieldPlan, Shape, can_hold_entities, class_plan
from ecsviz.domain.objects import is_placeholder, not_loaded, shell
from ecsviz.domain.paths import (
    MAX_VALUE_DEPTH,
    format_path,
    id_number,
    nested_entities,
    too_deep,
    value_parts,
)
from ecsviz.domain.validating import HeldReferences, Raw, validate_all, validate_into
from ecsviz.errors import (
    BrokenReferenceError,
    DuplicateIdError,
    EcsvizError,
    InvalidIdError,
    UnknownTypeError,
    UnsupportedFieldError,
    ValueNotStorableError,
    did_you_mean,
    short_repr,
)

REF, TYPE, ENTITIES = "$ref", "$type", "$entities"

MAX_NESTING = 64
"""How deep a dump nests entities, in brackets. What lies deeper stands in ``$entities`` of the
outermost dictionary, so that neither writers nor readers of JSON meet their recursion limits."""

_JSON_MODES = {
    "bytes_mode": "ser_json_bytes",
    "timedelta_mode": "ser_json_timedelta",
    "temporal_mode": "ser_json_temporal",
}
"""pydantic_core's arguments, and the settings of a class that say the same."""

Refer = Callable[[Any, bool, int], dict[str, Any]]


# -- dump ------------------------------------------------------------------------------------


def dump(entity: Any, *, mode: str, include: Any, exclude: Any, options: dict[str, Any]) -> Any:
    """Return an entity and all it leads to as nested plain data, each entity once.

    Parameters
    ----------
    entity
        The outermost entity; it carries its class as ``$type``.
    mode
        ``"python"`` or ``"json"``, as in pydantic.
    include, exclude
        Names of fields of `entity` itself.
    options
        What else ``BaseModel.model_dump`` takes.

    Notes
    -----
    Breadth first: an entity stands where the fewest references lead to it, and is
    ``{"$ref": ecs_id}`` everywhere else. O(entities + references).
    """
    dumpers: dict[type, _ClassDumper] = {}
    seen = {id(entity)}
    deep: list[dict[str, Any]] = []
    result: dict[str, Any] = {}
    queue = collections.deque([(entity, result, 0, True)])

    def refer(other: Any, certain: bool, depth: int) -> dict[str, Any]:
        if id(other) in seen:
            return _ref(other, mode)
        seen.add(id(other))
        node: dict[str, Any] = {}
        if depth > MAX_NESTING:
            deep.append(node)
            queue.append((other, node, 2, True))
            return _ref(other, mode)
        queue.append((other, node, depth, not certain))
        return node

    while queue:
        current, target, depth, typed = queue.popleft()
        names = _selected(current, include, exclude) if current is entity else None
        cls = type(current)
        if is_placeholder(current):
            raise not_loaded(current, "version")
        if cls not in dumpers:
            dumpers[cls] = _ClassDumper(cls, mode, options)
        if typed:
            target[TYPE] = dumpers[cls].name
        dumpers[cls].write(current, target, names, depth, refer)
    if deep:
        result[ENTITIES] = deep
    return result


def _ref(entity: Any, mode: str) -> dict[str, Any]:
    ecs_id = entity.__dict__["ecs_id"]
    return {REF: str(ecs_id) if mode == "json" else ecs_id}


def _selected(entity: Any, include: Any, exclude: Any) -> set[str] | None:
    """Return the names of the fields to dump, None for all."""
    if include is None and exclude is None:
        return None
    for given in (include, exclude):
        if isinstance(given, Mapping) and not all(v is True or v is ... for v in given.values()):
            raise EcsvizError(
                "include= and exclude= of an entity take names of its own fields;"
                " what other entities dump cannot be chosen from here."
                " Give a set of names.",
                given=given,
            )
    names = _names_in(entity)
    if include is not None:
        names &= {str(name) for name in include}
    return names - {str(name) for name in exclude or ()}


def _names_in(entity: Any) -> set[str]:
    cls = type(entity)
    return {*cls.model_fields, *cls.model_computed_fields, *(entity.__pydantic_extra__ or ())}


class _ClassDumper:
    """Writes the entities of one class: values through pydantic, references by itself."""

    def __init__(self, cls: Any, mode: str, options: dict[str, Any]) -> None:
        self.cls = cls
        self.name = type_name(cls)
        self.mode = mode
        self.options = options
        by_alias = options.get("by_alias")
        if by_alias is None:
            by_alias = cls.model_config.get("serialize_by_alias", False)
        own = _own_serializers(cls)
        plan = class_plan(cls).check()
        self.references = {
            field.name: field
            for field in plan.fields
            if field.shape != Shape.OPAQUE and field.name not in own
        }
        self.hidden = plan.hidden
        self.modes = {
            option: cls.model_config[setting]
            for option, setting in _JSON_MODES.items()
            if setting in cls.model_config
        }
        self.keys = {
            name: (info.serialization_alias or info.alias or name) if by_alias else name
            for name, info in cls.model_fields.items()
        }
        self.left_out = {*self.references, *_entity_properties(cls)}
        self.trims = bool(options.get("exclude_unset") or options.get("exclude_defaults"))

    def write(
        self,
        entity: Any,
        target: dict[str, Any],
        names: set[str] | None,
        depth: int,
        refer: Refer,
    ) -> None:
        cls, left_out = self.cls, self.left_out
        refuse_hidden(entity, self.hidden)
        if names is not None:
            left_out = left_out | (_names_in(entity) - names)
        values = BaseModel.model_dump(entity, mode=self.mode, exclude=left_out, **self.options)
        if not isinstance(values, dict):
            raise UnsupportedFieldError(
                f"{cls.__name__} has a model_serializer that returns a {type(values).__name__}."
                " Return a dict, to which the entity's identity and references can be added.",
                cls=cls,
                field=None,
            )
        for name, info in cls.model_fields.items():
            key = self.keys[name]
            if key in values:
                target[key] = values.pop(key)
            elif name in self.references:
                if (names is None or name in names) and not self._skips(entity, name, info):
                    field = self.references[name]
                    target[key] = self._value(entity.__dict__[name], field, depth, refer)
            elif self.trims and name in OWN_FIELDS and (names is None or name in names):
                self._write_identity(entity, name, target)
        target.update(values)

    def _write_identity(self, entity: Any, name: str, target: dict[str, Any]) -> None:
        """Write one of the own fields that says something, though nobody has set it."""
        value = entity.__dict__.get(name)
        default = {"lineage_id": entity.__dict__.get("ecs_id"), "version": 0}.get(name)
        if value is not None and value != default:
            target[name] = self._plain(value)

    def _skips(self, entity: Any, name: str, info: Any) -> bool:
        state, options = entity.__dict__, self.options
        if info.exclude or name not in state:
            return True
        value = state[name]
        if info.exclude_if is not None and info.exclude_if(value):
            return True
        if options.get("exclude_none") and value is None:
            return True
        if options.get("exclude_defaults") and not info.is_required():
            default = info.get_default(
                call_default_factory=not info.default_factory_takes_validated_data
            )
            if value is default or (type(value) is type(default) and not value and not default):
                return True
        # A list that was filled by appending counts as set.
        return bool(
            options.get("exclude_unset")
            and name not in entity.__pydantic_fields_set__
            and not value
        )

    def _value(self, value: Any, field: FieldPlan, depth: int, refer: Refer) -> Any:
        """Dump a field that holds entities. Recurses over nested values, never over entities."""
        if value is None:
            return None
        certain = field.shape != Shape.NESTED and len(field.targets) == 1

        def one(item: Any, level: int) -> Any:
            kind = type(item)
            if is_entity_class(kind):
                return refer(item, certain and same_type(kind, field.targets[0]), level)
            if level - depth > MAX_VALUE_DEPTH:
                raise too_deep(field.place)
            if isinstance(item, Mapping):
                return {self._key(key): one(part, level + 1) for key, part in item.items()}
            if isinstance(item, AbstractSet):
                entities = sorted((p for p in item if is_entity_class(type(p))), key=id_number)
                others = [part for part in item if not is_entity_class(type(part))]
                return [one(part, level + 1) for part in (*entities, *others)]
            if isinstance(item, BaseModel):
                return self._model(item, one, level)
            parts = value_parts(item)
            if not parts:
                return self._plain(item)
            if hasattr(kind, "__dataclass_fields__"):
                return {str(name): one(part, level + 1) for name, part in parts}
            made = [one(part, level + 1) for _, part in parts]
            return tuple(made) if self.mode == "python" and kind is tuple else made

        return one(value, depth + 1)

    def _model(self, model: BaseModel, one: Callable[[Any, int], Any], level: int) -> Any:
        """Dump a plain model: what holds entities by itself, the rest through pydantic."""
        if isinstance(model, RootModel):
            return one(model.root, level + 1)
        place = type(model).__name__
        holders = {
            str(name): part
            for name, part in value_parts(model)
            if next(nested_entities(part, place), None) is not None
        }
        left_out = {*holders, *_entity_properties(type(model))}
        values = model.model_dump(mode=self.mode, exclude=left_out, **self.options)
        by_alias = self.options.get("by_alias")
        for name, info in type(model).model_fields.items():
            key = (info.serialization_alias or info.alias or name) if by_alias else name
            if name in holders and not info.exclude:
                values[key] = one(holders.pop(name), level + 1)
        return {**values, **{name: one(part, level + 1) for name, part in holders.items()}}

    def _key(self, key: Any) -> Any:
        return next(iter(self._plain({key: None}))) if self.mode == "json" else key

    def _plain(self, value: Any) -> Any:
        if self.mode != "json":
            return value
        try:
            return to_jsonable_python(value, **self.modes)
        except UnicodeError as err:
            raise _beyond_json(self.name) from err


def _own_serializers(cls: Any) -> set[str]:
    """Return the fields for which the class says itself how they are dumped."""
    names: set[str] = set()
    for decorator in cls.__pydantic_decorators__.field_serializers.values():
        names |= {*cls.model_fields} if "*" in decorator.info.fields else {*decorator.info.fields}
    for name, info in cls.model_fields.items():
        if any(isinstance(item, (PlainSerializer, WrapSerializer)) for item in info.metadata):
            names.add(name)
    return names


def _entity_properties(cls: Any) -> list[str]:
    return [
        name
        for name, info in cls.model_computed_fields.items()
        if can_hold_entities(info.return_type, cls)
    ]


def dump_json(data: Any, *, indent: int | None, ensure_ascii: bool = False) -> str:
    """Return dumped data as JSON. NaN and the infinities become strings, which floats accept."""
    try:
        text = to_json(data, indent=indent, ensure_ascii=ensure_ascii, inf_nan_mode="strings")
    except PydanticSerializationError as err:
        raise _beyond_json(data[TYPE]) from err
    return text.decode()


def _beyond_json(name: str) -> ValueNotStorableError:
    return ValueNotStorableError(
        f"The dump of a {name} holds a text with half of a character (a lone surrogate), which"
        " pydantic's JSON does not take. Leave that out, or use model_dump() or pickle, which keep"
        " it.",
        type_name=name,
    )


# -- load ------------------------------------------------------------------------------------


def parse_json(text: str | bytes | bytearray) -> Any:
    """Return the data of a JSON text, or None if it is none: pydantic then says why."""
    try:
        return from_json(text)
    except (ValueError, TypeError):  # a text beyond UTF-8 is no str to it
        return None


def is_dump(cls: Any, data: Any) -> bool:
    """Tell whether data are an entity's dump: it then carries its class, or references.

    Notes
    -----
    Only what stands in fields that hold entities counts: a JSON schema in some other field has
    its own ``$ref``.
    """
    if not isinstance(data, Mapping):
        return False
    if isinstance(data.get(TYPE), str):
        return True
    fields = [f for f in class_plan(cls).fields if f.shape != Shape.OPAQUE]
    keys = [(f.name, *_aliases(cls.model_fields[f.name])) for f in fields]
    stack = [data[key] for key in itertools.chain(*keys) if key in data]
    seen: set[int] = set()  # data may hold themselves
    while stack:
        item = stack.pop()
        if not isinstance(item, (Mapping, list, tuple)) or id(item) in seen:
            continue
        seen.add(id(item))
        if not isinstance(item, Mapping):
            stack.extend(item)
        elif _is_ref(item) or isinstance(item.get(TYPE), str):
            return True
        else:
            stack.extend(item.values())
    return False


def _is_ref(item: Mapping[Any, Any]) -> bool:
    return len(item) == 1 and isinstance(item.get(REF), (str, UUID))


class Loader:
    """Rebuild the graph of a dump: first every entity as a shell, then every state.

    Pydantic validates each state by itself, with the shells in the references' places; an
    instance of an entity class passes validation as it is. The user's validators may look at
    what an entity holds: see `ecsviz.domain.validating`.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        # What JSON cannot say (tuples, sets, dates) was written as what it can: not strictly.
        self.options = {**options, "strict": False}
        self.shells: dict[int, Any] = {}
        self.todo: collections.deque[Raw] = collections.deque()
        self.references = HeldReferences()
        # (container, key or index, id, holder, field) of every reference to what stands elsewhere
        self.holes: list[tuple[Any, Any, Any, Any, FieldPlan]] = []
        self.reader = cast("Callable[[Any], _ClassReader]", functools.cache(_ClassReader))
        self.class_named = functools.cache(self._class_named)
        self.classes: dict[str, list[type]] = {}
        for cls in known_entity_classes():
            for name in names_of(cls):
                self.classes.setdefault(name, []).append(cls)

    def load(self, cls: type, data: Mapping[str, Any]) -> Any:
        """Return the entity that `data` describe, with everything it leads to."""
        with collector_paused():
            root = self._declare(cls, data, cls.__name__)
            for number, item in enumerate(data.get(ENTITIES, ())):
                self._declare(None, item, f"{ENTITIES}[{number}]")
            declared = []
            while self.todo:
                raw = self.todo.popleft()
                for field in self.reader(type(raw.entity)).references:
                    if raw.values.get(field.name) is not None:
                        self._declare_in(raw.entity, raw.values, field)
                declared.append(raw)
            for container, key, value, holder, field in self.holes:
                container[key] = self._resolve(value, field.place)
                self.references.add(holder, field, container[key])
            validate_all(declared, self.references, self._fill)
        return root

    def _fill(self, raw: Raw) -> None:
        reader = self.reader(type(raw.entity))
        try:
            validate_into(raw.entity, raw.values, **{**reader.options, **self.options})
        except ValidationError as err:
            err.add_note(f"in {raw.place}")
            raise

    def _declare(self, cls: type | None, data: Any, place: str) -> Any:
        """Make the shell of an entity, and put its values on the list."""
        name = data.get(TYPE) if isinstance(data, Mapping) else None
        if isinstance(name, str):
            cls = self.class_named(name, cls, place)
        elif name is not None:
            cls = None
        if cls is None or not isinstance(data, Mapping):
            raise UnknownTypeError(
                f"The entity in {place} does not say its {TYPE}, the name of its class.",
                place=place,
            )
        values = self.reader(cls).by_name(data)
        ecs_id = _as_id(values.get("ecs_id"), place)
        entity = shell(cls, ecs_id)
        if ecs_id is not None:
            if ecs_id.int in self.shells:
                raise DuplicateIdError(
                    f"{place} writes the entity {ecs_id} a second time."
                    f' Write it once and refer to it as {{"{REF}": "{ecs_id}"}}.',
                    ecs_id=ecs_id,
                    places=(place,),
                )
            self.shells[ecs_id.int] = entity
        self.todo.append(Raw(entity, values, place))
        return entity

    def _declare_in(self, entity: Any, values: dict[str, Any], field: FieldPlan) -> None:
        """Replace the entities written inside one field by shells, and note the references."""
        certain = field.targets[0] if len(field.targets) == 1 else None
        flat = field.shape in (Shape.LIST, Shape.SET, Shape.DICT)

        def put(container: Any, key: Any, item: Any, path: tuple[Any, ...]) -> None:
            here = len(path) == (1 if flat else 0) and field.shape != Shape.NESTED
            if isinstance(item, Mapping):
                if _is_ref(item) or (here and REF in item):
                    self.holes.append((container, key, item[REF], entity, field))
                    return
                if here or isinstance(item.get(TYPE), str):
                    place = f"{type(entity).__name__}.{_path(field.name, path)}"
                    container[key] = self._declare(certain, item, place)
                    self.references.add(entity, field, container[key])
                    return
                made: Any = {**item}
                parts: Any = item.items()
            elif isinstance(item, (list, tuple)):
                made, parts = [*item], enumerate(item)
            else:
                return  # a value, which stands there already
            if len(path) > MAX_VALUE_DEPTH:
                raise too_deep(field.place)
            container[key] = made
            for step, part in parts:
                if isinstance(part, _BRANCHES):
                    put(made, step, part, (*path, step))

        put(values, field.name, values[field.name], ())

    def _resolve(self, value: Any, place: str) -> Any:
        ecs_id = _as_id(value, place)
        if ecs_id is None or ecs_id.int not in self.shells:
            raise BrokenReferenceError(
                f"{place} refers to {short_repr(value)}, which the dump does not hold."
                " Dump the whole graph.",
                place=place,
                ecs_id=ecs_id,
            )
        return self.shells[ecs_id.int]

    def _class_named(self, name: str, base: type | None, place: str) -> type:
        """Return the newest entity class of a name, below `base` where that is given."""
        if base is not None and name in names_of(base):
            return base
        named = self.classes.get(name, [])
        fit = shadowing([cls for cls in named if base is None or derives_from(cls, base)])
        if len(fit) == 1:
            return fit[0]
        what = f"{place} is of type {short_repr(name)}"
        if fit:
            modules = ", ".join(sorted(cls.__module__ for cls in fit))
            raise UnknownTypeError(
                f"{what}, and several classes have that name, in {modules}."
                " Validate with the class itself, not with a base class.",
                type_name=name,
            )
        if named and base is not None:
            raise UnknownTypeError(
                f"{what}, which is no {base.__name__}."
                f" Validate with {named[0].__name__}, or with a base class of both.",
                type_name=name,
            )
        known = [
            cls.__name__
            for cls in known_entity_classes()
            if base is None or derives_from(cls, base)
        ]
        raise UnknownTypeError(
            f"{what}, and no such entity class is defined here."
            f"{did_you_mean(name.rpartition('.')[2], known)} Define the class first.",
            type_name=name,
        )


_BRANCHES = (Mapping, list, tuple)
"""What a dump may nest entities in."""


class _ClassReader:
    """Reads the values of one class's entities from a dump."""

    def __init__(self, cls: Any) -> None:
        fields, computed = cls.model_fields, cls.model_computed_fields
        self.references = [f for f in class_plan(cls).fields if f.shape != Shape.OPAQUE]
        self.aliases = {name: _aliases(info) for name, info in fields.items() if _aliases(info)}
        # A dump holds computed fields, but they are made from the others.
        made = {key for name, info in computed.items() for key in (name, info.alias)}
        self.dropped = {TYPE, ENTITIES, *made} - {*fields}
        paths = any(
            not isinstance(info.validation_alias, (str, type(None))) for info in fields.values()
        )
        self.options = {"by_name": True, "by_alias": paths}

    def by_name(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return an entity's values under the names of its fields, whatever they stood under."""
        values = {key: value for key, value in data.items() if key not in self.dropped}
        for name, aliases in self.aliases.items():
            for alias in aliases:
                if name not in values and alias in values:
                    values[name] = values.pop(alias)
        return values


def _aliases(info: FieldInfo) -> list[str]:
    names = (info.alias, info.validation_alias, info.serialization_alias)
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _path(name: str, steps: tuple[Any, ...]) -> str:
    return name + "".join(format_path("", step) for step in steps)


def _as_id(value: Any, place: str) -> UUID | None:
    if value is None or isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError) as err:
        raise InvalidIdError(
            f"{place} has the ecs_id {short_repr(value)}, which is not a UUID.", value=value
        ) from err
