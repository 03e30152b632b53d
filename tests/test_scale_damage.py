"""Folders of graphs that are not as they were written: told, and nothing is stored."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from tests.lazy_graphs import without_digests

REFUSED = (errors.ImportFormatError, errors.SchemaTooNewError)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        store.register(ev.sample("thread"))
        return store.to_parquet(tmp_path / "graph")


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.*") if path.is_file())


def test_a_bit_that_has_flipped_is_told_with_its_file_and_nothing_is_stored(
    folder: Path, tmp_path: Path
) -> None:
    chance = random.Random(28)
    target = tmp_path / "new.db"
    for file in files_of(folder):
        whole = file.read_bytes()
        for place in (0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(2))):
            changed = bytearray(whole)
            changed[place] ^= 1 << chance.randrange(7)
            file.write_bytes(changed)
            if file.name == "graph.json" and _says_the_same(changed, whole):
                continue  # a blank between its words
            with pytest.raises(REFUSED, match=file.name):
                ev.SQLAlchemyEntityStorage(target).from_parquet(folder)
            with pytest.raises(REFUSED, match=file.name):
                ev.scan_graph(folder, check=True)
        file.write_bytes(whole)
    assert not target.exists()
    with ev.SQLAlchemyEntityStorage(target) as store, ev.scan_graph(folder, check=True) as graph:
        assert store.from_parquet(folder) == len(graph) == 19
        assert store.verify().empty


def _says_the_same(changed: bytes, whole: bytes) -> bool:
    try:
        return bool(json.loads(changed) == json.loads(whole))
    except ValueError:
        return False


@pytest.mark.parametrize("what", ["shorter", "missing", "besides"])
def test_what_is_cheap_to_see_is_seen_by_who_only_asks(folder: Path, what: str) -> None:
    for file in files_of(folder):
        if file.suffix == ".json":
            continue
        whole, other = file.read_bytes(), file.with_name("part-00001.parquet")
        if what == "shorter":
            file.write_bytes(whole[:-1])
        elif what == "missing":
            file.rename(other)
        else:
            other.write_bytes(whole)
        name = other.name if what == "besides" else file.name
        with pytest.raises(errors.ImportFormatError, match=f"{file.parent.name}/{name}' in "):
            ev.scan_graph(folder)
        other.unlink(missing_ok=True)
        file.write_bytes(whole)
    ev.scan_graph(folder).close()


def test_folders_without_digests_are_read_as_before(folder: Path) -> None:
    without_digests(folder)
    with ev.scan_graph(folder) as graph, ev.SQLAlchemyEntityStorage(":memory:") as store:
        assert store.from_parquet(folder) == len(graph) == 19
    with pytest.raises(errors.ImportFormatError, match="notes no digests"):
        ev.scan_graph(folder, check=True)


def test_every_word_of_an_older_graph_json_may_be_missing_or_another(folder: Path) -> None:
    """Nothing guards them there: an answer, or an error of ours."""
    file = without_digests(folder) / "graph.json"
    whole = file.read_text()
    foreign, refused = [], 0
    changes = itertools.product(_places(json.loads(whole)), ("gone", "twice", 7, "x", None))
    for place, change in random.Random(28).sample(list(changes), 30):
        said = json.loads(whole)
        _change(said, place, change)
        file.write_text(json.dumps(said))
        try:
            with ev.scan_graph(folder) as graph:
                assert len(graph.counts()) + len(graph.between_types())
                graph.quotient()
        except errors.EcsvizError:
            refused += 1
        except Exception as err:  # noqa: BLE001 - what is looked for
            foreign.append(f"{place} {change}: {err!r}")
    assert not foreign, "\n".join(foreign)
    assert refused > 10


def test_references_of_a_class_that_is_not_there_are_told(folder: Path) -> None:
    file = without_digests(folder) / "graph.json"
    said = json.loads(file.read_text())
    del said["classes"][0]
    file.write_text(json.dumps(said))
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        for read in (ev.scan_graph, store.from_parquet):
            with pytest.raises(errors.ImportFormatError, match="is damaged, or was changed"):
                read(folder)
        assert not len(store.revisions())


def _places(said: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = []
    parts = said.items() if isinstance(said, dict) else enumerate(said)
    for key, value in list(parts)[:6]:
        found.append((*path, key))
        if isinstance(value, (dict, list)):
            found += _places(value, (*path, key))
    return found


def _change(said: Any, place: tuple[Any, ...], change: Any) -> None:
    for key in place[:-1]:
        said = said[key]
    last = place[-1]
    if change == "gone":
        del said[last]
    elif change == "twice" and isinstance(said, list):
        said.append(said[last])
    else:
        said[last] = change
