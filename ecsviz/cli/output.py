"""What commands print: aligned for a terminal, tab-separated for a pipe, harmless for both."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

import click
from typing_extensions import override

from ecsviz.basics.addresses import meant_as_url, scheme_of
from ecsviz.basics.text import plain

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 60
"""How many characters of a cell a terminal shows."""
_UNCUT = 1_000_000_000


class OutPath(click.Path):
    """A file or a folder to write: no address, in which a password may stand."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    @override
    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, str) and meant_as_url(value):
            self.fail(f"{scheme_of(value)} is an address. Give a path.", param, ctx)
        return super().convert(value, param, ctx)


def examples(*lines: str) -> str:
    """Return the examples of a command, for the end of its help."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def show_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under a header.

    Notes
    -----
    Piped rows are written as they come, so that ``| head`` ends the work. Control characters are
    left out: what a file holds must not steer the terminal.
    """
    if not sys.stdout.isatty():
        click.echo("\t".join(names))
        for row in rows:
            click.echo("\t".join(cell(value, _UNCUT) for value in row))
        return
    table = [list(names), *([cell(value, WIDTH) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def show_frame(frame: pd.DataFrame) -> None:
    """Print a DataFrame without its index."""
    rows = frame.astype(object).where(frame.notna(), None)
    show_table(list(frame.columns), rows.itertuples(index=False, name=None))


def show_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Print names and values, one a line."""
    pairs = [(name, cell(value, _UNCUT)) for name, value in facts]
    width = max(len(name) for name, _ in pairs) if sys.stdout.isatty() else 0
    for name, text in pairs:
        click.echo(f"{name.ljust(width)}  {text}" if width else f"{name}\t{text}")


def cell(value: Any, limit: int) -> str:
    """Return a value as one line of text."""
    if value is None:
        return ""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()[:limit]
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return plain(value if isinstance(value, str) else str(value), limit)


def bars() -> bool | None:
    """Return whether progress is shown: in a terminal, after a second."""
    return None if sys.stderr.isatty() else False


def note(text: str) -> None:
    """Tell something beside the result, on stderr."""
    click.echo(text, err=True)


@contextmanager
def warnings_told() -> Iterator[None]:
    """Print our warnings as notes, not as Python shows them."""
    with catch_warnings(record=True) as caught:
        simplefilter("always", UserWarning)
        try:
            yield
        finally:
            for warning in caught:
                note(f"Note: {warning.message}")
