"""Files that are broken in every way: an error of ours or a sound chat, and nothing written."""

from __future__ import annotations

import base64
import copy
import io
import json
import operator
import random
import re
import signal
import sqlite3
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ecsviz.importers import FORMATS
from ecsviz.importers.chat.drafts import as_json
from tests.chat_files import CONTENTS, encode, outcome, read, strict_outcome, zipped
from tests.chat_formats import SAMPLES
from tests.chat_sample import lines

DATABASES = [name for name, sample in SAMPLES.items() if sample.kind == "database"]

JSONS = [name for name, sample in SAMPLES.items() if sample.kind.startswith("JSON")]

TEXTS = [name for name, sample in SAMPLES.items() if sample.kind == "text"]


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every file that reading makes goes into one folder, which must be empty afterwards."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    yield
    assert list(scratch.iterdir()) == []


# ---------------------------------------------------------------------------------------------
# 150 files and more that are no chats
# ---------------------------------------------------------------------------------------------


def rezipped(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped(*((name, change(archive.read(name))) for name in archive.namelist()))


DEEP = b"[" * 200_000

HUGE = b"9" * 20_000

NOISE = random.Random(5).randbytes(3_000)

SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda data: b"",
    "cut at the start": lambda data: data[:7],
    "cut in the middle": lambda data: data[: len(data) // 2],
    "cut at the end": lambda data: data[: -max(2, len(data) // 20)],
    "without its start": lambda data: data[20:],
    "turned round": lambda data: data[::-1],
    "deep": lambda data: DEEP + data,
    "deep and closed": lambda data: b'{"x":' * 100_000 + data.strip() + b"}" * 100_000,
    "huge number": lambda data: b'{"n": ' + HUGE + b"}\n" + data,
    "binary before it": lambda data: NOISE + data,
    "NUL before it": lambda data: b"\0" * 100 + data,
    "every second byte": lambda data: data[::2],
    "bits turned": lambda data: bytes(byte ^ 0x80 for byte in data),
    "in rows of Base64": base64.encodebytes,
    "as EBCDIC": lambda data: data.decode("latin-1").encode("cp500", "replace"),
    "gzipped": lambda data: b"\x1f\x8b\x08\0" + data,
    "in quotes": lambda data: encode(data.decode("latin-1")),
    "in HTML": lambda data: b"<html><body>" + data + b"</body></html>",
}


STILL_TEXT = ("cut at the end", "cut in the middle", "without its start", "in HTML")


def malformed() -> Iterator[tuple[str, bytes]]:
    for name, sample in SAMPLES.items():
        for how, spoil in SPOILT.items():
            if sample.kind == "text" and how in STILL_TEXT:
                continue  # which leaves a shorter chat, or one with a line before it
            data = sample.data
            if sample.kind == "zip" and how not in ("nothing", "cut at the start", "bits turned"):
                yield f"{name}, its files {how}", rezipped(data, spoil)
            yield f"{name}, {how}", spoil(data)


MALFORMED = dict(malformed())


def test_there_are_enough() -> None:
    assert len(MALFORMED) > 150


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_an_error_of_ours(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(MALFORMED[name])
    before = sorted(each.name for each in tmp_path.iterdir())
    ends = {strict_outcome(each) for each in (MALFORMED[name], path)}
    assert len(ends) == 1
    assert ends <= {"ImportFormatError", "ImportLimitError"}, ends
    assert sorted(each.name for each in tmp_path.iterdir()) == before
    assert path.read_bytes() == MALFORMED[name]


NUMBERS: dict[str, Callable[[bytes], bytes]] = {
    "times that are none": lambda data: re.sub(rb"\d\d", b"99", data),
    "numbers of 400 digits": lambda data: re.sub(rb"\d+", b"9" * 400, data),
    "digits of elsewhere": lambda data: re.sub(rb"\d", "\u0663".encode(), data),
}


@pytest.mark.parametrize("how", NUMBERS)
@pytest.mark.parametrize("name", [*JSONS, *TEXTS])
def test_numbers_out_of_range_are_no_error_of_others(name: str, how: str) -> None:
    strict_outcome(NUMBERS[how](SAMPLES[name].data))


# ---------------------------------------------------------------------------------------------
# Systematically: every place, cut or wrong
# ---------------------------------------------------------------------------------------------


def values_of(name: str) -> list[Any]:
    """Return the JSON values of a sample: one, or one a line."""
    return [json.loads(line) for line in SAMPLES[name].data.splitlines()]


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside one."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from spots(inner, (*path, key))


def mutated(value: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    changed = copy.deepcopy(value)
    holder: Any = changed
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return changed


def put(value: Any, holder: Any, key: Any) -> None:
    holder[key] = value


WRONG: tuple[Any, ...] = (None, 5, -1.5, True, "x", "", [], {}, [[]], {"a": 1}, ["b"], 2**70)


@pytest.mark.parametrize("name", [*JSONS, *TEXTS])
def test_truncated_anywhere(name: str) -> None:
    data, kind = SAMPLES[name].data.rstrip(), SAMPLES[name].kind
    step = max(1, len(data) // 200)
    ends = Counter(strict_outcome(data[:at]) for at in range(0, len(data) - 1, step))
    assert ends.keys() <= {"ImportFormatError", "read"}
    # What ends with a whole line may be a shorter chat.
    assert ends["ImportFormatError"] > (100 if kind == "JSON" else 2)
    assert kind != "JSON" or "read" not in ends


@pytest.mark.parametrize("name", JSONS)
@pytest.mark.parametrize("asked", [None, "itself"])
def test_each_value_wrong_in_turn(name: str, asked: str | None) -> None:
    ends: Counter[str] = Counter()
    options = {} if asked is None else {"format": SAMPLES[name].format}
    values = values_of(name)
    if name == "chatgpt":
        values[0][0]["mapping"]["y"]["message"]["content"] = CONTENTS[6][0]
    for number, path in enumerate(spots(values)):
        for wrong in WRONG[(number + bool(asked)) % 2 :: 2]:  # each of them in one of the two ways
            ends[strict_outcome(lines(*mutated(values, path, partial(put, wrong))), **options)] += 1
        ends[strict_outcome(lines(*mutated(values, path, operator.delitem)), **options)] += 1
    assert ends.keys() == {"ImportFormatError", "read"}
    assert sum(ends.values()) > 120


def test_each_value_of_slack_wrong_in_turn() -> None:
    ends: Counter[str] = Counter()
    with zipfile.ZipFile(io.BytesIO(SAMPLES["slack"].data)) as archive:
        files = {name: json.loads(archive.read(name)) for name in archive.namelist()}
    for path in spots(files):
        for wrong in WRONG:
            changed = mutated(files, path, partial(put, wrong))
            data = zipped(*((k, encode(v)) for k, v in changed.items()))
            ends[strict_outcome(data)] += 1
    assert ends.keys() == {"ImportFormatError", "read"}
    assert min(ends.values()) > 50


CELLS: tuple[Any, ...] = (
    *(None, 5, -1.5, "x", "", b"\xff\0", "[]", "{}", "[" * 5_000, "1" * 9_000, "\ud7ff", 2**62),
    '{"role": 5}',
    '{"role": "user", "content": {"a": [1]}}',
    '{"type": "human", "data": []}',
    '{"type": 1, "data": {"content": 5}}',
    "CAST(x'ff' AS TEXT)",
)


@pytest.mark.parametrize("name", DATABASES)
def test_each_cell_of_a_database_wrong_in_turn(name: str) -> None:
    ends: Counter[str] = Counter()
    whole = SAMPLES[name].data
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(whole)
        listed = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        columns = [
            (table, row[1])
            for (table,) in listed.fetchall()
            if not table.startswith("sqlite_")
            for row in connection.execute(f"PRAGMA table_info({table})")
        ]
        for table, column in columns:
            for cell in CELLS:
                value = cell if str(cell).startswith("CAST") else "?"
                query = f'UPDATE {table} SET "{column}" = {value}'
                try:
                    connection.execute(query, (cell,) * (value == "?"))
                except sqlite3.IntegrityError:
                    continue  # the table itself forbids it
                ends[strict_outcome(connection.serialize())] += 1
                connection.deserialize(whole)
    assert ends.keys() <= {"ImportFormatError", "read"}
    assert min(ends.values()) > 5


@pytest.mark.parametrize("name", DATABASES)
def test_each_value_in_the_cells_of_a_database_wrong_in_turn(name: str) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(SAMPLES[name].data)
        listed = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for table in [table for (table,) in listed if not table.startswith("sqlite_")]:
            rows = connection.execute(f"SELECT rowid, * FROM {table}")
            columns = [column for column, *_ in rows.description[1:]]
            for number, *cells in rows.fetchall():
                for column, cell in zip(columns, cells, strict=True):
                    value = as_json(
                        cell.decode("utf-8", "replace") if type(cell) is bytes else cell
                    )
                    query = f'UPDATE {table} SET "{column}" = ? WHERE rowid = {number}'
                    for path in spots(value) if isinstance(value, dict | list) else ():
                        for change in (operator.delitem, partial(put, None), partial(put, [5])):
                            changed = json.dumps(mutated(value, path, change))
                            connection.execute(query, (changed,))
                            assert outcome(connection.serialize()) in ("ImportFormatError", "read")
                        connection.execute(query, (cell,))


SECONDS = 5
"""What one small file may take of the processor: some hundred times what it does."""


@contextmanager
def stopped_after(seconds: float) -> Iterator[None]:
    """Let a test fail that computes for longer, and would perhaps never end."""

    def stop(*_: Any) -> None:
        pytest.fail(f"it computes for more than {seconds} seconds")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def spoilt(whole: bytes, chance: random.Random) -> bytes:
    """Return bytes of which some are others, are missing, stand twice or too much."""
    data, at = bytearray(whole), chance.randrange(len(whole))
    some = slice(at, at + chance.choice([1, 2, 30, 1_000]))
    match chance.randrange(8):
        case 0:
            del data[some]
        case 1:
            data[at:at] = data[some]
        case 2:
            data[at:at] = chance.choice(
                [b"[" * 300, b'{"a":' * 300, b"9" * 300, b'"', b"\0", b"\n"]
            )
        case _:
            for _ in range(chance.choice([1, 1, 20])):
                data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("name", SAMPLES)
def test_two_hundred_mutations(name: str) -> None:
    """A right result or an error of ours, soon; of some also what strict reading says."""
    chance = random.Random(2)
    ends: Counter[str] = Counter()
    for number in range(200):
        data = spoilt(SAMPLES[name].data, chance)
        with stopped_after(SECONDS):
            ends[outcome(data) if number % 5 else strict_outcome(data)] += 1
    assert ends.keys() <= {"ImportFormatError", "ImportLimitError", "read"}
    assert ends["ImportFormatError"] > 0


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_every_format_refuses_the_files_of_the_others(sample: Any) -> None:
    for each in FORMATS:
        if each.name != sample.format:
            assert outcome(sample.data, format=each.name) in ("ImportFormatError", "read")


def test_a_file_in_a_zip_may_have_no_name() -> None:
    chat = encode([{"id": "a", "conversations": [{"from": "human", "value": "Hi"}]}])
    data = zipped(("QZ", chat), ("b.json", chat.replace(b"Hi", b"Bye"))).replace(b"QZ", b"\0\0")
    assert sorted(thread.title for thread in read(data)) == ["Bye", "Hi"]
