"""What has changed in files and folders with chats since a store took them in; and what goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from ecsviz.basics.arguments import flag
from ecsviz.domain.entity import Entity
from ecsviz.errors import EcsvizError, InvalidArgumentError, short_repr
from ecsviz.importers import iterate_chats
from ecsviz.importers.files import check_path, files_in, not_opened

if TYPE_CHECKING:
    from ecsviz.importers.chat.stream import ChatStream
    from ecsviz.storage.protocol import EntityStorage

_FILES = UUID("5f0f5a6e-0c0a-5c5e-8f8b-3d1d7e4f2a10")

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class ImportedFile(Entity):
    """A file that a store has taken chats from, and how it was then.

    Attributes
    ----------
    path
        Where it is, in full.
    size
        Bytes.
    modified
        When it was last changed: nanoseconds since 1970.

    Examples
    --------
    >>> from ecsviz.importers.following import ImportedFile
    >>> ImportedFile(path="/chats/a.json", size=12, modified=0).size
    12
    """

    path: str
    size: int
    modified: int


class Changes:
    """What has changed in files since a store took them in; or all, where that is wanted.

    Parameters
    ----------
    store
        The store.
    source
        The path of a file or folder, or a list of them.
    everything
        Whether all counts as changed.
    """

    def __init__(self, store: EntityStorage, source: Paths, *, everything: bool = False) -> None:
        everything = flag(everything, "everything")
        self._store = store
        self._now = _states(source)
        known = {file.ecs_id: file for file in store.find(ImportedFile)}
        self._files = {path: known.get(_id(path)) for path in self._now}
        self.same = {
            path
            for path, file in self._files.items()
            if file is not None and self._now[path] == (file.size, file.modified)
        }
        self.skip: frozenset[str] = frozenset() if everything else frozenset(self.same)

    def __bool__(self) -> bool:
        return len(self.skip) < len(self._now)

    def remember(self) -> None:
        """Have the store know how the files are: as they were before they were read."""
        self._store.register(
            [
                _seen(path, self._files[path], *state)
                for path, state in self._now.items()
                if path not in self.same
            ]
        )


def import_changed(
    store: EntityStorage,
    source: Paths,
    *,
    note: str | None = None,
    everything: bool = False,
    **options: Any,
) -> ChatStream | None:
    """Read the chats of files that are new or have changed since the last time into a store.

    Parameters
    ----------
    store
        The store. It remembers the files, as entities of `ImportedFile`.
    source
        The path of a file or folder, or a list of them.
    note
        What the revision is about.
    everything
        Whether to read what has not changed, too.
    **options
        Those of `iterate_chats`.

    Returns
    -------
    ChatStream or None
        What was read, at its end: ``stored``, ``problems``, ``kept`` and ``report()`` tell of it.
        None if nothing has changed.

    Raises
    ------
    ImportSourceError, ImportFormatError, ImportLimitError
        As of `read_chat`; nothing is stored then.

    Notes
    -----
    A file has changed if its size has, or the time of its last change. What cannot be read in it
    is told once, in ``problems``, and again when it has changed. All is one revision, files
    included. A folder that is one export, such as Slack's, is read as a whole if any of its files
    has changed. O(files) to look, O(size of what has changed) to read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import ecsviz as ev
    >>> from ecsviz.importers.following import import_changed
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.json").write_text('[{"role": "user", "content": "Hi"}]')
    >>> store = ev.InMemoryEntityStorage()
    >>> import_changed(store, folder).stored
    StoredChats(threads=1, entities=2, added=2, changed=0)
    >>> import_changed(store, folder) is None
    True
    """
    changes = Changes(store, source, everything=everything)
    if not changes:
        return None
    several = list(source) if isinstance(source, list | tuple) else source
    with (
        iterate_chats(several, skip=changes.skip, **options) as found,
        store.transaction(note=note),
    ):
        store.register(found)
        changes.remember()
    return found


def follow(
    store: EntityStorage,
    source: Paths,
    *,
    every: float = 2.0,
    stop: Event | None = None,
    note: str | None = None,
    **options: Any,
) -> Iterator[ChatStream]:
    """Keep a store in step with files and folders in which chats go on.

    Parameters
    ----------
    store, source, note, **options
        As of `import_changed`.
    every
        Seconds between two looks.
    stop
        Ends it when it is set; None goes on until the loop that asks ends it.

    Yields
    ------
    ChatStream
        What was read, whenever something has changed.

    Raises
    ------
    InvalidArgumentError
        If `every` is no number of seconds.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import ecsviz as ev
    >>> from ecsviz.importers.following import follow
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.json").write_text('[{"role": "user", "content": "Hi"}]')
    >>> next(follow(ev.InMemoryEntityStorage(), folder)).stored
    StoredChats(threads=1, entities=2, added=2, changed=0)
    """
    given: Any = every
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        raise InvalidArgumentError(
            f"every must be a number of seconds above 0, not {short_repr(every)}.",
            argument="every",
            value=every,
        )
    while stop is None or not stop.is_set():
        found = import_changed(store, source, note=note, **options)
        if found is not None:
            yield found
        if stop is None:
            time.sleep(every)
        else:
            stop.wait(every)


def _states(source: Paths) -> dict[str, tuple[int, int]]:
    """Return size and time of every file."""
    several: Sequence[Any] = source if isinstance(source, list | tuple) else [source]
    found: dict[str, tuple[int, int]] = {}
    for each in several:
        check_path(each)
        try:
            path = Path(each).absolute()
            if not path.is_dir():
                found[str(path)] = _look(path)
                continue
            found |= {str(here): _look(here) for here in files_in(path)}
        except TypeError:
            raise InvalidArgumentError(
                f"A path is needed, not {short_repr(each)}.", argument="source", value=each
            ) from None
        except (OSError, ValueError) as err:
            raise err if isinstance(err, EcsvizError) else not_opened(each, err) from err
    return found


def _look(path: Path) -> tuple[int, int]:
    """Return size and time of a file; what a database has not yet taken over counts too."""
    told = path.stat()
    try:
        beside = Path(f"{path}-wal").stat()
    except OSError:
        return told.st_size, told.st_mtime_ns
    return told.st_size + beside.st_size, max(told.st_mtime_ns, beside.st_mtime_ns)


def _id(path: str) -> UUID:
    return uuid5(_FILES, _shown(path))


def _shown(path: str) -> str:
    """Return a path as a text: names of files may be none."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _seen(path: str, file: ImportedFile | None, size: int, modified: int) -> ImportedFile:
    if file is None:
        shown = _shown(path)
        return ImportedFile(ecs_id=_id(path), path=shown, size=size, modified=modified)
    file.size, file.modified = size, modified
    return file
