"""What has changed in a class since it was stored, field by field, without looking at rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecsviz.basics.html import block, element, shown_of, table
from ecsviz.basics.result_frames import typed_frame
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.storage.relational.schema.mapping import Layout, StoredType
from ecsviz.values.field_codecs import describe

if TYPE_CHECKING:
    import pandas as pd

CHANGE_HEADINGS = ("class", "field", "change", "stored", "class says", "refused")
MAX_CHANGES = 30
"""How many changes a cell lists."""


@dataclass(frozen=True, slots=True)
class Described:
    """What `describe` says of one field, taken apart.

    Attributes
    ----------
    kind
        ``value``, ``single``, ``said`` (a list that back-references say), or that of a
        collection: ``list``, ``dict[TEXT]``, …
    targets
        The SQL type of a value; the names of the classes that a reference holds.
    optional
        Whether it may be None.
    inverse
        The list that a single reference is the place in; the back-reference that says a list.
    said
        What is declared of a value's column.
    """

    kind: str
    targets: tuple[str, ...]
    optional: bool = False
    inverse: str | None = None
    said: frozenset[str] = frozenset()


def take_apart(text: str, layout: MappingOf[str, Any] | None) -> Described:
    """Return what the description of a field says.

    Parameters
    ----------
    text
        As `describe` gives it.
    layout
        Where the store keeps the field; None for a list that back-references say.

    Examples
    --------
    >>> take_apart("Page or Note or none in pages", {"columns": {}})
    Described(kind='single', targets=('Page', 'Note'), optional=True, inverse='pages', ...)
    """
    place = layout or {}
    if "column" in place:
        text, _, said = text.partition(" [")
        kind = text.removesuffix(" or none")
        declared = frozenset(filter(None, said.rstrip("]").split(", ")))
        return Described("value", (kind,), text != kind, said=declared)
    if "columns" in place and "table" not in place:
        text, _, inverse = text.partition(" in ")
        bare = text.removesuffix(" or none")
        return Described("single", tuple(bare.split(" or ")), text != bare, inverse or None)
    kind, _, rest = text.partition(" of ")
    rest, _, inverse = rest.partition(" by ")
    targets = tuple(rest.split(" or "))
    return Described("said" if layout is None else kind, targets, False, inverse or None)


@dataclass(slots=True)
class Change:
    """One difference between a class and what is stored of it.

    Attributes
    ----------
    type_name, field
        Where.
    what
        ``added``, ``dropped``, ``renamed``, ``optional``, ``required``, ``holds more``,
        ``holds fewer``, ``retyped``, ``converted``, ``declared`` (otherwise, of a column),
        ``in a list``, ``in no list``.
    before, after
        What the store and the class say; empty where there is nothing.
    refused
        Why it cannot be made; empty if it can.
    old_name
        For ``renamed``, what the store calls the field.
    values
        For ``converted``, how many values are.
    """

    type_name: str
    field: str
    what: str
    before: str = ""
    after: str = ""
    refused: str = ""
    old_name: str = ""
    values: int = 0

    def row(self) -> tuple[str, str, str, str, str, str]:
        """Return the change as a row under `CHANGE_HEADINGS`."""
        what = f"renamed from {self.old_name}" if self.what == "renamed" else self.what
        if what == "converted":
            what += f", {self.values} value{'' if self.values == 1 else 's'}"
        return (self.type_name, self.field, what, self.before, self.after, self.refused)


@dataclass(frozen=True, slots=True)
class KeptObject:
    """Something of the user's own beside our tables, which a migration leaves as it was.

    Attributes
    ----------
    text
        What it is: ``view titles``, ``unique index one_slug on teams``.
    refused
        Why it could not work any more; empty if it can.
    """

    text: str
    refused: str = ""

    def row(self) -> tuple[str, str, str, str, str, str]:
        """Return it as a row under `CHANGE_HEADINGS`."""
        return ("", self.text, "kept", "", "", self.refused)


@dataclass(slots=True)
class Migration:
    """What `migrate` is about to do, or has done.

    Attributes
    ----------
    changes
        Every difference between classes and tables.
    kept
        Views, triggers, indexes and the like of the user's own that are in the way. They are
        there afterwards as they were, or the migration is refused.
    applied
        Whether it was done.

    Examples
    --------
    >>> Migration([Change("Page", "number", "added", "", "BIGINT")])
    Migration: 1 change, not applied
      Page.number: added (BIGINT)
    """

    changes: list[Change] = field(default_factory=list)
    applied: bool = False
    kept: list[KeptObject] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is any difference."""
        return bool(self.changes)

    @property
    def refused(self) -> list[Change | KeptObject]:
        """The changes that cannot be made, and what would not work any more after them."""
        return [found for found in self._both() if found.refused]

    def rows(self) -> list[tuple[str, str, str, str, str, str]]:
        """Return everything as rows under `CHANGE_HEADINGS`."""
        return [found.row() for found in self._both()]

    def _both(self) -> list[Change | KeptObject]:
        return [*self.changes, *self.kept]

    def summary(self) -> str:
        """Return one sentence."""
        if not self.changes:
            return "nothing to migrate: classes and tables agree"
        count = len(self.changes)
        text = f"{count} change{'' if count == 1 else 's'}"
        if self.refused:
            text += f", {len(self.refused)} refused"
        return f"{text}, {'applied' if self.applied else 'not applied'}"

    def lines(self) -> list[str]:
        """Return a line per change, and per thing that is kept."""
        result = []
        for of, name, what, before, after, refused in self.rows():
            said = " → ".join(part for part in (before, after) if part)
            why = f"\n    refused: {refused}" if refused else ""
            place = f"{of}.{name}" if of else name
            result.append(f"{place}: {what}{f' ({said})' if said else ''}{why}")
        return result

    def to_frame(self) -> pd.DataFrame:
        """Return the changes as a DataFrame.

        Returns
        -------
        DataFrame
            Columns ``class``, ``field``, ``change``, ``stored``, ``class says`` and ``refused``,
            all texts. What is kept of the user's own has no class.
        """
        return typed_frame(self.rows(), dict.fromkeys(CHANGE_HEADINGS, "str"))

    def __repr__(self) -> str:
        return "\n  ".join([f"Migration: {self.summary()}", *self.lines()])

    def _repr_html_(self) -> str:
        rows = self.rows()
        caption = f"Migration: {self.summary()}"
        if not rows:
            return str(block(element("p", caption, look="line")))
        some = len(rows) > MAX_CHANGES
        note = shown_of(MAX_CHANGES, len(rows), "changes") if some else None
        shown = rows[:MAX_CHANGES]
        return str(block(table(CHANGE_HEADINGS, shown, caption=caption, note=note)))


@dataclass(slots=True)
class Declared:
    """What a user says about a migration.

    Attributes
    ----------
    drop
        Type and field of what may be dropped.
    rename
        Type and old field → new field.
    convert
        Type and new field → the function that makes its values.
    """

    drop: set[tuple[str, str]]
    rename: dict[tuple[str, str], str]
    convert: dict[tuple[str, str], Callable[[Any], Any]] = field(default_factory=dict)

    def now(self, type_name: str, name: str) -> str:
        """Return what a field is called now."""
        return self.rename.get((type_name, name), name)

    def before(self, type_name: str, name: str) -> str:
        """Return what the store calls a field that may be renamed."""
        for (of, old), new in self.rename.items():
            if (of, new) == (type_name, name):
                return old
        return name


def compare(
    type_name: str,
    stored: StoredType,
    cls: type,
    now: MappingOf[str, str],
    declared: Declared,
    layout: Layout,
) -> list[Change]:
    """Return in what a class differs from what is stored of it.

    Parameters
    ----------
    type_name, stored, cls
        The type, what the store says of it, and its class as it is now.
    now
        What the class's fields store, as `describe` gives it.
    declared
        What may be dropped, and what was renamed.
    layout
        Where the class as it is now would be kept.
    """
    changes: list[Change] = []
    found: set[str] = set()
    for old, before in stored.fields.items():
        name = declared.rename.get((type_name, old), old)
        found.add(name)
        if name not in now:
            asked = (type_name, old) in declared.drop
            why = f"name it in drop=['{cls.__name__}.{old}'], or say what it is called now in"
            why += f" rename={{'{cls.__name__}.{old}': …}}; its values are kept until then"
            changes.append(Change(type_name, old, "dropped", before, "", "" if asked else why))
            continue
        after = now[name]
        if name != old:
            changes.append(Change(type_name, name, "renamed", before, after, old_name=old))
        if (type_name, name) in declared.convert:
            changes.append(Change(type_name, name, "converted", before, after))
            continue
        one = take_apart(before, stored.layout.get(old))
        two = take_apart(after, layout.get(name))
        changes += _compare_field(Change(type_name, name, "", before, after), one, two, declared)
    changes += [Change(type_name, n, "added", "", now[n]) for n in now if n not in found]
    return changes


def _compare_field(
    base: Change, before: Described, after: Described, declared: Declared
) -> list[Change]:
    def change(what: str, refused: str = "") -> Change:
        return Change(base.type_name, base.field, what, base.before, base.after, refused)

    fixed = before.kind not in ("value", "said") or before.targets == after.targets
    if before.kind != after.kind or not fixed:
        why = "its values would have to be converted; "
        if before.kind == after.kind == "value":
            why += f"say how in convert={{'{base.type_name}.{base.field}': …}}, a function that"
            return [change("retyped", why + " gets a stored value and returns the new one")]
        why += "give the new field another name, register what you want in it, and drop the old"
        return [change("retyped", why + " one later")]
    changes = []
    if set(after.targets) - set(before.targets):
        changes.append(change("holds more"))
    if set(before.targets) - set(after.targets):
        changes.append(change("holds fewer"))
    if before.optional != after.optional:
        changes.append(change("optional" if after.optional else "required"))
    if before.said != after.said:
        changes.append(change("declared"))
    if before.kind == "single":
        owners = before.targets
        names = {(owner, before.inverse or "") for owner in owners}
        was = next((declared.rename[n] for n in names if n in declared.rename), before.inverse)
        if was is None and after.inverse is not None:
            changes.append(change("in a list"))
        elif was is not None and after.inverse is None:
            why = f"it says the list {before.inverse!r}; drop that by name"
            changes.append(change("in no list", why if names.isdisjoint(declared.drop) else ""))
        elif was != after.inverse:
            why = f"it says the list {before.inverse!r}; name that in rename="
            changes.append(change("in a list", why))
    return changes


def declare(
    drop: Iterable[str], rename: MappingOf[str, str], types: MappingOf[str, tuple[StoredType, type]]
) -> Declared:
    """Return what a user declares, per stored type.

    Parameters
    ----------
    drop, rename
        With fields as ``"Class.field"``; a base class stands for all its subclasses.
    types
        What is migrated: type name → what is stored, and its class.

    Raises
    ------
    InvalidArgumentError
        If there is no such class or field, or it has not gone.
    """
    dropped = {place for text in drop for place in _resolve("drop", text, types)}
    renamed: dict[tuple[str, str], str] = {}
    resolved = {text: _resolve("rename", text, types) for text in rename}
    moved = {place for places in resolved.values() for place in places}
    for text, new in rename.items():
        for name, old in resolved[text]:
            now = describe(types[name][1])
            if new not in now:
                raise InvalidArgumentError(
                    f"rename says that {text} is {new!r} now, but {types[name][1].__name__} has no"
                    f" such field.{did_you_mean(str(new), list(now))}",
                    field=new,
                )
            if new in types[name][0].fields and (name, new) not in moved:
                raise InvalidArgumentError(
                    f"rename says that {text} is {new!r} now, but {new!r} is stored already.",
                    field=new,
                )
            renamed[name, old] = new
    both = [f"{name}.{old}" for name, old in dropped if (name, old) in renamed]
    if both:
        raise InvalidArgumentError(
            f"{', '.join(both)} cannot be both dropped and renamed.", value=both
        )
    return Declared(dropped, renamed)


def _resolve(
    option: str, text: str, types: MappingOf[str, tuple[StoredType, type]]
) -> list[tuple[str, str]]:
    """Return the stored types and the field that ``"Class.field"`` names."""
    of, _, old = str(text).rpartition(".")
    kinds = {
        name: (stored, cls)
        for name, (stored, cls) in types.items()
        if name == of or any(base.__name__ == of for base in cls.__mro__)
    }
    found = [name for name, (stored, _) in kinds.items() if old in stored.fields]
    if not found:
        names = [f"{name}.{f}" for name, (stored, _) in types.items() for f in stored.fields]
        raise InvalidArgumentError(
            f"{option} names {short_repr(text)}, but no such field is stored."
            f"{did_you_mean(str(text), names)} Write 'Class.field'.",
            field=text,
        )
    for name in found:
        if option == "drop" and old in describe(types[name][1]):
            raise InvalidArgumentError(
                f"drop names {text}, but {types[name][1].__name__} has that field. Take it out of"
                " the class first.",
                field=text,
            )
    return [(name, old) for name in found]
