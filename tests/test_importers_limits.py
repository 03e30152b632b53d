"""Limits against bad files: each error names the limit, and raising it reads the file."""

from __future__ import annotations

import json
import random
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import ecsviz as ev
from ecsviz.errors import (
    ImportFormatError,
    ImportLimitError,
    ImportTimeoutError,
    InvalidArgumentError,
)
from ecsviz.importers import read_chat
from ecsviz.importers.chat.json_values import JsonValues
from ecsviz.importers.files import Limits
from tests.chat_files import EXPORT, conversation, encode, node, read, zipped
from tests.chat_formats import SAMPLES, openai_messages


def told(source: Any, argument: str, **limits: Any) -> int:
    """Check that reading ends at a limit, and that what the message proposes is more."""
    with pytest.raises(ImportLimitError, match=rf"allow more with {argument}=") as caught:
        read_chat(source, **limits)
    assert caught.value.argument == argument
    proposed = str(caught.value).rpartition(f"{argument}=")[2].rstrip(".")
    assert int(proposed) > caught.value.limit
    return int(caught.value.limit)


def test_bytes_of_all_files_together(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.json").write_bytes(
            encode([conversation(node("a"), id=f"c{number}")])
        )
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert told(tmp_path, "max_bytes", max_bytes=size - 1) == size - 1
    assert told(sorted(tmp_path.iterdir()), "max_bytes", max_bytes=size - 1) == size - 1
    assert len(read_chat(tmp_path, max_bytes=size)) == 3


@pytest.mark.parametrize("name", SAMPLES)
def test_bytes_of_every_format(name: str) -> None:
    assert told(SAMPLES[name].data, "max_bytes", max_bytes=20) == 20


def test_files_in_a_zip_or_folder(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("x")
    (tmp_path / "c.json").write_bytes(EXPORT)
    archive = zipped(*((path.name, path.read_bytes()) for path in tmp_path.iterdir()))
    for source in (tmp_path, archive):
        assert told(source, "max_members", max_members=5) == 5
        assert len(read_chat(source, max_members=6)) == 1


def test_the_ratio_of_a_zip() -> None:
    bomb = zipped(("conversations.json", b"[" + b" " * 40_000_000 + EXPORT[1:]))
    assert told(bomb, "max_ratio") == 200
    assert len(read_chat(bomb, max_ratio=2_000)) == 1
    # Many members that each stay small, as in bombs whose members share their bytes.
    member = b"[" + b" " * 4_000_000 + EXPORT[1:]
    many = zipped(*((f"{number}/conversations.json", member) for number in range(10)))
    assert told(many, "max_ratio", strict=True) == 200
    found = read(many)
    assert len(found) == 1
    assert {each.file for each in found.problems} == {
        f"<bytes>/{number}/conversations.json" for number in range(2, 10)
    }
    assert all("max_ratio=" in each.why for each in found.problems)


def test_the_ratio_of_a_file_beside_a_large_one() -> None:
    picture = random.Random(1).randbytes(1_000_000)
    member = b"[" + b" " * 40_000_000 + EXPORT[1:]
    bomb = zipped(("cat.png", picture), ("conversations.json", member))
    assert len(bomb) * 200 > len(member)
    assert told(bomb, "max_ratio") == 200


@pytest.mark.parametrize("size", [10, 2**31])
def test_a_zip_that_lies_about_sizes(size: int) -> None:
    data = bytearray(zipped(("conversations.json", b"[" + b" " * 3_000_000 + EXPORT[1:])))
    for magic, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        start = data.index(magic) + offset
        data[start : start + 4] = struct.pack("<I", size)
    with pytest.raises(ImportLimitError, match="max_bytes="):
        read_chat(bytes(data), max_bytes=1_000_000)
    with pytest.raises(ImportFormatError, match="not what was packed"):
        read_chat(bytes(data), max_ratio=10_000, strict=True)


def nested(levels: int) -> bytes:
    """Return an Open-Assistant tree in which every answer has one."""
    start = '{"message_id": "m%d", "role": "prompter", "text": "x", "replies": ['
    inside = "".join(start % number for number in range(levels))
    return ('{"message_tree_id": "t", "prompt": ' + inside + "]}" * levels + "}").encode()


def test_depth_is_a_limit_of_ours_not_of_python() -> None:
    assert sys.getrecursionlimit() < 2_000
    (thread,) = read_chat(nested(2_000))
    assert len(thread.path_to(thread.messages[-1])) == 2_000
    assert told(nested(6_000), "max_depth") == 10_000
    assert len(read_chat(nested(6_000), max_depth=20_000)[0].messages) == 6_000
    # Also one that is lower than what Python reaches.
    assert told(nested(30), "max_depth", max_depth=50) == 50
    assert len(read_chat(nested(24), max_depth=50)[0].messages) == 24


def test_digits() -> None:
    long = b'{"messages": [{"role": "user", "content": "Hi", "n": ' + b"7" * 5_000 + b"}]}"
    before = sys.get_int_max_str_digits()
    assert told(long, "max_digits") == 4_300
    (thread,) = read_chat(long, max_digits=6_000)
    assert thread.messages[0].metadata["n"] == (10**5_000 - 1) // 9 * 7
    assert told(long, "max_digits", max_digits=4_999) == 4_999
    assert sys.get_int_max_str_digits() == before
    # Integers that are to be ids are texts, so they have an end as well.
    assert read_chat(b'{"id": 18446744073709551615, "messages": [{"role": "a", "content": ""}]}')


def test_time_of_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    data = SAMPLES["langchain"].data
    monkeypatch.setattr("ecsviz.importers.sqlite_file._STEPS", 1)
    with pytest.raises(ImportTimeoutError, match=r"timeout=4e-09") as caught:
        read_chat(data, timeout=1e-9)
    assert caught.value.argument == "timeout"
    assert len(read_chat(data, timeout=1_000)) == 2


def test_values_of_a_database() -> None:
    data = SAMPLES["llm, new schema"].data
    assert told(data, "max_value", max_value=9) == 9
    assert len(read_chat(data, max_value=1_000)) == 3


@pytest.mark.parametrize("name", Limits.__slots__)
@pytest.mark.parametrize("value", [0, -1, True, "9", None])
def test_limits_are_checked(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{name} must be a number above 0"):
        read_chat(EXPORT, **{name: value})


def test_copies_of_databases_go_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert len(read_chat(SAMPLES["openai-agents"].data)) == 2
    assert list(tmp_path.iterdir()) == []


VALUES: tuple[Any, ...] = (
    *([], {}, [[]], {"a": []}, [1, [2, {"b": None}], -1.5e3, True, "x\n\u20ac"]),
    *({"a": {"b": {"c": [{}]}}}, [{"a": 1}, {"a": "]"}, {'"': "\\"}]),
)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("indent", [None, 2])
def test_reading_without_recursion_is_the_same(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    here = JsonValues([text + " "], "x", Limits(max_depth=20), print)
    assert here.sample() == value
    members = isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    assert [item.value for item in here.items()] == (value if members else [value])


@pytest.mark.parametrize(
    "text",
    ["[1,]", "[1 2]", '{"a" 1}', '{"a": }', "{1: 2}", '{"a": 1,}', "[", "[1", '{"a": [', "[nul]"],
)
def test_reading_without_recursion_finds_the_same_faults(text: str) -> None:
    faults = []
    for depth in (20, 100_000):
        with pytest.raises(ValueError, match="line 1, column") as caught:
            list(JsonValues([text], "x", Limits(max_depth=depth), print).items())
        faults.append((type(caught.value), caught.value.__dict__["truncated"]))
    assert faults[0] == faults[1]


def test_names_that_stand_twice_deep_inside() -> None:
    told: list[tuple[str, str]] = []
    here = JsonValues(
        ['[{"a": 1, "a": 2}]'], "x", Limits(max_depth=20), lambda *what: told.append(what)
    )
    assert here.sample() == [{"a": 2, "a (2)": 1}]
    assert len(told) == 1


def test_what_a_limit_says_never_holds_the_chat() -> None:
    with pytest.raises(ImportLimitError) as caught:
        read_chat(openai_messages(False), max_depth=2, strict=True)
    assert "brief" not in str(caught.value)


@pytest.mark.parametrize("usual", [True, False])
@pytest.mark.parametrize("levels", [90, 150, 190, 210, 230, 300, 600])
def test_what_a_message_says_besides_may_nest_as_deep_as_can_be_stored(
    levels: int, usual: bool
) -> None:
    nested: Any = "x"
    for level in range(levels):
        nested = [nested] if level % 2 else {"a": nested}
    author = {"role": "user", "name": None, "metadata": {}}
    more = {"author": author, "create_time": 1.7e9} if usual else {}
    one = node("m", **more, metadata={"k": nested})
    threads = read(encode([conversation(one), conversation(node("n")) | {"id": "other"}]))
    texts = [message.content for thread in threads for message in thread.messages]
    store = ev.SQLAlchemyEntityStorage("sqlite://")
    store.register(threads)  # all that was read can be stored
    assert store.count(ev.ChatMessage) == len(texts)
    assert len(store.verify()) == 0
    if levels < 200:
        assert texts == ["M", "N"]
        assert threads[0].messages[0].metadata["metadata"] == {"k": nested}
    else:
        assert texts == ["N"]
        assert "200 levels" in threads.problems[0].why
