"""Two DataFrames → the entities that they describe; the way back of `to_frames`."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import ValidationError

from ecsviz.basics.garbage import collector_paused
from ecsviz.domain.entity_class import derives_from
from ecsviz.domain.fields import (
    OWN_FIELDS,
    FieldPlan,
    Shape,
    class_plan,
    complete_fields,
    union_members,
)
from ecsviz.domain.objects import fill, shell
from ecsviz.domain.post_init import run_post_init
from ecsviz.domain.validating import dependencies_first, looks, validate_into
from ecsviz.errors import (
    BrokenReferenceError,
    DuplicateIdError,
    ImportFormatError,
    did_you_mean,
    short_repr,
)
from ecsviz.frames.field_values import FieldValues, KeyValues
from ecsviz.frames.input_rows import (
    class_in_row,
    classes_by_name,
    id_in_row,
    id_of_key,
    is_hashable,
    is_missing,
    read_columns,
    wrong_cell,
)
from ecsviz.frames.to_frames import CLASS, NODE_COLUMNS, REFERENCE_COLUMNS
from ecsviz.values.codecs import JsonCodec, Refused
from ecsviz.values.field_codecs import check_class, codec_of, opaque_names

if TYPE_CHECKING:
    import pandas as pd


def from_frames(
    nodes: pd.DataFrame,
    references: pd.DataFrame | None = None,
    classes: Any = None,
    *,
    validate: bool = True,
    ignore: Iterable[str] = (),
) -> list[Any]:
    """Make the entities that two DataFrames describe.

    Parameters
    ----------
    nodes
        A row per entity, in the columns of `to_frames`. Only the fields without a default are
        needed. ``class`` may be left out where `classes` is one class. Instead of ``ecs_id``
        there may be a column ``id`` with keys of any kind: each entity's ``ecs_id`` is made
        from its class and key, the same at every call.
    references
        A row per reference, in the columns of `to_frames`; None where there are none.
        ``source`` and ``target`` hold what the column ``ecs_id`` (or ``id``) of `nodes` holds.
        ``position`` may be left out: the order of the rows counts then.
    classes
        An entity class, an iterable of them, or a mapping from the names in ``class`` to them;
        None for all that are defined. Nothing that a frame names is ever imported.
    validate
        Whether pydantic validates every entity, as a constructor does: constraints are checked,
        texts become times. With False, values must have the types of their fields already, and
        stay as they are.
    ignore
        Names of columns of `nodes` that are passed over. Any other column must be a field.

    Returns
    -------
    list
        The entities, in the order of the rows.

    Raises
    ------
    ImportFormatError
        If a column is missing or unknown, or a value does not fit. Its ``frame`` and ``row``
        (as for ``iloc``) say where.
    UnknownTypeError
        If a class is not among `classes`.
    InvalidIdError, DuplicateIdError
        If an ``ecs_id`` is no UUID, or stands in two rows.
    BrokenReferenceError
        If a reference leads to or from an entity that has no row.

    See Also
    --------
    ecsviz.to_frames : the way there, and the columns.

    Notes
    -----
    Every entity is given its values and references first and validated afterwards, dependencies
    first, so that a validator sees the whole graph. A missing value is None, or the default where
    None is not allowed. Nothing is stored. O(rows).

    Examples
    --------
    >>> import ecsviz as ev, pandas as pd
    >>> class Town(ev.Entity):
    ...     name: str
    ...     roads: "list[Town]" = ev.reference(inverse=None, default_factory=list)
    >>> towns = pd.DataFrame({"id": [1, 2], "name": ["Ulm", "Bonn"]})
    >>> roads = pd.DataFrame({"source": [1, 2], "target": [2, 1]}).assign(field="roads")
    >>> ulm, bonn = ev.from_frames(towns, roads, Town)
    >>> ulm.roads[0] is bonn, bonn.roads[0].name
    (True, 'Ulm')
    """
    with collector_paused():
        return _Frames(nodes, references, classes, frozenset(ignore)).entities(validate=validate)


class _Frames:
    """One reading of two frames."""

    def __init__(self, nodes: Any, references: Any, classes: Any, ignore: frozenset[str]) -> None:
        self.nodes = read_columns("nodes", nodes)
        self.floats = {name for name, kind in nodes.dtypes.items() if kind.kind == "f"}
        self.ignore = ignore
        self.size = len(nodes)
        self.classes = self._classes(classes)
        self.rows: dict[type, list[int]] = {}
        for row, cls in enumerate(self.classes):
            self.rows.setdefault(cls, []).append(row)
        self.position: dict[Any, int] = {}
        self.shells = [
            shell(cls, ecs_id) for cls, ecs_id in zip(self.classes, self._ids(), strict=True)
        ]
        self.values: list[dict[str, Any]] = [{} for _ in range(self.size)]
        self.held: dict[tuple[int, str], list[_Held]] = {}
        if references is not None:
            self._read_references(read_columns("references", references), len(references))

    def entities(self, *, validate: bool) -> list[Any]:
        """Return the entities of all rows."""
        self._check_columns()
        for cls, rows in self.rows.items():
            check_class(cls)
            self._own_fields(rows)
            for name in (*class_plan(cls).values, *opaque_names(cls)):
                self._read_values(cls, name, rows, validate=validate)
            for field in class_plan(cls).fields:
                if field.shape not in (Shape.OPAQUE, Shape.NESTED):
                    self._hold(field, rows)
        for entity, values in zip(self.shells, self.values, strict=True):
            fill(entity, dict(values), set(values))
        # Nested values next: the validators of plain models may look at the entities inside.
        for cls, rows in self.rows.items():
            for field in class_plan(cls).fields:
                if field.shape == Shape.NESTED:
                    self._read_nested(field, rows)
        if validate:
            self._validate_all()
        else:
            run_post_init(self.shells, self.rows)
        self._note_defaults()
        return self.shells

    def _note_defaults(self) -> None:
        """Let fields that neither frame speaks of count as not set: they have their defaults."""
        held = {(self.classes[row], name) for row, name in self.held}
        for cls, rows in self.rows.items():
            names = complete_fields(cls).keys() - OWN_FIELDS - self.nodes.keys()
            silent = {name for name in names if (cls, name) not in held}
            for row in rows:
                self.shells[row].model_fields_set.difference_update(silent)

    # -- classes and ids ---------------------------------------------------------------------

    def _classes(self, given: Any) -> list[Any]:
        table, only = classes_by_name(given)
        names = self.nodes.get(CLASS)
        if names is None:
            if only is None:
                raise ImportFormatError(
                    "nodes has no column 'class'. Add one with the name of each row's class, or"
                    " give the one class of all rows: from_frames(nodes, references, MyClass).",
                    frame="nodes",
                    column=CLASS,
                )
            return [only] * self.size
        known: dict[Any, Any] = {}
        for row, name in enumerate(names):
            if name not in known:
                known[name] = class_in_row(name, table, row)
        return [known[name] for name in names]

    def _ids(self) -> list[UUID]:
        made = "ecs_id" not in self.nodes and "id" in self.nodes
        if not made and "ecs_id" not in self.nodes:
            raise ImportFormatError(
                "nodes has no column 'ecs_id'. Add one with a UUID per row, or a column 'id' with"
                " keys of your own, from which the ids are made.",
                frame="nodes",
                column="ecs_id",
            )
        keys = self.nodes["id" if made else "ecs_id"]
        result = []
        for row, (key, cls) in enumerate(zip(keys, self.classes, strict=True)):
            ecs_id = id_of_key(key, cls) if made else id_in_row(key, "nodes", row, "ecs_id")
            if ecs_id is None:
                raise wrong_cell("nodes", row, "id", "is missing")
            known = self.position.setdefault(key if made else ecs_id, row)
            if known != row:
                raise DuplicateIdError(
                    f"nodes.iloc[{row}] and nodes.iloc[{known}] have the same"
                    f" {'id' if made else 'ecs_id'}, {short_repr(key)}. An entity has one row.",
                    ecs_id=ecs_id,
                    places=(f"nodes.iloc[{known}]", f"nodes.iloc[{row}]"),
                    frame="nodes",
                    row=row,
                )
            result.append(ecs_id)
        self.made = made
        return result

    def _own_fields(self, rows: list[int]) -> None:
        lineages, parents, versions = (
            self.nodes.get(name) for name in ("lineage_id", "parent_id", "version")
        )
        for row in rows:
            ecs_id = self.shells[row].__dict__["ecs_id"]
            lineage = lineages and id_in_row(lineages[row], "nodes", row, "lineage_id", none=True)
            parent = parents and id_in_row(parents[row], "nodes", row, "parent_id", none=True)
            version = 0 if versions is None or is_missing(versions[row]) else versions[row]
            if type(version) is float and version.is_integer():
                version = int(version)
            if type(version) is not int or version < 0:
                raise wrong_cell("nodes", row, "version", "is no whole number from 0")
            self.values[row] = {
                "ecs_id": ecs_id,
                "lineage_id": lineage or ecs_id,
                "parent_id": parent or None,
                "version": version,
            }

    # -- values ------------------------------------------------------------------------------

    def _check_columns(self) -> None:
        """Raise for a column that is no field, and for a value where a class has no such field."""
        fields = {cls: {*complete_fields(cls)} for cls in self.rows}
        own = {*NODE_COLUMNS, *(("id",) if self.made else ()), *self.ignore}
        every = set().union(*fields.values()) if fields else set()
        single = {
            f.name
            for cls in self.rows
            for f in class_plan(cls).fields
            if f.shape not in (Shape.OPAQUE, Shape.NESTED)
        }
        for name, values in self.nodes.items():
            if name in own:
                continue
            if name not in every:
                what = ", ".join(sorted(cls.__name__ for cls in self.rows)) or "any class"
                hint = did_you_mean(str(name), sorted(every - set(NODE_COLUMNS)))
                raise ImportFormatError(
                    f"nodes has a column {short_repr(name)}, which is no field of {what}.{hint}"
                    " Drop the column, or pass it over with ignore=[…].",
                    frame="nodes",
                    column=name,
                )
            for cls, rows in self.rows.items():
                if name in fields[cls] and name not in single:
                    continue
                for row in rows:
                    if not is_missing(values[row]):
                        what = "holds entities: its rows belong into references"
                        if name not in fields[cls]:
                            what = f"is no field of {cls.__name__}, the class of this row"
                        raise wrong_cell("nodes", row, name, what)

    def _read_values(self, cls: Any, name: str, rows: list[int], *, validate: bool) -> None:
        """Take one field's values as they stand in a column."""
        info = complete_fields(cls)[name]
        cells = self.nodes.get(name)
        if cells is None:
            if info.is_required():
                raise ImportFormatError(
                    f"nodes has no column {name!r}, which {cls.__name__} needs.",
                    frame="nodes",
                    column=name,
                )
            self._put_defaults(name, info, rows)
            return
        wanted = FieldValues(cls, name)
        try:
            values = wanted.values(
                [cells[row] for row in rows], of_floats=name in self.floats, strict=not validate
            )
        except Refused as refused:
            raise wrong_cell("nodes", rows[refused.row], name, refused.why) from refused.__cause__
        left = []
        for row, value in zip(rows, values, strict=True):
            if value is not None or wanted.optional:
                self.values[row][name] = value
            elif info.is_required():
                raise wrong_cell("nodes", row, name, f"is missing, but {cls.__name__} needs it")
            else:
                left.append(row)
        self._put_defaults(name, info, left)

    def _put_defaults(self, name: str, info: Any, rows: list[int]) -> None:
        for row in rows:
            self.values[row][name] = _default(info, self.values[row])

    def _validate_all(self) -> None:
        rows: Iterable[int] = range(self.size)
        if any(map(looks, self.rows)):
            row_of = {id(entity): row for row, entity in enumerate(self.shells)}
            rows = [row_of[id(entity)] for entity in dependencies_first(self.shells)]
        for row in rows:
            self._validate(row)

    def _validate(self, row: int) -> None:
        """Let pydantic look at an entity whose neighbours have their values already."""
        entity = self.shells[row]
        values = {**entity.__dict__}
        try:
            validate_into(entity, values, by_name=True, by_alias=False)
        except ValidationError as err:
            first = err.errors(include_input=False, include_url=False, include_context=False)[0]
            name = str(first["loc"][0]) if first["loc"] else None
            told = first["type"] if first["type"] in _OWN_WORDS else first["msg"]
            place = "".join(f"[{step!r}]" for step in first["loc"][1:])
            raise wrong_cell(
                "nodes",
                row,
                name,
                f"does not fit{place and ' at ' + place}: {told}",
                cls=type(entity),
            ) from err

    # -- references --------------------------------------------------------------------------

    def _read_references(self, columns: dict[str, list[Any]], count: int) -> None:
        unknown = [name for name in columns if name not in REFERENCE_COLUMNS]
        missing = [name for name in ("source", "field", "target") if name not in columns]
        if unknown or missing:
            what = f"no column {missing[0]!r}" if missing else f"a column {short_repr(unknown[0])}"
            raise ImportFormatError(
                f"references has {what}. Its columns are source, field, target and, where needed,"
                " position and key.",
                frame="references",
                column=(missing or unknown)[0],
            )
        nothing = [None] * count
        positions, keys = columns.get("position", nothing), columns.get("key", nothing)
        rows = zip(
            columns["source"], columns["field"], columns["target"], positions, keys, strict=True
        )
        for row, (source, name, target, position, key) in enumerate(rows):
            holder, held = (
                self._end(value, row, column)
                for value, column in ((source, "source"), (target, "target"))
            )
            field = self._field(holder, name, row)
            if not any(derives_from(self.classes[held], cls) for cls in field.targets):
                what = " or ".join(cls.__name__ for cls in field.targets)
                cls = self.classes[held]
                raise wrong_cell("references", row, "target", f"is a {cls.__name__}, not a {what}")
            place = self._position(position, row)
            self.held.setdefault((holder, field.name), []).append((place, row, key, held))

    def _end(self, value: Any, row: int, column: str) -> int:
        key = value if self.made else id_in_row(value, "references", row, column)
        found = self.position.get(key) if is_hashable(key) else None
        if found is None:
            raise BrokenReferenceError(
                f"references.iloc[{row}]: the {column} {short_repr(value)} is not in nodes. Add"
                " its row, or drop the reference.",
                frame="references",
                row=row,
                column=column,
            )
        return found

    def _field(self, holder: int, name: Any, row: int) -> FieldPlan:
        cls = self.classes[holder]
        for field in class_plan(cls).check().fields:
            if field.name == name and field.shape != Shape.OPAQUE:
                return field
        known = [f.name for f in class_plan(cls).fields if f.shape != Shape.OPAQUE]
        raise wrong_cell(
            "references",
            row,
            "field",
            f"is {short_repr(name)}, which is no field of {cls.__name__} that holds entities",
            hint=did_you_mean(str(name), known),
        )

    def _position(self, value: Any, row: int) -> int | None:
        if is_missing(value):
            return None
        if type(value) is float and value.is_integer():
            return int(value)
        if type(value) is not int or value < 0:
            raise wrong_cell("references", row, "position", "is no whole number from 0")
        return value

    def _members(self, field: FieldPlan, row: int) -> list[_Held]:
        """Return what one field of one entity holds, in its order."""
        members = self.held.get((row, field.name), [])
        with_place = [member for member in members if member[0] is not None]
        if with_place and len(with_place) < len(members):
            bad = next(member for member in members if member[0] is None)
            raise wrong_cell(
                "references",
                bad[1],
                "position",
                f"is missing, and others of {field.place} have one",
            )
        members.sort(key=_by_place)
        for one, two in pairwise(members):
            if one[0] is not None and one[0] == two[0]:
                raise wrong_cell(
                    "references", two[1], "position", f"is {two[0]}, as in row {one[1]}"
                )
        return members

    def _hold(self, field: FieldPlan, rows: list[int]) -> None:
        """Put entities into a field that holds nothing else."""
        shells = self.shells
        for row in rows:
            members = self._members(field, row)
            if field.shape == Shape.SINGLE:
                if len(members) > 1:
                    why = f"and row {members[0][1]} are two, but {field.place} holds one entity"
                    raise wrong_cell("references", members[1][1], None, why)
                if field.required and not members:
                    why = f"is missing: {field.place} is required, and references has no row for it"
                    raise wrong_cell("nodes", row, field.name, why)
                self.values[row][field.name] = shells[members[0][3]] if members else None
            elif field.shape == Shape.DICT:
                self.values[row][field.name] = self._dict(field, members)
            else:
                container: Any = field.container
                self.values[row][field.name] = container(shells[m[3]] for m in members)

    def _dict(self, field: FieldPlan, members: list[_Held]) -> dict[Any, Any]:
        codec = codec_of(field.owner, field.name)[0]
        keys = KeyValues(codec, field.key_type)
        result: dict[Any, Any] = {}
        for _, row, cell, held in members:
            try:
                key = keys.key(cell)
                known = key in result
            except (Refused, TypeError) as err:
                why = err.why if isinstance(err, Refused) else "cannot be a key"
                raise wrong_cell("references", row, "key", why) from err
            if known:
                raise wrong_cell("references", row, "key", f"stands twice in one {field.place}")
            result[key] = self.shells[held]
        return result

    def _read_nested(self, field: FieldPlan, rows: list[int]) -> None:
        """Read values that hold entities inside from their JSON."""
        codec = codec_of(field.owner, field.name)[0]
        assert isinstance(codec, JsonCodec)
        cells = self.nodes.get(field.name)
        info = complete_fields(field.owner)[field.name]
        optional = type(None) in union_members(field.annotation)
        for row in rows:
            cell = None if cells is None or is_missing(cells[row]) else cells[row]
            members = self._members(field, row)
            state = self.shells[row].__dict__
            if cell is None and not members:
                if cells is not None and optional:
                    state[field.name] = None
                elif info.is_required():
                    raise wrong_cell(
                        "nodes", row, field.name, f"is missing: {field.place} is required"
                    )
                else:
                    state[field.name] = _default(info, state)
                continue
            targets = [self.shells[member[3]] for member in members]
            try:
                state[field.name] = codec.read(cell, 0, targets.__getitem__)
            except (Refused, LookupError, TypeError) as err:
                why = (
                    'is no JSON with {"$ref": n} for the n-th of its references'
                    if not isinstance(err, Refused)
                    else err.why
                )
                raise wrong_cell("nodes", row, field.name, why) from err


_Held = tuple[int | None, int, Any, int]
"""The place, the row of references, the key, and the row of what is held."""


def _default(info: Any, values: dict[str, Any]) -> Any:
    # A copy: a default may be a list, and is one object for all.
    return copy.deepcopy(info.get_default(call_default_factory=True, validated_data=values))


def _by_place(held: _Held) -> tuple[int, int]:
    return held[0] or 0, held[1]


_OWN_WORDS = frozenset({"value_error", "assertion_error"})
"""Where the message is the user's own: it may quote the value."""
