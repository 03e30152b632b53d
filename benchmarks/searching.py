"""Searching texts by words: through an index and without, against FTS5 and LIKE by hand."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import accumulate
from pathlib import Path
from typing import Any

import ecsviz as ev
from benchmarks import workload
from benchmarks.targets import SQLite
from benchmarks.timing import Goal, Section, rounds

FTS5 = "FTS5 by hand: MATCH, rank and snippet(), the first 20"
INDEXED = "`search`, with an index"
READING = "`search`, without an index"
LIKE = "LIKE by hand, all hits"
PLAIN = "`register`"
KEPT = "`register`, with an index"
MADE = "`index_text` of what is stored"

VOCABULARY = 20_000
ASKED = {
    "a rare word": "w9999",
    "two words": "w100 w7",
    "a phrase": '"w3 w1"',
    "a beginning of words": "w123*",
    "a word of every sixth text": "w20",
}
"""What is searched for; word n occurs n times as seldom as the first."""


def chat(size: int) -> workload.ChatThread:
    """Return a thread of messages of 40 words, which are as frequent as words are (Zipf's law)."""
    rng = random.Random(0)
    words = [f"w{n}" for n in range(VOCABULARY)]
    weights = list(accumulate(1 / (n + 1) for n in range(VOCABULARY)))
    thread = workload.chat(size)
    for message in thread.messages:
        message.content = " ".join(rng.choices(words, cum_weights=weights, k=40))
    return thread


def search(folder: Path, size: int, repeats: int) -> Section:
    target, races = SQLite(folder), []
    with ExitStack() as stack:
        thread = chat(size)
        at, bare = target.new(stack), target.new(stack)
        store = target.store(stack, at)
        store.register(thread)
        store.index_text(workload.ChatMessage, "content")
        plain = target.store(stack, bare)
        plain.register(thread.fork(deep=True))
        by_hand = stack.enter_context(closing(sqlite3.connect(target.new(stack))))
        by_hand.execute("CREATE VIRTUAL TABLE texts USING fts5(content)")
        texts = ((message.content,) for message in thread.messages)
        by_hand.executemany("INSERT INTO texts VALUES (?)", texts)
        cursor = target.cursor(stack, bare)
        for what, text in ASKED.items():
            check(store, plain, by_hand, text)
            races.append(
                rounds(
                    f"Search {size:,} messages for {what}, `{text}`",
                    {
                        FTS5: ready(fts5, by_hand, text),
                        INDEXED: ready(first, store, text),
                        READING: ready(first, plain, text),
                        LIKE: ready(like, cursor, text),
                    },
                    repeats,
                    limit=FTS5,
                )
            )
        races.append(saved(target, size, repeats, thread))
    slowest = max((race.median(INDEXED) or 0.0) * 1_000 for race in races[:-1])
    text = (
        f"first 20 hits of {size:,} messages, with an index, the slowest of {len(ASKED)} searches"
    )
    return Section(races, [Goal(10, text, 50, slowest, "ms")])


def saved(target: SQLite, size: int, repeats: int, thread: Any) -> Any:
    """Race for saving with an index, and for making it afterwards."""

    def register(stack: ExitStack, *fields: str) -> Callable[[], object]:
        store, copy = target.store(stack), thread.fork(deep=True)
        for field in fields:
            store.index_text(workload.ChatMessage, field)
        return lambda: store.register(copy)

    def index(stack: ExitStack) -> Callable[[], object]:
        store = target.store(stack)
        store.register(thread.fork(deep=True))
        return lambda: store.index_text(workload.ChatMessage, "content")

    contenders = {
        PLAIN: register,
        KEPT: lambda stack: register(stack, "content"),
        MADE: index,
    }
    return rounds(f"Keep an index of {size:,} messages", contenders, repeats, limit=PLAIN)


def ready(work: Callable[[Any, str], object], of: Any, text: str) -> Any:
    return lambda stack: lambda: work(of, text)


def first(store: ev.SQLAlchemyEntityStorage, text: str) -> Any:
    return store.search(text, workload.ChatMessage, fields="content")


def fts5(connection: sqlite3.Connection, text: str) -> list[Any]:
    query = (
        "SELECT rowid, rank, snippet(texts, 0, '[', ']', '…', 20) FROM texts WHERE texts MATCH ?"
        " ORDER BY rank LIMIT 20"
    )
    return connection.execute(query, (text,)).fetchall()


def like(connection: sqlite3.Connection, text: str) -> list[Any]:
    words = [text.strip('"')] if '"' in text else text.rstrip("*").split()
    query = "SELECT id, content FROM chat_messages WHERE " + " AND ".join(
        ["content LIKE ?"] * len(words)
    )
    return connection.execute(query, [f"%{word}%" for word in words]).fetchall()


def check(store: Any, plain: Any, by_hand: sqlite3.Connection, text: str) -> None:
    """Fail if they do not find the same."""
    every = {"limit": None, "fields": "content"}
    counts = {len(s.search(text, workload.ChatMessage, **every)) for s in (store, plain)}
    query = "SELECT count(*) FROM texts WHERE texts MATCH ?"
    assert counts == {by_hand.execute(query, (text,)).fetchone()[0]}, (text, counts)
