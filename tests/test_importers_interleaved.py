"""Exports of several accounts, older and newer, read and stored in any order: each message once."""

from __future__ import annotations

import functools
import gzip
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ecsviz as ev
from tests.chat_files import conversation, encode, is_sound, node, read
from tests.chat_formats import AGENTS, MESSAGE_STORE, WHEN, item
from tests.chat_sample import database
from tests.chat_tools import CHECKPOINTS, checkpoint, packed_message

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


def in_order(threads: list[Any]) -> Counter[tuple[str, ...]]:
    assert all(map(is_sound, threads))
    return Counter(tuple(m.content for m in thread.messages) for thread in threads)


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


ALIKE = ["Hi", "Hello", "Why?"]
"""What two chats of one id say at first."""


def grown(app: str, count: int) -> list[str]:
    """Return what the first messages say in the database of an app: at first the same in all."""
    return [*ALIKE, *(f"{app} {number}" for number in range(4, 7))][:count]


def langchain_app(app: str, count: int) -> bytes:
    said = enumerate(grown(app, count))
    rows = [{"type": ("human", "ai")[n % 2], "data": {"content": text}} for n, text in said]
    made = enumerate(map(json.dumps, rows), 1)
    return database(MESSAGE_STORE, *(("message_store", (n, "default", row)) for n, row in made))


def agents_app(app: str, count: int) -> bytes:
    rows = [
        item(n + 1, {"role": ("user", "assistant")[n % 2], "content": text}, "default")
        for n, text in enumerate(grown(app, count))
    ]
    return database(AGENTS, ("agent_sessions", ("default", WHEN, WHEN)), *rows)


def langgraph_app(app: str, count: int, *, named: bool = True) -> bytes:
    said = [
        packed_message(("human", "ai")[n % 2], text, f"m{n}" if named else None)
        for n, text in enumerate(grown(app, count))
    ]
    # Of one clock, where messages have ids: nothing but their words tells them apart.
    later = 0 if named else 3 * (ord(app) - ord("A"))
    numbers = [n + later * (n > len(ALIKE)) for n in range(1, count + 1)]
    above = [None, *numbers]
    rows = [checkpoint(numbers[n], above[n], *said[: n + 1]) for n in range(count)]
    return database(CHECKPOINTS, *rows)


APPS: dict[str, Callable[[str, int], bytes]] = {
    "langchain": langchain_app,
    "openai-agents": agents_app,
}
if find_spec("msgpack") is not None:
    APPS["langgraph"] = langgraph_app
    APPS["langgraph, without ids"] = functools.partial(langgraph_app, named=False)


def apart(most: Counter[str]) -> Counter[tuple[str, ...]]:
    """Return the chats that there must be: one of each app that says something of its own."""
    own = [tuple(grown(app, count)) for app, count in most.items() if count > len(ALIKE)]
    return Counter(own or [tuple(grown("A", max(most.values())))])


@pytest.mark.parametrize("name", APPS)
def test_two_databases_of_one_id_that_begin_alike_stay_two(name: str) -> None:
    make = functools.cache(APPS[name])
    begun, ours, theirs = ("A", 3), ("A", 6), ("B", 4)
    told = [
        [[begun], [("B", 3)], [ours], [theirs], [("B", 5)]],
        [[begun, ("B", 3)], [ours, theirs], [theirs, ours], [begun, ("B", 6)]],
        [[theirs], [begun], [ours], [("B", 6), ("A", 6)]],
    ]
    for seed in range(5):
        by_chance = random.Random(seed)
        some = [(app, count) for app in "AB" for count in range(1, 7)]
        told.append([by_chance.choices(some, k=by_chance.randint(1, 3)) for _ in range(4)])
    for steps in told:
        store, seen = ev.InMemoryEntityStorage(), Counter[str]()
        for exports in steps:
            most = Counter[str]()
            for app, count in exports:
                most[app] = max(most[app], count)
            found = read([make(*each) for each in exports])
            assert in_order(found) == apart(most)
            store.register(found)
            seen |= most
            assert in_order(store.list_by_type(ev.ChatThread)) == apart(seen)
        number = len(store.revisions())
        for exports in steps:
            store.register(read([make(*each) for each in exports]))
        assert len(store.revisions()) == number


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
