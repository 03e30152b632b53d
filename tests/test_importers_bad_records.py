"""One bad record stops nothing else: what is readable is read, the rest is told with its place."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecsviz.errors import EcsvizError, ImportFormatError, InvalidArgumentError
from ecsviz.importers import ChatImport, read_chat
from tests.chat_files import EXPORT, conversation, encode, node, oa, oa_tree, read, zipped
from tests.chat_formats import MESSAGE_STORE, SAMPLES, code_record
from tests.chat_sample import database, lines

COUNT = 1_000


def many(count: int) -> list[dict[str, Any]]:
    return [conversation(node("a"), id=f"c{number}") for number in range(count)]


def size(found: ChatImport) -> int:
    return sum(len(thread.messages) for thread in found)


def told(found: ChatImport) -> list[tuple[str | None, str, str]]:
    return [(each.file, each.what, each.why) for each in found.problems]


def malformed(place: int, bad: Any) -> bytes:
    listed = many(COUNT)
    listed[place] = bad
    return encode(listed)


def torn(place: int) -> bytes:
    """Return an export of which one conversation is no JSON."""
    texts = [json.dumps(each) for each in many(COUNT)]
    texts[place] = texts[place].replace('"id"', '"id', 1)
    return f"[{', '.join(texts)}]".encode()


@pytest.mark.parametrize(
    ("data", "what", "why"),
    [
        (malformed(7, None), "conversation 8", "a conversation must be an object, not null"),
        (malformed(7, {"id": "x", "mapping": []}), "conversation 8, id 'x'", "'mapping' must be"),
        (torn(7), "line 1, column", "not JSON"),
    ],
)
def test_one_of_a_thousand(tmp_path: Path, data: bytes, what: str, why: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "one.json").write_bytes(data)
    (folder / "two.json").write_bytes(encode([conversation(node("a"), id="other")]))
    zip_file = zipped(("one.json", data))
    for source, name, more in (
        (data, "<bytes>", 0),
        (folder, "folder/one.json", 1),
        (zip_file, "<bytes>/one.json", 0),
    ):
        found = read(source)
        assert size(found) == len(found) == COUNT - 1 + more
        ((file, place, reason),) = told(found)
        assert file == name
        assert place.startswith(what)
        assert reason.startswith("not read: ")
        assert why in reason
    with pytest.raises(ImportFormatError):
        read_chat(data, strict=True)


def test_a_cut_list_gives_what_is_whole() -> None:
    data = encode(many(20))
    ends = [data.index(f'"id": "c{number}"'.encode()) for number in range(20)]
    for number in range(1, 20):
        for cut in (ends[number] - 2, ends[number] + 5):
            found = read(data[:cut])
            assert [thread.source_id for thread in found] == [f"c{n}" for n in range(number)]
            assert told(found)[0][2] == "not read: the file ends in the middle of a value"


def test_a_cut_chat_gives_its_whole_messages() -> None:
    data = SAMPLES["telegram"].data
    at = data.index(b'"id": 4')
    found = read(data[: at + 20])
    assert [m.source_id for m in found[0].messages] == ["1", "2", "3"]
    data = SAMPLES["claude"].data
    found = read(data[: data.index(b'"uuid": "m3"') + 20])
    assert [m.source_id for m in found[0].messages] == ["m1", "m2"]


@pytest.mark.parametrize("name", ["claude-code", "openai-messages"])
def test_lines_are_read_each_for_itself(name: str) -> None:
    whole = SAMPLES[name].data.splitlines()
    for number in range(len(whole)):
        behind = (b'"\xff\xfe"', b"hello", b"17") if number else ()
        for bad in (whole[number][:25], b"[1, 2", *behind):
            data = b"\n".join([*whole[:number], bad, *whole[number + 1 :]])
            rest = b"\n".join([*whole[:number], *whole[number + 1 :]])
            found, without = read(data), read(rest)
            assert size(found) == size(without)
            assert told(found)[0][1].partition(",")[0] == f"line {number + 1}"


def test_a_session_that_is_being_written() -> None:
    good = [code_record("u1", None, "user", "h\xe9"), code_record("a1", "u1", "assistant", "yo")]
    last = json.dumps(code_record("u2", "a1", "user", "\xe9t\xe9"), ensure_ascii=False).encode()
    for cut in range(1, len(last)):
        found = read(lines(*good) + last[:cut])
        assert size(found) == 2
        assert [what.partition(",")[0] for _, what, _ in told(found)] == ["line 3"]
    assert size(read(lines(*good) + last)) == 3


def test_rows_of_a_database_are_read_each_for_itself() -> None:
    row = json.dumps({"type": "human", "data": {"content": "Hi"}})
    rows = [(1, "s", row), (2, "s", row[:9]), (3, "s", "[]"), (4, "s", row)]
    found = read(database(MESSAGE_STORE, *(("message_store", each) for each in rows)))
    assert [m.source_id for m in found[0].messages] == ["1", "4"]
    assert [what for _, what, _ in told(found)] == [
        f"table message_store, row {number}" for number in (2, 3)
    ]


def test_a_bad_message_leaves_its_answers() -> None:
    nodes = (node("a"), node("b", "a", content=["no"]), node("c", "b"))
    found = read([conversation(*nodes)])
    assert {m.source_id: m.parent and m.parent.source_id for m in found[0].messages} == {
        "a": None,
        "c": "a",
    }
    assert found[0].metadata["null_nodes"][0]["message"]["content"] == ["no"]  # type: ignore[index, call-overload]  # as it was
    tree = oa_tree(oa("a", oa("b", oa("c"), text=5)))
    (thread,) = read(tree)
    assert [(m.source_id, m.parent and m.parent.source_id) for m in thread.messages] == [
        ("a", None),
        ("c", "a"),
    ]


EMPTY: dict[str, bytes] = {"nothing": b"", "blank": b" \n", "cut": EXPORT[:20]}


@pytest.mark.parametrize("name", EMPTY)
def test_a_file_of_which_nothing_can_be_read(tmp_path: Path, name: str) -> None:
    bad, good = tmp_path / "bad.json", tmp_path / "good.json"
    bad.write_bytes(EMPTY[name])
    good.write_bytes(EXPORT)
    with pytest.raises(ImportFormatError):
        read_chat(bad)
    members = zipped(("bad.json", EMPTY[name]), ("good.json", EXPORT))
    for source, at in ((tmp_path, "/bad.json"), ([bad, good], "bad.json"), (members, "/bad.json")):
        found = read(source) if isinstance(source, bytes | Path) else quietly(source)
        assert size(found) == 5
        ((file, what, _),) = told(found)
        assert str(file).endswith(at)
        assert what == "the file"
        with pytest.raises(ImportFormatError):
            read_chat(source, strict=True)


@pytest.mark.parametrize(
    "bad", [gzip.compress(EXPORT, mtime=0)[:30], b"PK\x03\x04" + EXPORT], ids=["gzip", "zip"]
)
def test_what_is_packed_and_broken_stops_nothing_else(tmp_path: Path, bad: bytes) -> None:
    (tmp_path / "bad").write_bytes(bad)
    (tmp_path / "good.json").write_bytes(EXPORT)
    with pytest.raises(ImportFormatError):
        read_chat(tmp_path / "bad")
    found = quietly([tmp_path / "bad", tmp_path / "good.json"])
    assert (size(found), told(found)[0][:2]) == (5, ("bad", "the file"))
    with pytest.raises(ImportFormatError):
        read_chat([tmp_path / "bad", tmp_path / "good.json"], strict=True)
    if bad.startswith(b"PK"):
        return  # a zip in a folder is read by itself
    found = read(tmp_path)
    assert (size(found), told(found)[0][1]) == (5, "the file")


def test_a_broken_member_of_a_zip_stops_nothing_else() -> None:
    data = bytearray(zipped(("a.json", encode(many(3))), ("b.json", EXPORT)))
    data[data.index(b"a.json") + 12] ^= 0xFF
    found = read(bytes(data))
    assert (size(found), told(found)[0][0]) == (5, "<bytes>/a.json")


def quietly(source: list[Path]) -> ChatImport:
    with pytest.warns(UserWarning, match="not read: "):
        return read_chat(source)


def test_strict_is_yes_or_no() -> None:
    with pytest.raises(InvalidArgumentError, match="strict"):
        read_chat(EXPORT, strict=Odd())  # type: ignore[arg-type]  # what is tried


class Odd:
    def __bool__(self) -> bool:
        raise ValueError("neither")


CASES: dict[str, Callable[[ChatImport], bool]] = {
    "cc_folder": lambda found: sorted(len(t.messages) for t in found) == [4, 8],
    "chatgpt_one_bad_of_three.json": lambda found: [len(t.messages) for t in found] == [1, 1],
}


@pytest.mark.parametrize("name", CASES)
def test_cases_that_failed(shared: Path, name: str) -> None:
    path = shared / "cases" / "chats" / name
    found = read(path)
    assert CASES[name](found)
    assert sum(each.why.startswith("not read: ") for each in found.problems) == 1
    with pytest.raises(EcsvizError):
        read_chat(path, strict=True)
