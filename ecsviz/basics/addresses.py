"""Paths and database URLs as messages show them: a path's end whole, never a password.

Of a text that was meant as a URL and could not be parsed, nobody knows where the password stands:
nothing behind its scheme is shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from ecsviz.errors import InvalidArgumentError, StorageOpenError, StorageUrlError, short_repr

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

HIDDEN = "***"

_KNOWN = "postgresql|postgres|mysql|mariadb|sqlite|oracle|mssql|duckdb|cockroachdb|redshift"
_SCHEME = re.compile(rf"\s*((?:{_KNOWN}|file)(?:\+\w+)?)\s*:", re.IGNORECASE)
_SECRET = r"\w*(?:pass|pwd|secret|token|credential|api_?key)\w*"  # noqa: S105 - what the names of such options hold

_FILE_URI = re.compile(r"\s*file:", re.IGNORECASE)

_MEANT_AS_URL = re.compile(
    rf"""
    ://                                      # whatever stands before it, as in DATABASE_URL=…
    | ^\s*[\w.+-]{{2,}}\s*:\s*/              # a slash is missing (C:/ is a drive)
    | ^\s*(?:{_KNOWN}|jdbc|odbc|file)(?:\+\w+)?:  # both are
    | (?:(?<![^/\\:\s])[^/\\:\s]{{2,}}:|[^/\\:\s]:(?![\\/]))[^@]*@  # a login: user:password@
    | \b{_SECRET}\s*[=:]                     # libpq's host=… password=…
    """,
    re.IGNORECASE | re.VERBOSE,
)

_ASSIGNED = re.compile(rf"(\b{_SECRET}\s*=\s*)(?:'[^']*'|[^\s;&]+)", re.IGNORECASE)

_DRIVE = re.compile(r"^/?[A-Z]:(?=[\\/])", re.IGNORECASE)

_HARMLESS = frozenset(
    {
        *("host", "port", "mode", "uri", "cache", "vfs", "nolock", "immutable", "timeout"),
        *("sslmode", "connect_timeout", "application_name", "charset", "driver", "client_encoding"),
        *("target_session_attrs", "gssencmode", "channel_binding", "check_same_thread"),
    }
)
"""The options in a URL whose values are shown."""


def meant_as_url(text: str) -> bool:
    """Tell whether a text that names no file was meant as the address of a database.

    Examples
    --------
    >>> [meant_as_url(text) for text in ("postgresql:/me:word@host/db", "me:word@host/db")]
    [True, True]
    >>> [meant_as_url(text) for text in ("threads.db", "C:/threads.db", "backup@2024.db")]
    [False, False, False]
    """
    decoded = unquote(text)
    try:
        path = Path(text).expanduser()
        if path.exists():
            return False
        if "@" in decoded and not path.parent.is_dir():
            return True
    except (OSError, ValueError, RuntimeError):
        pass  # no path at all
    return any(_MEANT_AS_URL.search(each) for each in (text, decoded))


def sound(url: URL) -> bool:
    """Tell whether the parts of a URL can be what they were taken for.

    A password with an ``@`` is split: its rest is taken for the host, and would be shown.
    """
    database = url.database or ""
    if url.get_backend_name() == "sqlite":
        return not (url.host or url.username or url.password or meant_as_url(str(file_of(url))))
    if re.search(r"[^\w.@+$\\-]", url.username or ""):  # a password, by another sign than a colon
        return False
    if url.get_backend_name() in _SYNCHRONOUS or url.host:  # a login behind a host that is none
        database = _DRIVE.sub("", database).replace(":", "@")
    return not re.search(r"[^\w.:%-]", url.host or "") and not re.search(
        rf"@|://|\b{_SECRET}\s*=", database, re.IGNORECASE
    )


def scheme_of(text: str) -> str:
    """Return what may be shown of a URL that could not be parsed: its scheme, if that is known.

    Examples
    --------
    >>> scheme_of("postgresql:/me:word@host/db"), scheme_of("me:word@host/db")
    ('postgresql:…', '…')
    """
    found = _SCHEME.match(text)
    return f"{found.group(1)}:…" if found else "…"


def short_path(path: str | os.PathLike[str], limit: int = 80) -> str:
    """Return ``repr(str(path))`` for a message, cut in its middle: its end says the most.

    Parameters
    ----------
    path
        A path; of a text that was meant as a URL, only the scheme is shown.
    limit
        Characters, 80 by default: what still fits a terminal line.

    Examples
    --------
    >>> short_path("a.db")
    "'a.db'"
    >>> short_path("a/folder/in/a/folder/in/a/folder/threads.db", limit=30)
    "'a/folde…in/a/folder/threads.db'"
    """
    text = os.fsdecode(path)
    if meant_as_url(text):
        text = scheme_of(text)
    if len(text) > limit:
        start = limit // 4
        text = f"{text[:start]}…{text[start + 1 - limit :]}"
    return repr(text)


def redacted(url: URL) -> str:
    """Return a URL as text without its password, wherever it stands.

    Examples
    --------
    >>> from sqlalchemy import make_url
    >>> redacted(make_url("postgresql://me:secret@host/db?password=secret&sslmode=require"))
    'postgresql://me:***@host/db?password=***&sslmode=require'
    """
    secrets = set(_secrets(url))
    query = {
        k: v if k.lower() in _HARMLESS and secrets.isdisjoint([v, *v]) else HIDDEN
        for k, v in url.query.items()
    }
    text = url.set(query=query).render_as_string(hide_password=True).replace("%2A", "*")
    return _ASSIGNED.sub(rf"\1{HIDDEN}", text)


def _secrets(url: URL) -> Iterator[str]:
    for name, value in (("password", url.password), *url.query.items()):
        if name.lower() in _HARMLESS:
            continue
        secret_name = re.fullmatch(_SECRET, name, re.IGNORECASE)
        for each in (value,) if isinstance(value, str) else value or ():
            if each and (secret_name or len(each) > 3):  # short ones say nothing, and are words
                yield from {each, quote(each), quote(each, safe=""), quote_plus(each)}


def redacted_text(text: str, url: URL) -> str:
    """Return a message, such as a driver's, without the password of `url`."""
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _ASSIGNED.sub(rf"\1{HIDDEN}", text)


def harmless(error: BaseException, url: URL) -> BaseException | None:
    """Return an error as the cause of one of ours, if a traceback of it shows no password."""
    seen: list[BaseException | None] = [error]
    for each in seen:
        if each is None:
            continue
        told = f"{each} {each!r} {each.args}"
        if redacted_text(told, url) != told:
            return None
        seen += [e for e in (each.__cause__, each.__context__) if e not in seen]
    return error


# -- what is opened --------------------------------------------------------------------------


def as_url(target: str | os.PathLike[str] | URL) -> URL:
    """Return what a store, or `read_database`, is opened by: a path is a SQLite file.

    Raises
    ------
    StorageUrlError
        If it is a mistyped URL, or one of an asynchronous driver.
    InvalidArgumentError
        If it is something else.
    """
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError

    given: Any = target
    if isinstance(given, URL):
        return _checked(given, given.render_as_string())
    if not isinstance(given, (str, os.PathLike)):
        if type(given).__name__ == "AsyncEngine":
            raise asynchronous(given.url)
        raise InvalidArgumentError(
            f"{short_repr(given)} is no database. Give the path of a SQLite file, a SQLAlchemy"
            " URL, or an Engine.",
            argument="target",
        )
    text = os.fsdecode(given)
    if not text:
        raise StorageUrlError("The path is empty. Name a file, such as 'threads.db'.", url="")
    if text == ":memory:":
        return URL.create("sqlite")
    is_text = isinstance(target, str)
    if not is_text or "://" not in text or _FILE_URI.match(text):
        if is_text and meant_as_url(text):
            raise _mistyped(text)
        try:
            path = Path(text).expanduser().resolve()
        except (OSError, ValueError, RuntimeError) as err:  # a loop of links, no such user
            raise StorageOpenError(f"{short_path(text)} cannot be a file: {err}.") from err
        return URL.create("sqlite", database=str(path))
    try:
        found = make_url(text)
    except (ArgumentError, ValueError):
        found = None
    if found is None:  # outside the except block: the parser's error quotes what it was given
        raise _mistyped(text)
    return _checked(found, text)


def _checked(url: URL, text: str) -> URL:
    from sqlalchemy.exc import ArgumentError

    if not sound(url) or ("@" in (url.username or "") and "%40" not in text):
        raise _mistyped(text)
    try:
        is_async = url.get_dialect().is_async
    except (ArgumentError, ImportError):
        return url  # making the engine says what is wrong
    if is_async:
        raise asynchronous(url)
    _check_uri(url)
    return _absolute(url)


def _check_uri(url: URL) -> None:
    """Raise StorageUrlError if options meant for SQLite would become a part of a file's name."""
    name = url.database or ":memory:"
    if url.get_backend_name() != "sqlite" or name.startswith("file:"):
        return
    if _as_true(url, "uri") and not _OF_THE_DRIVER.issuperset(url.query):
        text = redacted(url.set(database="NAME")).replace("NAME", f"file:{name}")
        raise StorageUrlError(
            "With uri=true, SQLite takes its options for a part of the file's name, unless that"
            f" begins with 'file:'. Give it as {text}.",
            url=redacted(url),
        )


def check_options(url: URL) -> None:
    """Raise StorageUrlError if a SQLite URL has options that nobody would see.

    Without ``uri=true``, ``?mode=ro`` would write all the same.
    """
    if url.get_backend_name() != "sqlite" or _as_true(url, "uri"):
        return
    passed_over = sorted(set(url.query) - _OF_THE_DRIVER)
    name = (url.database or ":memory:").removeprefix("file:")
    if passed_over or name != (url.database or ":memory:"):
        text = redacted(url.set(database="NAME").update_query_dict({"uri": "true"}))
        what = f"its options ({', '.join(passed_over)})" if passed_over else "'file:'"
        raise StorageUrlError(
            f"Without uri=true, {what} would be passed over. Give it as"
            f" {text.replace('NAME', f'file:{name}')}; to read alone, read_only=True does.",
            url=redacted(url),
        )


def opened_to_read(url: URL) -> bool:
    """Tell whether a SQLite URL itself says that nothing may be written.

    Examples
    --------
    >>> from sqlalchemy import make_url
    >>> opened_to_read(make_url("sqlite:///file:a.db?mode=ro&uri=true"))
    True
    """
    if url.get_backend_name() != "sqlite" or not _as_true(url, "uri"):
        return False
    return url.query.get("mode") == "ro" or _as_true(url, "immutable")


def _as_true(url: URL, option: str) -> bool:
    said = url.query.get(option, "")
    return isinstance(said, str) and said.lower() in {"true", "t", "yes", "y", "on", "1"}


_OF_THE_DRIVER = frozenset(
    {"uri", "timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements"}
)
"""The options in a SQLite URL that Python's driver takes, and SQLite does not see."""


def _mistyped(text: str) -> StorageUrlError:
    shown = scheme_of(text)
    if _FILE_URI.match(text):
        return StorageUrlError(
            f"{shown!r} is how SQLite itself names a file. Give it as {_as_sqlite_url(text)}. A"
            " file of such a name is given as pathlib.Path(…).",
            url=shown,
        )
    return StorageUrlError(
        f"{shown!r} is no database URL (what stands behind the scheme is not shown: a password may"
        " be in it). It looks like sqlite:///threads.db or postgresql+psycopg://user@host/name; in"
        " a password, @ is %40, / is %2F. A file of such a name is given as pathlib.Path(…).",
        url=shown,
    )


def _as_sqlite_url(text: str) -> str:
    """Return the URL for one of SQLite's own URIs, with values of harmless options alone.

    Examples
    --------
    >>> _as_sqlite_url("file:x.db?mode=ro&key=word")
    'sqlite:///file:x.db?mode=ro&key=***&uri=true'
    """
    name, _, query = text.strip()[len("file:") :].partition("#")[0].partition("?")
    name = re.sub(r"^//(?:localhost)?(?=/)", "", name)
    options = dict(parse_qsl(query)) | {"uri": "true"}
    told = "&".join(
        f"{quote(k)}={quote(v) if k.lower() in _HARMLESS else HIDDEN}" for k, v in options.items()
    )
    return f"sqlite:///file:{short_path(name)[1:-1]}?{told}"


_SYNCHRONOUS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "oracle": "oracle+oracledb",
    "mssql": "mssql+pyodbc",
}
"""The driver of each database that is not asynchronous."""


def asynchronous(url: URL) -> StorageUrlError:
    """Return the error for a driver that is asynchronous, with the one that is not."""
    backend = url.get_backend_name()
    name = _SYNCHRONOUS.get(backend, backend)
    return StorageUrlError(
        f"{redacted(url)} has an asynchronous driver, and a storage works synchronously. Give the"
        f" URL with {name}:// instead: {redacted(url.set(drivername=name))}. In asynchronous code,"
        " call it in a thread: await asyncio.to_thread(store.get, ecs_id).",
        url=redacted(url),
    )


def in_memory(url: URL) -> bool:
    """Tell whether a SQLite URL names no file."""
    return (
        not url.database
        or "mode=memory" in url.database
        or url.database.removeprefix("file:") == ":memory:"
        or url.query.get("mode") == "memory"
    )


def file_of(url: URL) -> Path:
    """Return the file that a SQLite URL names."""
    name = url.database or ""
    # In a plain path, a question mark is part of the name.
    return Path(name[5:].partition("?")[0] if name.startswith("file:") else name)


def _absolute(url: URL) -> URL:
    """Return a URL that means the same file wherever this process, or another, works later."""
    if url.get_backend_name() != "sqlite" or in_memory(url) or file_of(url).is_absolute():
        return url
    name = url.database or ""
    start = "file:" if name.startswith("file:") else ""
    return url.set(database=f"{start}{Path.cwd() / name.removeprefix('file:')}")


Journal = Literal["delete", "wal"]


def checked_journal(journal: Any) -> str:
    """Return the kind of journal, or raise InvalidArgumentError."""
    known = get_args(Journal)
    found = journal.lower() if isinstance(journal, str) else journal
    if found not in known:
        raise InvalidArgumentError(
            f"journal is {short_repr(journal)}. It is one of {' and '.join(map(repr, known))}.",
            argument="journal",
            value=journal,
        )
    return str(found)


def checked_seconds(seconds: Any, name: str, purpose: str) -> float:
    """Return the seconds of an argument, or raise InvalidArgumentError."""
    known = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not known or not 0 <= seconds <= _LONGEST:
        raise InvalidArgumentError(
            f"{name} is {short_repr(seconds)}. Give the seconds to {purpose}, from 0 to"
            f" {_LONGEST:,}.",
            argument=name,
            value=seconds,
        )
    return float(seconds)


_LONGEST = 1_000_000
"""Seconds that SQLite can be told to wait: it counts milliseconds in 32 bits."""
