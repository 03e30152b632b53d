"""One call of `read_chat`: sources in, threads out, with problems, warning and report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

from ecsviz.basics.optional import NotInstalledError
from ecsviz.errors import (
    EcsvizError,
    ImportFormatError,
    ImportLimitError,
    InvalidArgumentError,
    short_repr,
)
from ecsviz.importers.chat.arrived import ImportedTogether
from ecsviz.importers.chat.building import Builder, ChatImport
from ecsviz.importers.chat.drafts import (
    DOUBTFUL,
    GENERAL,
    LIKELY,
    ChatFormat,
    Claim,
    Claiming,
    DraftThread,
    claim,
)
from ecsviz.importers.chat.registry import FORMATS, checked, format_named, formats_of_others
from ecsviz.importers.chat.source import ChatProblem, Source
from ecsviz.importers.files import ImportSourceError, stops_all

_SMALL = 5_000_000
"""Bytes that are read in well under a second: no progress bar is made for them, and none
of the threads that tqdm starts."""


_TRIES = 3
"""How many more records are looked at where the first is of no format."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The format that reads a file, and its claim."""

    format: ChatFormat
    claim: Claim


class ChatReader:
    """Reads sources one after the other into one result.

    Parameters
    ----------
    wanted
        A format, or its name; None recognises it.
    progress
        See `read_chat`.
    zone
        The zone of wall clocks.
    strict
        Whether what cannot be read is an error; else it is told, if there is anything else.
    skip
        The paths of files that are left out, where they are not part of a whole.

    Attributes
    ----------
    found
        What was read.
    """

    def __init__(
        self,
        wanted: object,
        progress: bool | None,
        zone: tzinfo,
        *,
        strict: bool = False,
        skip: object = (),
    ) -> None:
        self.found = ChatImport()
        self._skip = _full_paths(skip)
        self._strict = strict
        self._broken: EcsvizError | None = None
        self._builder = Builder(self.found, zone)
        self.progress = progress
        self._wanted: ChatFormat | None = None
        self._others: list[ChatFormat] | None = None
        if isinstance(wanted, str):
            self._wanted = format_named(wanted)
        elif wanted is not None:
            self._wanted = checked(wanted, type(wanted).__name__)

    def read(self, sources: Iterable[Source]) -> Iterator[None]:
        """Read files, or all chats of a zip or folder: a step for each chat.

        Raises
        ------
        EcsvizError
            The first that was told, if nothing else was found at the end.
        """
        for source in sources:
            with self._bearing(source.name):
                if source.refused is not None:
                    raise source.refused
                yield from self._read(source)
        if self._broken is not None and not self._builder.has_messages:
            raise self._broken

    @property
    def whole(self) -> ImportedTogether:
        """What the threads know of all that is read."""
        return self._builder.whole

    def forget(self) -> None:
        """Forget the threads that were found; what was told of them is kept."""
        self._builder.forget()

    @contextmanager
    def _bearing(self, name: str) -> Iterator[None]:
        """Go on with other files after one that cannot be read."""
        try:
            yield
        except (ImportFormatError, ImportLimitError, ImportSourceError, NotInstalledError) as err:
            if self._strict or stops_all(err):
                raise
            self._broken = self._broken or err
            why = f"not read: {err.facts.get('reason') or err.message}"
            self.found.problems.append(ChatProblem(None, None, "the file", why, name))

    def _read(self, source: Source) -> Iterator[None]:
        if source.members is None:
            if source.path is not None and str(source.path.absolute()) in self._skip:
                return
            chosen = self._named() or self._recognised(source)
            if chosen is None:
                raise unknown(source)
            yield from self._take(source, chosen)
            source.close()
            return
        whole = self._recognised(source)
        if whole is not None:
            yield from self._take(source, whole)
        else:
            yield from self._read_members(source)

    def _read_members(self, source: Source) -> Iterator[None]:
        assert source.members is not None
        given = list(source.members)
        names = [name for name in given if not self._skips(source, name)]
        refused: list[tuple[str, str]] = []
        for name in sorted(names):
            with self._bearing(f"{source.name}/{name}"):
                member = source.members[name]
                try:
                    yield from self._read_member(member, refused)
                finally:
                    member.close()
                    source.forget(name)
        if len(refused) == len(given) and self._broken is None:
            raise ImportFormatError(
                f"{source.name} holds no file with a chat that is known here:"
                f" {', '.join(short_repr(name) for name in names[:5]) or 'it is empty'}. {known()}",
                source=source.name,
                members=names,
                line=None,
                column=None,
            )
        for each, why in refused:
            self._builder.begin("", each)
            self._builder.count("not read", "file", why)

    def _skips(self, source: Source, name: str) -> bool:
        return source.path is not None and str((source.path / name).absolute()) in self._skip

    def _read_member(self, member: Source, refused: list[tuple[str, str]]) -> Iterator[None]:
        """Read a file of a zip or folder, if it is a chat."""
        try:
            chosen = self._recognised(member)
            if chosen is None:
                raise unknown(member)
        except ImportFormatError as err:
            if not err.facts.get("foreign"):
                raise
            refused.append((member.name, _why(member)))
            return
        yield from self._take(member, chosen)

    def _named(self) -> Chosen | None:
        if self._wanted is None:
            return None
        return Chosen(self._wanted, Claim(1, "named by format="))

    def _recognised(self, source: Source) -> Chosen | None:
        if self._wanted is not None:
            return self._named() if _claim(self._wanted, source) else None
        found = _chosen(FORMATS, source)
        if found is None or found.claim.score <= DOUBTFUL:
            if self._others is None:
                self._others = formats_of_others()
            found = _chosen(self._others, source) or found
        if found is None and source.looks_like_json:
            number = 1
            while found is None and number <= _TRIES and source.look_behind(number):
                found = _chosen(FORMATS, source)
                number += 1
            source.look_behind(0)
        if found is not None and found.claim.score <= DOUBTFUL:
            name, why = found.format.name, found.claim.reason
            source.tell("its format", f"{why}. format={name!r} reads it without this doubt")
        return found

    def _take(self, source: Source, chosen: Chosen) -> Iterator[None]:
        made = chosen.claim
        self._builder.begin(chosen.format.name, source.name, f"{made.reason} ({made.score:g})")
        before = len(self.found.problems)
        try:
            with _bar(source, self.progress) as step:
                borne = 0
                for draft in _drafts(chosen.format, source):
                    before_it, borne = borne, source.borne
                    if not draft.messages and borne > before_it:
                        continue  # all of it is among the problems
                    try:
                        self._builder.add(draft)
                    except (ImportFormatError, ImportLimitError) as err:  # of this thread alone
                        source.bear(err)
                    del draft  # or the collector would look through it
                    step()
                    yield
        except (ImportFormatError, ImportLimitError) as err:
            source.bear(err)
        finally:
            source.take_over_all()
            self.found.problems[before:before] = source.problems
            self._broken = self._broken or source.broken
        for what, why in source.left:
            self._builder.count("not read", what, why)
        for table, rows in source.unread_tables().items():
            self._builder.count("not read", f"rows of {table}", "no chats", by=rows)

    def warning(self, name: str, known: Sequence[ChatProblem] = ()) -> str | None:
        """Return what to warn of, or None.

        Parameters
        ----------
        name
            What the files are called.
        known
            Problems that are told otherwise.
        """
        others = set(map(id, known))
        problems = [each for each in self.found.problems if id(each) not in others]
        if not problems:
            return None
        shown = "\n".join(f"  {problem}" for problem in problems[:5])
        more = f"\n  … and {len(problems) - 5:,} more" if len(problems) > 5 else ""
        count = f"{len(problems):,} thing" + ("" if len(problems) == 1 else "s")
        return (
            f"{name}: {count} could not be placed as the file has it; no message that was read is"
            f" left out. The result's .problems lists all, .report() counts them:\n{shown}{more}"
        )


def _chosen(formats: Sequence[ChatFormat], source: Source) -> Chosen | None:
    """Return the format that reads a file, and why; if several could, tell it."""
    claims = [(each, _claim(each, source)) for each in formats]
    found = sorted(
        (Chosen(each, made) for each, made in claims if made),
        key=lambda each: (-each.claim.score, each.format.name),
    )
    if not found:
        return None
    rivals = [each for each in found[1:] if each.claim.score > GENERAL]
    if rivals:
        others = ", ".join(repr(each.format.name) for each in rivals)
        name = repr(found[0].format.name)
        why = f"may be {others} too; read as {name} alone. Name another with format="
        source.tell("its format", why)
    return found[0]


def _claim(each: ChatFormat, source: Source) -> Claim:
    with nullcontext() if each in FORMATS else _blamed(each, source):
        if isinstance(each, Claiming):
            return each.claims(source)
        score = GENERAL if getattr(each, "general", False) else LIKELY
        return claim(bool(each.recognises(source)), "the format says so", score)


def _drafts(chosen: ChatFormat, source: Source) -> Iterator[DraftThread]:
    if chosen in FORMATS:
        yield from chosen.read(source)
        return
    with _blamed(chosen, source):
        yield from chosen.read(source)


@contextmanager
def _blamed(chosen: ChatFormat, source: Source) -> Iterator[None]:
    """Turn whatever a format of others raises into an error that names it."""
    try:
        yield
    except EcsvizError:
        raise
    except Exception as err:
        raise ImportFormatError(
            f"The chat format {short_repr(chosen.name)} failed on {source.name}:"
            f" {type(err).__name__}. Mend the format, or name another with format=.",
            format=chosen.name,
            source=source.name,
            line=None,
            column=None,
        ) from err


def unknown(source: Source) -> EcsvizError:
    """Return the error for a file of no known format, with the best that can be said."""
    facts: dict[str, Any] = {
        "source": source.name,
        "formats": [each.name for each in FORMATS],
        "line": 1,
        "column": 1,
        "foreign": True,
    }
    if source.is_database:
        tables = ", ".join(short_repr(name) for name in list(source.tables)[:5]) or "none"
        what = f"is a SQLite database, but none of a chat that is known here (tables: {tables})"
        way = "ev.read_database reads any database."
        return ImportFormatError(f"{source.name} {what}. {way} {known()}", **facts)
    try:
        source.check_json()
    except ImportFormatError as err:
        if err.facts.get("line") is None or not err.facts.get("foreign"):
            return err
        if source.looks_like_json:
            return ImportFormatError(f"{err.message} {known()}", **{**err.facts, "foreign": True})
        what = "holds neither JSON nor a zip of it, nor a database or text of a chat known here"
        return ImportFormatError(f"{source.name} {what}. {known()}", **facts)
    if source.trouble is not None:
        return source.trouble
    what = "no chat that is known here" if source.first else "empty"
    return ImportFormatError(f"{source.name} is JSON, but {what}. {known()}", **facts)


def _full_paths(given: Any) -> frozenset[str]:
    try:
        if isinstance(given, str | bytes):
            raise TypeError
        return frozenset(str(Path(each).absolute()) for each in given)
    except TypeError:
        raise InvalidArgumentError(
            f"skip must be a list of paths, not {short_repr(given)}.", argument="skip", value=given
        ) from None


def known() -> str:
    """Return a sentence with the known formats: all, since a user looks for his own."""
    return "Known formats: " + ", ".join(sorted(each.name for each in FORMATS)) + "."


def _why(member: Source) -> str:
    if member.is_database:
        return "no chat database that is known here"
    if member.is_zip:
        return "a zip inside; read it by itself"
    if member.looks_like_json:
        return "no chat that is known here"
    return "no text of a chat" if member.head else "neither text nor a database"


@contextmanager
def _bar(source: Source, progress: bool | None) -> Iterator[Callable[[], object]]:
    """Show how much of a file is read: its bytes, or of a database its chats.

    Yields what is called for each chat.
    """
    if progress is False or (progress is None and source.size < _SMALL):
        yield lambda: None
        return
    from tqdm.auto import tqdm  # in a notebook, it loads ipywidgets

    content = source.content if source.size else None
    options: dict[str, Any] = {"unit": " chats"}
    if content is not None:
        options = {"unit": "B", "unit_scale": True, "total": content.size}
    delay = 0 if progress else 1
    with tqdm(desc=source.name, delay=delay, leave=bool(progress), **options) as bar:
        if content is not None:
            content.watch = lambda done: bar.update(done - bar.n)
            content.watch(content.done)  # to recognise it
        try:
            yield bar.update if content is None else lambda: None
        finally:
            if content is not None:
                content.watch = None
