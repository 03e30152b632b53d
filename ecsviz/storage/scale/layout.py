"""What a graph's folder holds: ``graph.json``, ``nodes/class=…/`` and ``references/``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

from ecsviz.basics.addresses import short_path
from ecsviz.errors import ImportFormatError, SchemaTooNewError

GRAPH: Final = "graph.json"
NODES: Final = "nodes"
REFERENCES: Final = "references"
FORMAT: Final = "ecsviz graph"
VERSION: Final = 1
"""Which layout this release writes."""

OWN_COLUMNS: Final = (
    "node",
    "class",
    "ecs_id",
    "ecs_lineage_id",
    "ecs_parent_id",
    "ecs_version",
    "ecs_exact",
)
"""Columns of nodes that are no fields; `class` is said by the folder."""


@dataclass(slots=True)
class ClassPart:
    """The nodes of one class.

    Attributes
    ----------
    name, module
        Its name in the store, and where it is defined.
    offset, rows
        Its nodes have the numbers offset + row id; how many they are.
    columns
        Column of the files → field.
    fields
        What the fields store, as the store describes them.
    """

    name: str
    module: str = ""
    offset: int = 0
    rows: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Where its files are, inside the graph's folder."""
        return f"{NODES}/class={quote(self.name, safe='')}"


@dataclass(slots=True)
class ReferencePart:
    """One kind of reference: a field of one class that holds another.

    Attributes
    ----------
    kind
        ``single``, ``inverse list``, ``collection``, ``set`` or ``nested``.
    weight
        0 out of a collection, 1 optional, 2 required.
    side
        As of ``ecsviz.graph.pairs``: which field says the same from the other end.
    keys
        What ``key`` is: ``text`` or ``json`` of a dictionary, ``place`` inside nested values, or
        nothing.
    rows
        How many there are.
    """

    source: str
    field: str
    target: str
    kind: str
    weight: int
    side: int
    keys: str = ""
    rows: int = 0


@dataclass(slots=True)
class GraphFile:
    """What ``graph.json`` says.

    Attributes
    ----------
    revision
        Of the store, when it was written.
    """

    revision: int
    classes: list[ClassPart]
    references: list[ReferencePart]

    @property
    def counts(self) -> dict[str, int]:
        """How many nodes and references there are."""
        return {
            "nodes": sum(part.rows for part in self.classes),
            "references": sum(part.rows for part in self.references),
        }

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        said = {"format": FORMAT, "version": VERSION, **self.counts, **asdict(self)}
        said["references_by_field"] = said.pop("references")
        said["references"] = self.counts["references"]
        text = json.dumps(said, ensure_ascii=False, indent=1)
        (folder / GRAPH).write_text(text + "\n", encoding="utf-8", newline="\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read it.

        Raises
        ------
        ImportFormatError
            If there is none, or it is not what ecsviz writes.
        SchemaTooNewError
            If a newer release wrote it.
        """
        place = folder / GRAPH
        try:
            said = json.loads(place.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as err:
            why = "is no JSON" if isinstance(err, ValueError) else f"cannot be read ({err})"
            raise _no_graph(place, why) from err
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise _no_graph(place, "does not say that it is a graph of ecsviz")
        if type(said.get("version")) is int and said["version"] > VERSION:
            raise SchemaTooNewError(
                f"{short_path(place)} was written by a newer ecsviz (version {said['version']};"
                f" this release knows {VERSION}). Update: pip install --upgrade ecsviz.",
                found=said["version"],
                known=VERSION,
            )
        try:
            return cls(
                _whole(said["revision"]),
                [_part(ClassPart, each) for each in said["classes"]],
                [_part(ReferencePart, each) for each in said["references_by_field"]],
            )
        except (LookupError, TypeError, ValueError) as err:
            raise _no_graph(place, "is not what ecsviz writes there") from err


def _part(kind: Any, said: Any) -> Any:
    """Return a part whose values are all of the types of its fields."""
    made = kind(**said)
    for name, declared in kind.__annotations__.items():
        value = getattr(made, name)
        if declared == "int":
            if name != "side":
                _whole(value)
        elif declared == "str":
            if type(value) is not str:
                raise ValueError(name)
        elif not isinstance(value, dict) or not all(
            type(part) is str for pair in value.items() for part in pair
        ):
            raise ValueError(name)
    return made


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**62:
        raise ValueError(value)
    return value


def _no_graph(place: Path, why: str) -> ImportFormatError:
    return ImportFormatError(
        f"{short_path(place)} {why}. Give the folder that store.to_parquet() wrote.",
        source=str(place),
        line=None,
        column=None,
    )
