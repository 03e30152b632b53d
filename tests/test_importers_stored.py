"""Chats of every format in a store: given back by another process, and updated, never doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

import ecsviz as ev
from ecsviz.importers import read_chat
from ecsviz.isomorphic import find_difference
from tests.chat_formats import SAMPLES, llm_old
from tests.chat_sample import Sample
from tests.processes import in_a_new_process

READER = """
import sys
from pathlib import Path
import ecsviz as ev
from ecsviz.isomorphic import find_difference

folder = Path(sys.argv[1])
for path in sorted(folder.glob("*.chat")):
    threads = ev.read_chat(path)
    store = ev.SQLAlchemyEntityStorage(path.with_suffix(".db"))
    again = store.get_many([thread.ecs_id for thread in threads])
    assert len(again) == len(threads) > 0
    for one, two in zip(threads, again, strict=True):
        assert type(two) is ev.ChatThread and two is not one
        print(path.stem, find_difference(one, two, versions=False))
"""


def test_every_format_comes_back_in_a_fresh_process(tmp_path: Path) -> None:
    count = 0
    for number, sample in enumerate(SAMPLES.values()):
        path = tmp_path / f"{number:02}.chat"
        path.write_bytes(sample.data)
        threads = read_chat(path)
        ev.SQLAlchemyEntityStorage(path.with_suffix(".db")).register(threads)
        count += len(threads)
    told = in_a_new_process(READER, tmp_path, options=("-W", "error")).splitlines()
    assert len(told) == count
    assert {line.partition(" ")[2] for line in told} == {"None"}


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_importing_again_adds_nothing_and_a_longer_file_one_message(
    tmp_path: Path, sample: Sample
) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "chats.db")
    store.register(read_chat(sample.data))
    store.register(read_chat(sample.data))
    assert len(store.revisions()) == 1

    store.register(read_chat(sample.longer))
    revisions = store.revisions()
    assert len(revisions) == 2
    added = 2 if sample.make is llm_old else 1  # a question and its answer at a time
    assert revisions.iloc[1][["added", "deleted"]].tolist() == [added, 0]
    assert len(store.list_by_type(ev.ChatMessage)) == sample.messages + added
    for data, revision in ((sample.data, 1), (sample.longer, None)):
        for thread in read_chat(data):
            again = store.get(thread.ecs_id, as_of=revision)
            assert find_difference(thread, again, versions=False) is None


def test_a_message_that_is_edited_in_the_source_is_edited_in_the_store(tmp_path: Path) -> None:
    sample = SAMPLES["telegram"]
    store = ev.SQLAlchemyEntityStorage(tmp_path / "chats.db")
    store.register(read_chat(sample.data))
    store.register(read_chat(sample.data.replace(b'"No"', b'"Maybe"')))
    assert store.revisions().iloc[1][["added", "changed", "deleted"]].tolist() == [0, 1, 0]
