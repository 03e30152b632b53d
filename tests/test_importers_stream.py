"""Chats read one at a time and stored batch by batch: the same as all at once, in little memory."""

from __future__ import annotations

import gc
import gzip
import hashlib
import json
import re
import sys
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz.errors import EcsvizError, ImportLimitError, InvalidArgumentError
from ecsviz.importers import (
    ChatImportWarning,
    DraftMessage,
    DraftThread,
    iterate_chats,
    read_chat,
)
from ecsviz.importers.chat import building, json_values, stream, text_window, trees
from ecsviz.importers.chat.identity import ThreadKey, chat_id, words
from ecsviz.importers.chat.json_text import Decoder
from ecsviz.importers.chat.making import message_ids
from ecsviz.importers.chat.text_window import texts
from ecsviz.importers.files import Limits
from ecsviz.isomorphic import find_difference
from ecsviz.values.tagged_json import is_as_json, json_text, to_json
from tests.chat_files import conversation, encode, node, read, zipped
from tests.chat_formats import SAMPLES

STORES: dict[str, Callable[[], Any]] = {
    "memory": ev.InMemoryEntityStorage,
    "sqlite": lambda: ev.SQLAlchemyEntityStorage(":memory:"),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    with STORES[request.param]() as made:
        yield made


def quietly(source: Any, **options: Any) -> list[ev.ChatThread]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChatImportWarning)
        return list(iterate_chats(source, **options))


def export(count: int, messages: int = 20, text: str = "x" * 500) -> bytes:
    """Return conversations with messages of some length."""
    found = []
    for number in range(count):
        nodes = [node("0", text=text)]
        nodes += [node(str(n), str(n - 1), text=f"{n} {text}") for n in range(1, messages)]
        found.append(conversation(*nodes, id=f"c{number}", title=f"talk {number}"))
    return encode(found)


def messages_of(store: Any) -> list[tuple[str | None, str | None, str]]:
    found = store.list_by_type(ev.ChatMessage)
    return sorted((m.thread.source_id, m.source_id, m.content) for m in found)


@pytest.mark.parametrize("name", SAMPLES)
def test_it_gives_what_reading_gives(name: str) -> None:
    data = SAMPLES[name].data
    whole, each = read(data), quietly(data)
    assert find_difference(list(whole), each) is None
    assert [thread.ecs_id for thread in whole] == [thread.ecs_id for thread in each]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChatImportWarning)
        found = iterate_chats(data)
        assert sum(1 for _ in found) == len(whole)
    assert found.problems == whole.problems
    assert found.report().equals(whole.report())


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_made_at_once_is_as_pydantic_makes_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = read(SAMPLES[name].data)
    used: Counter[bool] = Counter()

    def never(*_: Any, **__: Any) -> None:
        used[True] += 1

    monkeypatch.setattr(building, "made_at_once", never)
    slow = read(SAMPLES[name].data)
    assert used[True]
    assert find_difference(list(quick), list(slow)) is None
    for one, two in zip(quick, slow, strict=True):
        for a, b in zip(one.messages, two.messages, strict=True):
            assert [*a.__dict__] == [*b.__dict__]
            assert a.model_dump() == b.model_dump()


def test_what_is_in_two_places_is_made_two() -> None:
    shared = {"a": [1]}

    class Sharing:
        name = title = "sharing"

        def recognises(self, source: Any) -> bool:
            return True

        def read(self, source: Any) -> Iterator[Any]:
            draft = DraftThread(id="t")
            for text in ("one", "two"):
                draft.follow(DraftMessage(role="user", content=text, metadata={"m": shared}))
            yield draft

    (thread,) = read_chat(b"x", format=Sharing())
    one, two = thread.messages
    one.metadata["m"]["a"].append(2)  # type: ignore[index, call-overload, union-attr]  # a list
    assert two.metadata == {"m": {"a": [1]}}
    assert shared == {"a": [1]}


@pytest.mark.parametrize("size", [1, 40, 10_000])
def test_it_is_stored_as_all_at_once_is(
    store: Any, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BATCH", size)
    data = export(12, 10)
    found = store.register(iterate_chats(data), note="first")
    assert (found.stored.threads, found.stored.entities) == (12, 132)
    assert (found.stored.added, found.stored.changed) == (132, 0)
    assert store.revisions()["note"].tolist() == ["first"]
    with STORES["memory"]() as other:
        other.register(read_chat(data))
        assert messages_of(other) == messages_of(store)
    again = store.register(iterate_chats(data)).stored
    assert (again.entities, again.added, again.changed) == (132, 0, 0)
    assert len(store.revisions()) == 1
    longer = store.register(iterate_chats(export(13, 11))).stored
    assert (longer.added, len(store.revisions())) == (12 + 12, 2)
    older = store.register(iterate_chats(data))
    assert (older.stored.added, len(store.revisions())) == (0, 2)
    assert len(store.list_by_type(ev.ChatMessage)) == 13 * 11
    assert len(store.verify()) == 0


@pytest.mark.parametrize("size", [1, 10_000])
def test_copies_in_several_files_become_one(
    store: Any, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BATCH", size)
    uuids = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(3)]
    for number in range(3):
        nodes = [node("a"), node("b", "a"), node("c", "b")][: number + 1]
        listed = [conversation(*nodes, id=uuid) for uuid in uuids[: number + 1]]
        (tmp_path / f"{number}.json").write_bytes(encode(listed))
    store.register(iterate_chats(tmp_path))
    assert {(t, m) for t, m, _ in messages_of(store)} == {(u, m) for u in uuids for m in "abc"}
    assert len(store.revisions()) == 1
    assert len(store.verify()) == 0


def peak(work: Callable[[], Any]) -> int:
    """Return how many bytes Python allocates at the most while something is done."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packed", [False, True])
def test_memory_does_not_grow_with_the_chats(tmp_path: Path, packed: bool) -> None:
    quietly(export(1))  # what is made once
    peaks = {}
    for count in (400, 1_000):
        path = tmp_path / str(count)
        data = export(count)
        assert len(data) > count * 10_000
        path.write_bytes(gzip.compress(data, 1) if packed else data)
        options = {"max_ratio": 10_000}

        def work(path: Path = path, options: dict[str, Any] = options) -> None:
            for _ in iterate_chats(path, **options):
                pass

        peaks[count] = peak(work)
    assert peaks[1_000] < 1.2 * peaks[400] + 600 * 1_200  # some hundred bytes a thread
    assert peaks[1_000] < 14_000_000  # of 17 million that the file has


def test_memory_of_storing_grows_by_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BATCH", 500)
    monkeypatch.setattr(text_window, "WIDTH", 2**17)  # or it is wider than the smaller file
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        store.register(iterate_chats(export(1)))  # what is made once
    peaks = {}
    for count in (100, 400):
        path = tmp_path / f"{count}.json"
        path.write_bytes(export(count))

        def work(path: Path = path) -> None:
            with ev.SQLAlchemyEntityStorage(tmp_path / f"{len(list(tmp_path.iterdir()))}.db") as s:
                assert s.register(iterate_chats(path)).stored.threads == int(path.stem)

        peaks[count] = peak(work)
    entities = 300 * 21
    assert peaks[400] - peaks[100] < entities * 1_000  # of some 5,000 bytes that each takes


def statements(data: bytes) -> int:
    """Count the statements of storing an export in a store that has chats already."""
    seen: list[str] = []

    def watch(*given: Any) -> None:
        seen.append(str(given[2]))

    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        store.register(read_chat(export(1, 2)))
        sa.event.listen(sa.Engine, "before_cursor_execute", watch)
        try:
            store.register(iterate_chats(data))
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", watch)
    return len(seen)


def test_statements_grow_with_batches_not_with_chats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BATCH", 10**6)
    few, many = statements(export(10)), statements(export(25))
    assert few == many < 200
    monkeypatch.setattr(stream, "BATCH", 200)
    batches = [statements(export(10 * n)) for n in (2, 3, 4)]
    assert batches[1] - batches[0] == batches[2] - batches[1] <= few


# ---------------------------------------------------------------------------------------------
# Errors, and its end
# ---------------------------------------------------------------------------------------------


def test_an_error_in_the_midst_stores_nothing(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BATCH", 1)
    listed = json.loads(export(5, 3))
    broken = encode([*listed[:4], {"id": "x", "mapping": []}, listed[4]])
    with pytest.raises(EcsvizError, match="'mapping' must be an object"):
        store.register(iterate_chats(broken, strict=True))
    assert len(store.revisions()) == 0
    assert not store.count(ev.ChatThread)
    with pytest.warns(ChatImportWarning, match="conversation 5"):
        assert store.register(iterate_chats(broken)).stored.threads == 5
    with pytest.raises(ImportLimitError, match="max_bytes="):
        store.register(iterate_chats(export(9), max_bytes=50_000))
    assert store.count(ev.ChatThread) == 5


@pytest.mark.parametrize("options", [{"hops": 0}, {"match": "source_id"}])
def test_options_that_do_not_go_with_it(store: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="do not go with a stream"):
        store.register(iterate_chats(export(1)), **options)
    assert len(store.revisions()) == 0


def test_it_can_be_closed_before_its_end(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    path.write_bytes(export(400))
    assert path.stat().st_size > 4_000_000  # of which not all is read at once
    with iterate_chats(path) as found:
        assert next(found).title == "talk 0"
        assert "at its end" not in repr(found)
    assert next(found, None) is None
    assert "at its end" in repr(found)
    dropped = iterate_chats(path)
    next(dropped)
    del dropped  # its files are closed: an open one would be a warning, and so an error
    gc.collect()
    with pytest.raises(EcsvizError, match="Cannot read"):
        iterate_chats(tmp_path / "none.json")
    with pytest.raises(EcsvizError, match="no chat that is known here"):
        list(iterate_chats(b'[{"a": 1}]'))
    with pytest.raises(InvalidArgumentError, match="max_depth"):
        iterate_chats(path, max_depth=0)


def test_the_bar_counts_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chats.zip"
    path.write_bytes(zipped(("conversations.json", export(400))))
    found = iterate_chats(path, progress=True, max_ratio=10_000)
    next(found)
    _, err = capsys.readouterr()
    assert "chats.zip/conversations.json" in err
    assert "0%|" in err
    assert sum(1 for _ in found) == 399
    _, err = capsys.readouterr()
    assert "100%|" in err
    list(iterate_chats(path, progress=False, max_ratio=10_000))
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------------------------------------
# What is faster says the same
# ---------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=6)

PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS | st.integers() | st.just("$a"), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_what_is_as_json_is_written_as_it_is(value: Any) -> None:
    if is_as_json(value):
        assert json_text(to_json(value)) == json_text(value)
    elif isinstance(value, dict | list) and "nan" not in repr(value):
        assert json_text(to_json(value)) != repr(value)
        assert to_json(value) != value


IDS = st.sampled_from([st.none(), st.none() | TEXTS, st.text(min_size=1, max_size=6)])


@given(
    IDS.flatmap(lambda ids: st.lists(st.tuples(ids, TEXTS, st.none() | TEXTS), max_size=6)),
    TEXTS,
    st.booleans(),
)
@example(said=[(None, "same", None)] * 4, ident="t", chained=False)
@example(said=[("twice", "same", None)] * 3, ident="t", chained=True)
def test_ids_are_made_of_json(said: list[tuple[Any, str, Any]], ident: str, chained: bool) -> None:
    items = [DraftMessage(role="user", content=text, id=i, author=who) for i, text, who in said]
    for at, item in enumerate(items):
        item.parent = (at - 1 if chained else at // 2) if at else None
        # The same of two answers: nothing but their number may tell them apart.
        item.created_at = datetime(2024, 1, 1, tzinfo=UTC) if at // 2 % 2 else None
    key = ThreadKey("chatgpt", ("", ident))
    seen: Counter[str] = Counter()
    expected: list[Any] = []
    for item in items:
        above = None if item.parent is None else str(expected[item.parent][0])
        alike = hashlib.sha256(json.dumps([above, *words(item)]).encode()).hexdigest()
        seen[item.id or alike] += 1
        time = seen[item.id or alike]
        own = [None, alike, time] if not item.id else [item.id] if time == 1 else [item.id, time]
        expected.append((chat_id(key.format, key.list, *own), time if item.id else 1))
    ids, times = message_ids(key, items)
    assert list(zip(ids, times, strict=True)) == expected


SEAM = '},{"a":'
"""What stands between small objects, and may stand within one."""

VALUES = (
    st.sampled_from(["\ud800", "\ude00\ud83d", "\0", 10**4_200, -(10**60), -0.0, 1e400, [[[]]] * 3])
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.integers(150, 250).map(lambda depth: json.loads("[" * depth + "]" * depth))
)
MEMBERS = st.lists(
    st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([1, SEAM, "\\", []]), max_size=2)
    | st.just({"a": [{"a": 1}, {"a": 2}]})
    | st.builds(lambda value: {"a": value}, VALUES)
    | st.sampled_from([7, [{"a": 1}, {"a": 2}]]),
    max_size=40,
)


def depth_of(value: Any) -> int:
    text, depth, deepest = re.sub(r'"[^"]*"', "", repr(value)), 0, 0
    for mark in re.findall(r"[\[\]{}]", text):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


@given(MEMBERS, st.sampled_from([(",", ":"), (", ", ": "), (",\n", ":")]), st.integers(1, 400))
def test_objects_are_decoded_together_as_one_by_one(
    members: list[Any], marks: tuple[str, str], width: int
) -> None:
    text = json.dumps([{"a": 0}, *members], separators=marks)
    broken = text.replace('"b"', '"b', 1)  # one member is no JSON
    for written in (text, broken, text.replace('"b"', '"a"'), text[: len(text) // 2]):
        found = []
        for batch, long in ((0, 0), (width, 2**20)):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(json_values, "_BATCH", batch)
                patch.setattr(json_values, "_LONG", long)
                told: list[str] = []
                pieces = [written[at : at + width] for at in range(0, len(written), width)]
                tell = lambda what, why, told=told: told.append(what)  # noqa: E731
                bear = lambda err, told=told: told.append(str(err))  # noqa: E731
                values = json_values.JsonValues(pieces, "a.json", Limits(), tell, bear)
                items = list(values.items())
                deepest = max(map(depth_of, (item.value for item in items)), default=0)
                assert not values.decoder.shallow or deepest <= 200
                found.append((items, set(told)))
        assert found[0] == found[1]
    plain = [item.value for item in json_values.JsonValues([text], "", Limits(), print).items()]
    assert plain == [{"a": 0}, *members]


def test_many_small_objects_are_decoded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps([{"role": "user", "content": str(n)} for n in range(9_000)]).encode()
    calls: Counter[str] = Counter()
    real = Decoder.decode

    def counted(self: Decoder, text: str, *rest: int) -> tuple[Any, int]:
        calls["all"] += 1
        return real(self, text, *rest)

    monkeypatch.setattr(Decoder, "decode", counted)
    (thread,) = read(data)
    assert len(thread.messages) == 9_000
    assert calls["all"] < 60


def test_states_of_messages_share_their_keys() -> None:
    (thread,) = read(encode([{"role": "user", "content": str(n)} for n in range(9)]))
    state = thread.messages[0].__dict__
    assert tuple(state) == tuple(ev.ChatMessage.model_fields)
    assert sys.getsizeof(state) < 0.6 * sys.getsizeof(dict(zip(state, state, strict=True)))


@given(st.data())
def test_trees_where_all_agree_are_ordered_as_others(data: st.DataObject) -> None:
    ids = data.draw(st.permutations("abcdef"))
    parents = {n: data.draw(st.sampled_from(ids[:at])) for at, n in enumerate(ids) if at > 1}
    ids = data.draw(st.permutations(ids))
    children = {n: [kid for kid in ids if parents.get(kid) == n] for n in ids}
    some = st.sampled_from([*ids, "x"])
    parents |= data.draw(st.just({}) | st.dictionaries(st.sampled_from(ids), some, max_size=1))
    children |= data.draw(
        st.just({}) | st.dictionaries(st.sampled_from(ids), st.lists(some, max_size=3), max_size=1)
    )
    told: list[Any] = []
    found = trees.arrange(ids, parents, children, lambda *problem: told.append(problem))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "_as_told", lambda *_: None)
        all_told: list[Any] = []
        expected = trees.arrange(ids, parents, children, lambda *problem: all_told.append(problem))
    assert (found, told) == (expected, all_told)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_a_text_in_small_pieces_is_the_same(encoding: str) -> None:
    text = '[{"a": "\u00fc\u20ac\U0001f600\n"}]'
    data = text.encode(encoding)
    for size in range(1, len(data) + 1):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert "".join(texts(pieces, "x", never_called)) == text


def never_called(_: Any) -> None:
    raise AssertionError
