"""Chats that others exported: what is refused, and how it is told."""

from __future__ import annotations

import gc
import gzip
import random
from pathlib import Path

import pytest

from ecsviz.errors import EcsvizError, ImportFormatError, ImportLimitError
from ecsviz.importers import (
    FORMATS,
    ImportSourceError,
    read_chat,
)
from tests.chat_files import (
    EXPORT,
    PROMPT,
    TREE,
    conversation,
    encode,
    node,
    oa,
    oa_tree,
    zipped,
)

# ---------------------------------------------------------------------------------------------
# ChatGPT: the zip
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conversations.json", "export/conversations.json"])
def test_a_zip_is_read_as_it_is(tmp_path: Path, name: str) -> None:
    data = zipped(("chat.html", b"<html>"), (name, EXPORT), ("deep/er/conversations.json", b"{}"))
    path = tmp_path / "anything.bin"
    path.write_bytes(data)
    plain = read_chat(EXPORT)
    assert [t.ecs_id for t in read_chat(path)] == [t.ecs_id for t in plain]
    assert [t.ecs_id for t in read_chat(data)] == [t.ecs_id for t in plain]


def test_a_zip_bomb_is_stopped() -> None:
    bomb = zipped(("conversations.json", b"[" + b" " * 20_000_000 + b"]"))
    assert len(bomb) < 50_000
    with pytest.raises(ImportLimitError, match=r"1,000,000 bytes.*max_bytes=4000000") as caught:
        read_chat(bomb, max_bytes=1_000_000)
    assert caught.value.limit == 1_000_000


def test_a_gzip_is_read_as_it_is(tmp_path: Path) -> None:
    data = gzip.compress(EXPORT)
    (tmp_path / "conversations.json.gz").write_bytes(data)
    for source in (data, tmp_path / "conversations.json.gz", tmp_path):
        assert [t.ecs_id for t in read_chat(source)] == [t.ecs_id for t in read_chat(EXPORT)]
    assert len(read_chat([EXPORT, data])) == 1
    for bad in (data[:-9], data[:40], data[:3]):
        with pytest.raises(ImportFormatError, match="a gzip that cannot be read"):
            read_chat(bad, strict=True)
    with pytest.raises(ImportFormatError, match="a gzip that cannot be read"):
        read_chat(data[:3])
    bomb = gzip.compress(b"[" + b" " * 20_000_000 + b"]")
    with pytest.raises(ImportLimitError, match="200 times its size"):
        read_chat(bomb)
    with pytest.raises(ImportLimitError, match="max_bytes="):
        read_chat(data, max_bytes=len(EXPORT) - 1)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (zipped(("user.json", b"{}")), r"holds no file with a chat.*: 'user\.json'"),
        (zipped(), "it is empty"),
        (zipped(("a.zip", zipped(("conversations.json", EXPORT)))), "no file with a chat"),
        (zipped(("conversations.json", EXPORT))[:20], "a zip that cannot be read"),
        (zipped(("conversations.json", EXPORT[:100])), r"<bytes>/conversations.json, line 1"),
    ],
    ids=[
        "no chat",
        "empty",
        "a zip inside",
        "cut",
        "a file that is cut",
    ],  # not of bytes with times
)
def test_zips_that_are_refused(data: bytes, match: str) -> None:
    with pytest.raises(ImportFormatError, match=match):
        read_chat(data)


# ---------------------------------------------------------------------------------------------
# What is refused
# ---------------------------------------------------------------------------------------------


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "conversations.json").write_bytes(EXPORT)
    for path in (tmp_path / "conversation.json", str(tmp_path / "conversation.json")):
        with pytest.raises(ImportSourceError, match=r"conversations\.json") as caught:
            read_chat(path)
        assert isinstance(caught.value, OSError)
    with pytest.raises(ImportSourceError, match="Pass the bytes"):
        read_chat('[{"mapping": {}}]')
    with pytest.raises(ImportSourceError, match="embedded null byte"):
        read_chat("a\x00b")
    with pytest.raises(ImportSourceError, match="not from a dict"):
        read_chat({})  # type: ignore[arg-type]  # what is shown
    with pytest.raises(ImportSourceError, match="list of files to read is empty"):
        read_chat([])
    assert len(read_chat(str(tmp_path / "conversations.json"))) == 1


def deep(levels: int) -> bytes:
    return b'[{"mapping": {}, "title": "T", "x": ' + b"[" * levels + b"]" * levels + b"}]"


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "<bytes> is empty"),
    "blank": (b" \r\n\t ", "is empty"),
    "only a BOM": (b"\xef\xbb\xbf", "is empty"),
    "an empty list": (b"[]", "is JSON, but empty.*chatgpt, claude"),
    "an empty object": (b"{}", "is JSON, but empty"),
    "null": (b"null", "neither JSON nor a zip.*whatsapp"),
    "a number": (b"17", "neither JSON nor a zip"),
    "a text": (b'"chat"', "neither JSON nor a zip"),
    "prose": (b"Hello, how are you?", "neither JSON nor a zip"),
    "a log": (b"[2024-01-01] Ann: hi", "column 6: not JSON.*Known formats"),
    "a list of numbers": (b"[1, 2]", "no chat that is known here"),
    "other objects": (b'[{"a": 1}]', "no chat that is known here"),
    "a database": (b"SQLite format 3\0" + b"\x10\0\1\1\0@ \xff" * 9, "SQLite"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "Known formats"),
    "noise": (random.Random(1).randbytes(999), "neither JSON nor a zip"),
    "Latin-1": ('[{"title": "é"}]'.encode("latin-1"), "line 1, column 13"),
    "half of UTF-16": ("[]".encode("utf-16")[:-1], "UTF-16"),
    "an open list": (b'[{"mapping": {}}', "line 1, column 17: the file ends"),
    "an open text": (b'{"a": 1,\n"b": "c', "line 2, column 6: the file ends"),
    "a trailing comma": (EXPORT[:-1] + b",]", "not JSON"),
    "words after it": (EXPORT + b"\nhello", "line 2, column 1: not JSON"),
    "single quotes": (b"[{'mapping': {}}]", "column 3: not JSON"),
    "a raw newline": (b'[{"mapping": {"a\nb": 1}}]', "Invalid control"),
    "a list as mapping": (encode([{"mapping": []}]), "'mapping' must be an obj"),
    "a number as node": (encode([{"mapping": {"a": 5}}]), "node 'a' must be"),
    "a number as id": (encode([{"id": 5, "mapping": {}}]), "conversation 1: 'id'"),
    "a list as title": (encode([conversation(title=[])]), "id 'conv': 'title'"),
    "a list as author": (
        encode([conversation(node("a", author=[]))]),
        "conversation 1, id 'conv', node 'a': 'author' must be an object, not a list",
    ),
    "a text as parts": (encode([conversation(node("a", content={"parts": "x"}))]), "parts"),
    "a text as children": (encode([conversation(node("a", None, "b"))]), "a list"),
    "numbers as children": (encode([conversation(node("a", None, [1]))]), "member"),
    "a number as parent": (encode([conversation(node("a", 1))]), "'parent'"),
    "a list as current": (encode([conversation(current_node=[])]), "current"),
    "null among them": (encode([conversation(*TREE), None]), "conversation 2"),
    "a text as prompt": (encode(oa_tree("hi")), "'prompt' must be"),  # type: ignore[arg-type]  # what is shown
    "an object as replies": (encode(oa_tree(oa("a") | {"replies": {}})), "'replies'"),
    "a text as reply": (encode(oa_tree(oa("a") | {"replies": ["x"]})), "a reply"),
    "a number as text": (encode(oa_tree(oa("a", text=5))), "message 'a': 'text'"),
    "a tree, then none": (encode(oa_tree(PROMPT)) + b'\n{"a": 1}', "line 2, item 2"),
    "only a tree id": (encode({"message_tree_id": "t"}), "neither a tree"),
}
TOO_MUCH: dict[str, tuple[bytes, str]] = {
    "lists in lists": (deep(100_000), r"deeper than 10,000.*max_depth=40000"),
    "objects in objects": (b'{"a":' * 100_000, "deeper"),
    "deep metadata": (deep(600), "200 levels"),
    "many digits": (b'[{"mapping": {}, "n": ' + b"9" * 5000 + b"}]", "4,300 digits.*max_digits="),
}


@pytest.mark.parametrize("name", [*REFUSED, *TOO_MUCH])
def test_what_is_refused(name: str) -> None:
    data, match = {**REFUSED, **TOO_MUCH}[name]
    kind: type[EcsvizError] = ImportLimitError if name in TOO_MUCH else ImportFormatError
    with pytest.raises(kind, match=match) as caught:
        read_chat(data, strict=True)
    assert len(str(caught.value)) < 800
    assert hasattr(caught.value, "limit" if name in TOO_MUCH else "line")


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    path.write_bytes(EXPORT)
    assert len(read_chat(path, max_bytes=len(EXPORT))) == 1
    for source in (path, EXPORT):
        with pytest.raises(ImportLimitError, match="max_bytes="):
            read_chat(source, max_bytes=len(EXPORT) - 1)


def test_the_collector_is_on_again_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ImportFormatError):
        read_chat(encode([{"mapping": 5}]))
    assert gc.isenabled()


def test_a_format_by_name() -> None:
    assert len(read_chat(b"[]", "chatgpt")) == 0
    assert len(read_chat(EXPORT, "chatgpt")) == 1
    with pytest.raises(ImportFormatError, match="neither a tree"):
        read_chat(EXPORT, "open-assistant")
    with pytest.raises(ImportFormatError, match="no conversation"):
        read_chat(encode(oa_tree(PROMPT)), format="chatgpt")
    with pytest.raises(ImportFormatError, match="Did you mean 'chatgpt'") as caught:
        read_chat(EXPORT, "ChatGPD")
    assert caught.value.formats == [each.name for each in FORMATS]
