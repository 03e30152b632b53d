"""Exports of several accounts, older and newer, read and stored in any order: each message once."""

from __future__ import annotations

import functools
import gzip
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ecsviz as ev
from tests.chat_files import conversation, encode, is_sound, node, read
from tests.chat_formats import MESSAGE_STORE
from tests.chat_sample import database

FROZEN = Path(__file__).parent / "frozen"

MOST = 5
"""How many messages a chat has in its last export."""


def texts(account: str, count: int) -> list[str]:
    """Return what the first messages of an account's chat say: the first says the same in all."""
    return ["Hi", *(f"{account} {number}" for number in range(2, MOST + 1))][:count]


def langchain(account: str, count: int) -> bytes:
    rows = [
        {"type": "ai" if number else "human", "data": {"content": text}}
        for number, text in enumerate(texts(account, count))
    ]
    made = enumerate(map(json.dumps, rows), 1)
    return database(MESSAGE_STORE, *(("message_store", (n, "default", row)) for n, row in made))


def telegram(account: str, count: int) -> bytes:
    said = [
        {
            "id": number,
            "type": "message",
            "date": "2024-01-01T00:00:00",
            "date_unixtime": str(1704067200 + number),
            "from": account if number > 1 else "Zoe",
            "text": text,
        }
        for number, text in enumerate(texts(account, count), 1)
    ]
    return encode({"name": "Chat", "type": "personal_chat", "id": 1, "messages": said})


def sharegpt(account: str, count: int) -> bytes:
    turns = [
        {"from": "gpt" if number else "human", "value": text}
        for number, text in enumerate(texts(account, count))
    ]
    return encode([{"id": "identity_0", "conversations": turns}])


def openai(account: str, count: int) -> bytes:
    told = [
        {"role": "assistant" if number else "user", "content": text}
        for number, text in enumerate(texts(account, count))
    ]
    return encode({"messages": told})


def chatgpt(account: str, count: int) -> bytes:
    nodes = [
        node(f"{account}{number}", f"{account}{number // 2}" if number > 1 else None, text=text)
        for number, text in enumerate(texts(account, count), 1)
    ]
    return encode([conversation(*nodes, id=account, title=str(count), update_time=count)])


FORMATS: dict[str, Callable[[str, int], bytes]] = {
    each.__name__: functools.cache(each)
    for each in (langchain, telegram, sharegpt, openai, chatgpt)
}


@dataclass(frozen=True)
class Step:
    """Exports that are read in one call, and whether the result is stored."""

    exports: tuple[tuple[str, int], ...]
    stored: bool


exports = st.tuples(st.sampled_from(["Ann", "Bea", "Cem"]), st.integers(2, MOST))

steps = st.lists(
    st.builds(Step, st.lists(exports, min_size=1, max_size=4).map(tuple), st.booleans()),
    min_size=1,
    max_size=5,
)


def most_of(seen: list[tuple[str, int]]) -> Counter[tuple[str, ...]]:
    most: dict[str, int] = {}
    for account, count in seen:
        most[account] = max(count, most.get(account, 0))
    return Counter(tuple(sorted(texts(account, count))) for account, count in most.items())


def held(threads: list[Any]) -> Counter[tuple[str, ...]]:
    assert all(map(is_sound, threads))
    assert len({thread.ecs_id for thread in threads}) == len(threads)
    return Counter(tuple(sorted(m.content for m in thread.messages)) for thread in threads)


@pytest.mark.parametrize("name", FORMATS)
@given(done=steps)
def test_every_message_is_there_once(name: str, done: list[Step]) -> None:
    make = FORMATS[name]
    store = ev.InMemoryEntityStorage()
    seen: list[tuple[str, int]] = []
    for step in done:
        found = read([make(*each) for each in step.exports])
        assert held(found) == most_of(list(step.exports))
        if step.stored:
            store.register(found)
            seen += step.exports
            assert held(store.list_by_type(ev.ChatThread)) == most_of(seen)
    counts = [len(texts) for texts in most_of(seen).elements()]
    assert len(store.list_by_type(ev.ChatMessage)) == sum(counts)
    before = len(store.revisions())
    for export in seen:
        store.register(read(make(*export)))
    assert len(store.revisions()) == before


@given(done=steps)
def test_the_later_title_stays(done: list[Step]) -> None:
    store = ev.InMemoryEntityStorage()
    latest: dict[str, int] = {}
    for step in done:
        store.register(read([chatgpt(*each) for each in step.exports]))
        for account, count in step.exports:
            latest[account] = max(count, latest.get(account, 0))
    titles = {thread.source_id: int(thread.title) for thread in store.list_by_type(ev.ChatThread)}
    assert titles == latest


def test_copies_in_one_file_are_told_apart_wherever_they_are_stored() -> None:
    # Two data rows that begin alike, one going on from the other, are two.
    rows = [json.loads(openai("Ann", count)) for count in (2, 4)]
    store = ev.InMemoryEntityStorage()
    for _ in range(2):
        found = store.register(read(b"\n".join(map(encode, rows))))
        assert [len(thread.messages) for thread in found] == [2, 4]
    assert (len(store.list_by_type(ev.ChatThread)), len(store.revisions())) == (2, 1)


def test_a_store_of_an_earlier_release_takes_imports(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(gzip.decompress((FROZEN / "store.db.gz").read_bytes()))
    with ev.SQLAlchemyEntityStorage(path) as store:
        before = len(store.list_by_type(ev.ChatThread))
        for export in (("Ann", 4), ("Bea", 3), ("Ann", 2), ("Bea", 5)):
            store.register(read([make(*export) for make in FORMATS.values()]))
        added = store.list_by_type(ev.ChatThread)[before:]
        assert sorted(len(thread.messages) for thread in added) == [4] * 5 + [5] * 5
