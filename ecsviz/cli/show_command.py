"""The command that shows a chat in the terminal: show."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import click

from ecsviz.basics.text import plain_lines
from ecsviz.cli.output import cell, examples, show_table
from ecsviz.cli.sources import chats_of
from ecsviz.domain.chat import ChatThread, MessagePart, told_parts, whole_text
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.export.chat_text import (
    ALL,
    NO_TITLE,
    facts_of,
    heading_of,
    name_of,
    sections,
    where_of,
)

_FROM = 20
"""Columns that a terminal has at least."""


@click.command(
    "show",
    epilog=examples(
        "ecsviz show conversations.json",
        "ecsviz show conversations.json 3",
        'ecsviz show chats.db "Cycles" --branch 2',
        "ecsviz show chats.db 1 --all | less",
    ),
)
@click.argument("source")
@click.argument("thread", required=False)
@click.option("--branch", type=click.IntRange(min=1), help="Another branch than the last active.")
@click.option("--all", "all_", is_flag=True, help="All branches, each message once.")
@click.option("--format", "format_", help="What a file is; recognised by content by default.")
def show_command(
    source: str, thread: str | None, branch: int | None, all_: bool, format_: str | None
) -> None:
    """Show a chat of SOURCE: a store, or a file with chats.

    THREAD is its number in the list that is shown without one, its id, or its title or a part of
    it. Where there is only one chat, it is shown.
    """
    if branch is not None and all_:
        raise click.UsageError("--branch goes without --all.")
    found: Any = chats_of(source, format_)
    summary = found.summary()
    titles = [str(title) for title in summary["title"]]
    ids = [str(ecs_id) for ecs_id in summary["ecs_id"]]
    if thread is None and len(ids) != 1:
        columns = (summary[name].tolist() for name in ("messages", "branches"))
        show_table(
            ["number", "title", "messages", "branches", "id"],
            zip(range(1, len(ids) + 1), titles, *columns, ids, strict=True),
        )
        return
    number = 0 if thread is None else _chosen(thread, titles, ids)
    store = getattr(found, "store", None)
    chat = found[number] if store is None else store.get(summary["ecs_id"].iloc[number])
    for line in _lines(chat, ALL if all_ else branch):
        click.echo(line)


def _chosen(wanted: str, titles: list[str], ids: list[str]) -> int:
    """Return which of some threads is meant: by id, title, number, or a part of a title."""
    if wanted in ids:
        return ids.index(wanted)
    folded = wanted.casefold()
    exact = [n for n, title in enumerate(titles) if title == wanted]
    part = [n for n, title in enumerate(titles) if folded in title.casefold()]
    if not exact and wanted.isascii() and wanted.isdigit():
        number = int(wanted[-10:])
        if 1 <= number <= len(ids) and not wanted[:-10].strip("0"):
            return number - 1
        part = []  # a number is no part of a title
    for matches in (exact, part):
        if len(matches) == 1:
            return matches[0]
        if matches:
            numbers = ", ".join(str(n + 1) for n in matches[:5])
            raise InvalidArgumentError(
                f"{len(matches):,} chats are called like {short_repr(wanted)}. Give a number:"
                f" {numbers}{' …' if len(matches) > 5 else ''}.",
                value=wanted,
            )
    raise InvalidArgumentError(
        f"There is no chat {short_repr(wanted)} among {len(ids):,}."
        f"{did_you_mean(wanted, titles)} 'ecsviz show SOURCE' lists them.",
        value=wanted,
    )


def _lines(thread: ChatThread, branch: Any) -> Iterator[str]:
    """Yield what is printed: wrapped and coloured in a terminal, as it is in a pipe."""
    found = sections(thread, branch)
    yield _bold(cell(thread.title, 200) or NO_TITLE)
    yield _dim(facts_of(thread, found))
    for section in found:
        if len(found) > 1:
            yield from ("", _bold(f"== {where_of(section)} =="))
        for place, message in section.shown:
            color = "cyan" if message.role == "user" else "green"
            yield from ("", click.style(f"{place:,}. {heading_of(message)}", fg=color, bold=True))
            for part in told_parts(message):
                yield from _part(part)


def _part(part: MessagePart) -> Iterator[str]:
    said = part.kind in ("text", "refusal")
    if not said:
        yield _dim(f"[{name_of(part)}]")
    for line in plain_lines(whole_text(part)):
        for piece in _wrapped(line.expandtabs(4), "" if said else "  "):
            yield piece if said else _dim(piece)


def _wrapped(line: str, indent: str) -> list[str]:
    width = max(shutil.get_terminal_size().columns - 1, _FROM)
    if not sys.stdout.isatty() or len(line) + len(indent) <= width:
        return [indent + line]
    further = indent + " " * min(len(line) - len(line.lstrip()), width // 2)
    return textwrap.wrap(
        indent + line,
        width,
        subsequent_indent=further,
        replace_whitespace=False,
        break_long_words=False,  # addresses stay whole; the terminal breaks them
        break_on_hyphens=False,
    )


def _bold(text: str) -> str:
    return click.style(text, bold=True)


def _dim(text: str) -> str:
    return click.style(text, dim=True)
