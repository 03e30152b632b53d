"""What a graph's folder holds: ``graph.json``, ``nodes/class=…/`` and ``references/``."""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import xxhash

from ecsviz.basics.addresses import short_path
from ecsviz.basics.file_locks import open_to_read
from ecsviz.errors import ImportFormatError, SchemaTooNewError, short_repr

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
class FilePart:
    """One of the files, as it was written.

    Attributes
    ----------
    path
        Inside the graph's folder, with ``/``.
    size, digest
        How many bytes it has, and their XXH3 in 64 bits.
    """

    path: str
    size: int
    digest: str


class DigestedFile(io.BufferedWriter):
    """A new file whose bytes are digested while they are written."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self._found, self._size = xxhash.xxh3_64(), 0

    def write(self, data: Any) -> int:
        """Write bytes."""
        self._found.update(data)
        size = super().write(data)
        self._size += size
        return size

    def told(self, path: str) -> FilePart:
        """Return what was written, under its path in the folder."""
        return FilePart(path, self._size, self._found.hexdigest())


@dataclass(slots=True)
class GraphFile:
    """What ``graph.json`` says.

    Attributes
    ----------
    revision
        Of the store, when it was written.
    files
        All of Parquet; None in folders that were written before files were digested.
    """

    revision: int
    classes: list[ClassPart]
    references: list[ReferencePart]
    files: list[FilePart] | None = None

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
        said["digest"] = _digest(said)
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
            with open_to_read(place) as file:
                said = json.loads(file.read().decode())
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
            files = said.get("files")
            if "digest" in said or files is not None:
                _check(said.pop("digest") == _digest(said))
            made = cls(
                _whole(said["revision"]),
                [_part(ClassPart, each) for each in said["classes"]],
                [_part(ReferencePart, each) for each in said["references_by_field"]],
                None if files is None else [_part(FilePart, each) for each in files],
            )
            names = {part.name for part in made.classes}
            offsets = [part.offset for part in made.classes]
            _check(len(names) == len(made.classes) and offsets == sorted(offsets))
            _check(all({part.source, part.target} <= names for part in made.references))
        except (LookupError, TypeError, ValueError) as err:
            raise _no_graph(
                place, "is not what ecsviz writes there: it is damaged, or was changed"
            ) from err
        return made

    def check_digested(self, folder: Path) -> None:
        """Raise ImportFormatError if it was written before files were digested."""
        if self.files is None:
            raise _no_graph(folder / GRAPH, "notes no digests, with which files could be checked")

    def check_files(self, folder: Path, *, whole: bool) -> None:
        """Check that the files are those that were written: their sizes, or all their bytes.

        Raises
        ------
        ImportFormatError
            If one is missing, is damaged, or is there besides.
        """
        there = {
            path.relative_to(folder).as_posix(): path
            for below in (f"{NODES}/*/*.parquet", f"{REFERENCES}/*.parquet")
            for path in folder.glob(below)
        }
        for part in self.files or ():
            path = there.pop(part.path, None)
            if path is None:
                raise _not_as_written(folder, part.path, "is missing")
            try:
                if path.stat().st_size != part.size:
                    raise _not_as_written(folder, part.path, "is not as long as it was written")
                if whole and _digest_of_file(path) != part.digest:
                    raise _not_as_written(folder, part.path, "is damaged, or was changed")
            except OSError as err:
                raise _not_as_written(folder, part.path, f"cannot be read ({err})") from err
        if self.files is not None and there:
            raise _not_as_written(folder, min(there), "is there besides what was written")


def is_graph_folder(folder: Path) -> bool:
    """Tell whether a folder is one that ``to_parquet`` wrote, as far as its ``graph.json`` begins.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     GraphFile(0, [], []).write(Path(place))
    ...     is_graph_folder(Path(place)), is_graph_folder(Path(place, "other"))
    (True, False)
    """
    try:
        with open_to_read(folder / GRAPH) as file:
            return _SAYS_SO.search(file.read(_BEGIN)) is not None
    except (OSError, ValueError):
        return False


_SAYS_SO: Final = re.compile(rb'"format"\s*:\s*"' + FORMAT.encode() + b'"')
_BEGIN: Final = 1_024


def graph_folder_error(folder: Path, for_what: str) -> ImportFormatError:
    """Return the error for the folder of a graph that is given for something else.

    Parameters
    ----------
    folder, for_what
        The folder, and what it was taken for.
    """
    return ImportFormatError(
        f"{short_path(folder)} is no {for_what}, but a graph that store.to_parquet() wrote."
        " ev.scan_graph(folder), or 'ecsviz scale FOLDER', asks it, and store.from_parquet(folder)"
        " fills a new store with it.",
        source=str(folder),
        line=None,
        column=None,
    )


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


def _check(right: bool) -> None:
    if not right:
        raise ValueError


def _digest(said: dict[str, Any]) -> str:
    """Return the digest of what is said, however it is laid out."""
    return xxhash.xxh3_64_hexdigest(json.dumps(said, sort_keys=True).encode())


def _digest_of_file(path: Path) -> str:
    with open_to_read(path) as file:
        return hashlib.file_digest(file, xxhash.xxh3_64).hexdigest()  # type: ignore[arg-type]  # a BufferedReader


def _not_as_written(folder: Path, path: str, why: str) -> ImportFormatError:
    return ImportFormatError(
        f"{short_repr(path)} in {short_path(folder)} {why}. Copy the folder anew, or write the"
        " graph anew: store.to_parquet(folder).",
        source=str(folder / path),
        line=None,
        column=None,
    )


def _no_graph(place: Path, why: str) -> ImportFormatError:
    return ImportFormatError(
        f"{short_path(place)} {why}. Give the folder that store.to_parquet() wrote.",
        source=str(place),
        line=None,
        column=None,
    )
