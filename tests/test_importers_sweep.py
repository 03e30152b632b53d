"""Files cut and broken at every sixteenth: what no damage has touched is read."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import time
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from ecsviz.errors import EcsvizError
from ecsviz.importers import ChatImport
from tests.chat_files import EXPORT, conversation, encode, is_sound, node, read, zipped
from tests.chat_formats import SAMPLES

PLACES = 16

MOST = 5.0
"""Seconds of this process that reading one small file may take: far more than it does."""

IDS = {
    "chatgpt": "id",
    "claude": "uuid",
    "deepseek": "id",
    "librechat": "conversationId",
    "open-assistant": "message_tree_id",
    "openai-messages": "id",
    "sharegpt": "id",
}
"""Formats with a chat a record, and the name of its id."""

BYTES = b'\0"{}[],:\\x\xff'

WRONG = (
    *(b"null", b"5", b'"x"', b"[]", b"{}", b'{"a": }', b"{", b"[", b"}", b"]", b'"x', b"nul"),
    b'{"n": ' + b"9" * 5_000 + b"}",
    b'{"n": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    b'{"n": "\xff\xfe"}',
)


class File(NamedTuple):
    """A file of several records, where each of them stands, and how many messages it has."""

    data: bytes
    spans: list[tuple[int, int]]
    sizes: list[int]

    def whole(self, start: int, end: int) -> int:
        """Return how many messages are in records that damage from start to end leaves."""
        return sum(
            size
            for size, (first, last) in zip(self.sizes, self.spans, strict=True)
            if last <= start or first >= end
        )


def size(found: ChatImport) -> int:
    return sum(len(thread.messages) for thread in found)


def messages_read(data: bytes) -> int:
    """Return how many messages are read, 0 where none can be; anything else fails the test."""
    begun = time.process_time()
    try:
        found = read(data)
    except EcsvizError:
        return 0
    finally:
        assert time.process_time() - begun < MOST
    assert all(is_sound(thread) for thread in found)
    return size(found)


def copies(name: str) -> list[Any]:
    """Return six chats of a format, that differ in their ids."""
    values = [json.loads(line) for line in SAMPLES[name].data.splitlines()]
    first = next(value[0] if isinstance(value, list) else value for value in values)
    return [first | {IDS[name]: f"{first.get(IDS[name], 'x')}{number}"} for number in range(6)]


def written(records: list[Any], how: str) -> tuple[list[bytes], bytes, bytes, bytes]:
    """Return records as they stand in a file, and what stands before, between and behind."""
    if how == "lines":
        return [encode(record) for record in records], b"", b"\n", b"\n"
    if how == "pretty":
        return [json.dumps(r, indent=1).encode() for r in records], b"[\n", b",\n", b"\n]"
    return [encode(record) for record in records], b"[", b", ", b"]"


def file_of(name: str, how: str) -> File:
    records = copies(name)
    parts, before, between, behind = written(records, how)
    at, spans = len(before), []
    for part in parts:
        spans.append((at, at + len(part)))
        at += len(part) + len(between)
    sizes = [size(read(encode([record]))) for record in records]
    return File(before + between.join(parts) + behind, spans, sizes)


HOWS = ("list", "lines", "pretty")


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", IDS)
def test_cut_at_every_sixteenth(name: str, how: str) -> None:
    file = file_of(name, how)
    assert messages_read(file.data) == sum(file.sizes) > 10
    for place in range(len(file.data) // PLACES, len(file.data), len(file.data) // PLACES):
        found = messages_read(file.data[:place])
        assert file.whole(place, len(file.data)) <= found <= sum(file.sizes), place


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", IDS)
def test_a_byte_wrong_or_too_much(name: str, how: str) -> None:
    file = file_of(name, how)
    data = file.data
    for place in range(0, len(data), len(data) // PLACES):
        for byte in BYTES:
            wrong = data[:place] + bytes([byte]) + data[place + 1 :]
            more = data[:place] + bytes([byte]) + data[place:]
            least = file.whole(place, place + 1)
            assert messages_read(wrong) >= least, (place, byte, "wrong")
            assert messages_read(more) >= least, (place, byte, "too much")


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", IDS)
def test_a_record_that_is_none(name: str, how: str) -> None:
    records = copies(name)
    parts, before, between, behind = written(records, how)
    whole = size(read(before + between.join(parts) + behind))
    for place in (0, 3, 6):
        for wrong in WRONG:
            listed = [*parts[:place], wrong, *parts[place:]]
            data = before + between.join(listed) + behind
            found = read(data)
            assert size(found) >= whole, (place, wrong[:20])
            told = [each for each in found.problems if each.file == "<bytes>"]
            assert told or wrong in (b"[]", b"{}"), (place, wrong[:20])
            assert all(each.what and each.why for each in told)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_cut_and_broken(name: str) -> None:
    data = SAMPLES[name].data
    whole = messages_read(data)
    for place in range(0, len(data), max(1, len(data) // PLACES)):
        assert messages_read(data[:place]) <= whole
        for byte in b"\0\xff}":
            messages_read(data[:place] + bytes([byte]) + data[place + 1 :])
            messages_read(data[:place] + bytes([byte]) + data[place:])


# ---------------------------------------------------------------------------------------------
# In the midst of one value, and packed
# ---------------------------------------------------------------------------------------------


def test_one_byte_inside_an_export_of_one_chat() -> None:
    one = {"type": "message", "date": "2024-01-01T00:00:00"}
    said = [{"id": number, **one, "text": f"t{number}"} for number in range(50)]
    data = encode({"name": "A", "type": "personal_chat", "id": 5, "messages": said})
    for number in (0, 7, 49):
        place = data.index(b'"id": %d,' % number)
        for byte in b'"}\xffx':
            broken = data[: place + 5] + bytes([byte]) + data[place + 6 :]
            assert messages_read(broken) >= 49, (number, byte)
    nodes = (node(f"n{number}") for number in range(50))
    data = encode([conversation(*nodes)])
    place = data.index(b'"n7": {')
    assert messages_read(data[: place + 6] + b"x" + data[place + 7 :]) >= 49


def test_a_byte_that_is_no_text_is_told_with_its_place() -> None:
    data = encode([conversation(node("a", text="to xx be"), id="c1")])
    place = data.index(b"xx")
    found = read(data[:place] + b"\xff" + data[place + 1 :])
    assert found[0].messages[0].content == "to \ufffdx be"
    (told,) = found.problems
    assert told.what == f"line 1, column {place + 1}"
    assert told.why == "not read: not UTF-8; U+FFFD stands for it"
    latin = "Größe und Maß, überall äöü. " * 500
    with pytest.raises(EcsvizError, match="not UTF-8"):  # another encoding is no broken byte
        read(
            json.dumps([conversation(node("a", text=latin))], ensure_ascii=False).encode("latin-1")
        )


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "two gzips": lambda data: gzip.compress(data[:999], mtime=0) + gzip.compress(data[999:]),
    "zip": lambda data: zipped(("conversations.json", data)),
}


@pytest.mark.parametrize("how", ["list", "lines"])
@pytest.mark.parametrize("packing", PACKED)
def test_what_is_packed_is_cut_or_broken(packing: str, how: str) -> None:
    chats = [
        conversation(node("a", text=f"say {zlib.crc32(b'%d' % n)}"), id=f"c{n}") for n in range(500)
    ]
    parts, before, between, behind = written(chats, how)
    packed = PACKED[packing](before + between.join(parts) + behind)
    last = 0
    for place in range(len(packed) // PLACES, len(packed), len(packed) // PLACES):
        found = messages_read(packed[:place])
        assert found >= last
        assert found > 500 * (place / len(packed) - 0.25)
        last = found
        broken = packed[:place] + bytes([packed[place] ^ 0xFF]) + packed[place + 1 :]
        assert messages_read(broken) > 500 * (place / len(packed) - 0.25)
    with pytest.raises(EcsvizError, match=r"cannot be read|not what was packed"):
        read(packed[:-100], strict=True)
    told = read(packed[: len(packed) // 2]).problems
    assert any("that cannot be read" in each.why for each in told)


def test_a_zip_that_has_lost_its_end_gives_its_files() -> None:
    chats = [encode([conversation(node("a"), id=f"c{number}")]) for number in range(3)]
    whole = zipped(*((f"{number}.json", data) for number, data in enumerate(chats)))
    cut = whole[: whole.index(b"PK\x01\x02")]
    assert size(read(cut)) == 3
    buffer = io.BytesIO()
    with zipfile.ZipFile(Unseekable(buffer), "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # what it needs
        for number, data in enumerate(chats):
            archive.writestr(f"{number}.json", data)
    streamed = buffer.getvalue()
    assert size(read(streamed[: streamed.index(b"PK\x01\x02")])) == 3
    with pytest.raises(EcsvizError):
        read(cut, strict=True)


class Unseekable:
    """A file to which a zip is written in one go: sizes stand behind its files."""

    def __init__(self, file: io.BytesIO) -> None:
        self.write, self.flush = file.write, file.flush


def test_members_that_are_packed_otherwise() -> None:
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", kind) as archive:
            archive.writestr("conversations.json", EXPORT)
        assert size(read(buffer.getvalue())) == 5
    assert messages_read(bz2.compress(EXPORT)) == 0


def test_what_nests_too_deep_stops_nothing_else() -> None:
    deep = b'{"id": "x", "mapping": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    long = b'{"id": "y", "mapping": {}, "n": ' + b"9" * 5_000 + b"}"
    good = [encode(conversation(node("a"), id=f"c{number}")) for number in range(3)]
    for place in range(4):
        listed = [*good[:place], deep, long, *good[place:]]
        for data in (b"[" + b", ".join(listed) + b"]", b"\n".join(listed)):
            found = read(data)
            assert size(found) == 3
            reasons = " ".join(each.why for each in found.problems)
            assert "deeper than 10,000 levels" in reasons
            assert "more than 4,300 digits" in reasons
            with pytest.raises(EcsvizError, match=r"max_depth=|max_digits="):
                read(data, strict=True)


def test_how_much_is_told_has_an_end() -> None:
    data = b"\n".join(
        [encode(conversation(node("a"))), *(b'{"messages": [], "title" 1}' for _ in range(3_000))]
    )
    found = read(data)
    assert size(found) == 1
    assert 1_000 <= len(found.problems) <= 1_010
    assert found.problems[-1].why == "not read: there is more of the kind than is told"


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_what_nests_too_deep_behind_a_value_is_given_up_at_once(name: str) -> None:
    """It is no byte too much before the next: looking there again finds the same again."""
    data = SAMPLES[name].data
    for mark in (b'": "', b'", "', b'"}', b"},"):
        at = data.find(mark, len(data) // 3) + 1
        if at > 0:
            messages_read(data[:at] + WRONG[-2] + data[at:])
