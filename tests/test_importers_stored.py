"""Chats of every format in a store: given back by another process, and updated, never doubled."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz.importers import FORMATS, ChatImport, DraftThread, Source, read_chat
from ecsviz.isomorphic import find_difference
from tests.chat_files import is_sound, read
from tests.chat_formats import SAMPLES, llm_old
from tests.chat_sample import Sample, lines
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


def _scribble(held: Any) -> int:
    """Change an object, and all that it holds, where they stand; return how many."""
    todo, count = [held], 0
    while todo:
        each = todo.pop()
        todo += [v for v in (each.values() if isinstance(each, dict) else each) if _holds(v)]
        if isinstance(each, dict):
            each["own"] = "mine"
        else:
            each.append("mine")
        count += 1
    return count


def _holds(value: Any) -> bool:
    return isinstance(value, dict | list)


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_what_is_edited_before_it_is_stored_stays(sample: Sample) -> None:
    store, threads, count = ev.InMemoryEntityStorage(), read_chat(sample.data), 0
    for thread in threads:
        thread.title += ", mine"
        for message in thread.messages:
            message.content += ", mine"
            message.metadata.pop("parts", None)  # of which the content is made
            count += _scribble(message.metadata)
        count += _scribble(thread.metadata)
    store.register(threads)
    assert count > 1
    store.register(read_chat(sample.data))
    assert len(store.revisions()) == 1
    for thread in threads:
        assert find_difference(thread, store.get(thread.ecs_id), versions=False) is None


def test_a_message_that_is_edited_in_the_source_is_edited_in_the_store(tmp_path: Path) -> None:
    sample = SAMPLES["telegram"]
    store = ev.SQLAlchemyEntityStorage(tmp_path / "chats.db")
    store.register(read_chat(sample.data))
    store.register(read_chat(sample.data.replace(b'"No"', b'"Maybe"')))
    assert store.revisions().iloc[1][["added", "changed", "deleted"]].tolist() == [0, 1, 0]


# ---------------------------------------------------------------------------------------------
# The same chat, however it was exported
# ---------------------------------------------------------------------------------------------

UNTOLD = {
    *("sharegpt", "openai-messages", "openai-messages, preferences", "chatbot-ui", "cursor"),
    *("aider", "gemini-api", "ai-studio", "langchain, dumps", "lm-studio"),
}
"""Samples whose sources say neither ids nor times: without its start, such a chat is another."""

SHORT = {"copilot", "nextchat", "csv", "gemini-takeout, page"}
"""Samples with a chat that is too short to be known without its start."""


class Part:
    """A format as if of each chat the start, or the end, was cut off when it was exported."""

    def __init__(self, name: str, part: str) -> None:
        (self.inner,) = (each for each in FORMATS if each.name == name)
        self.name, self.title, self.part = name, self.inner.title, part

    def recognises(self, source: Source) -> bool:
        return self.inner.recognises(source)

    def read(self, source: Source) -> Iterator[DraftThread]:
        for draft in self.inner.read(source):
            told, first = draft.messages, draft.messages[:1]
            cut = max(1, len(told) // 4)
            if self.part == "end":
                draft.messages = told[:-cut] or told
            elif len(told) > cut:
                draft.messages = told[cut:]
                for message in draft.messages:
                    up = message.parent
                    message.parent = None if up is None or up < cut else up - cut
                if not draft.id and draft.created_at == first[0].created_at:
                    draft.created_at = draft.messages[0].created_at
            yield draft


def held(store: Any) -> Counter[tuple[str, ...]]:
    """Return what the threads of a store say."""
    threads = store.list_by_type(ev.ChatThread)
    return Counter(tuple(sorted(m.content for m in thread.messages)) for thread in threads)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_same_chat_is_one_however_it_is_exported(name: str, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    source = read_chat(sample.data)[0].source or ""

    data, longer = sample.data, sample.longer

    def exported(how: str) -> ChatImport:
        if how == "moved":
            (tmp_path / "else where").mkdir(exist_ok=True)
            path = tmp_path / "else where" / "renamed"
            path.write_bytes(data)
            return read_chat(path, source)
        part, _, zone = how.partition(" ")
        given = Part(source, part) if part in ("start", "end") else None
        return read_chat(data, given, timezone="Asia/Tokyo" if "zone" in (part, zone) else "UTC")

    expected = ev.InMemoryEntityStorage()
    expected.register(read_chat(longer))
    hows = ["moved", "zone", "end", "end zone"]
    hows += ["start", "start zone"] if name not in UNTOLD | SHORT else []
    for how in hows:
        for first, then in (("whole", how), (how, "whole")):
            store = ev.InMemoryEntityStorage()
            store.register(exported(first))
            store.register(exported(then))
            store.register(read_chat(longer))
            assert held(store) == held(expected), (first, then)
            number = len(store.revisions())
            if "zone" not in how:
                store.register(exported(how))
                assert len(store.revisions()) == number


def phone(*told: tuple[int, str, str], year: int = 2024) -> bytes:
    """Return a chat as WhatsApp exports it: who says what in which minute."""
    begin = datetime(year, 1, 31, 22)  # noqa: DTZ001 - a wall clock
    times = [(begin + timedelta(minutes=minute), who, text) for minute, who, text in told]
    return "\n".join(
        f"{when:%d/%m/%Y, %H:%M} - {who}: {text}" for when, who, text in times
    ).encode()


TALK = [(n, ("Ann", "Bob")[n % 2], f"text {n}") for n in range(12)]
WISHES = [(n, "Ann", f"A happy new year {n}!") for n in range(4)]

TWO = {
    "wishes": ([*WISHES, (5, "Bob", "Thanks")], [*WISHES, (6, "Cem", "Merci")]),
    "wishes alone": ([*TALK, *WISHES], WISHES),
    "on other days": (TALK, [(n + 2_000, who, text) for n, who, text in TALK[3:]]),
    "goes on otherwise": (TALK, [*TALK[3:8], (9, "Ann", "else")]),
    "begins otherwise": (TALK, [(0, "Cem", "Hi"), *TALK[3:]]),
    "few": (TALK, TALK[10:]),
}


@pytest.mark.parametrize("which", TWO)
def test_two_chats_are_never_one(which: str) -> None:
    data = [phone(*told) for told in TWO[which]]
    for one, other in (data, data[::-1]):
        store = ev.InMemoryEntityStorage()
        store.register(read(one))
        store.register(read(other))
        assert len(store.list_by_type(ev.ChatThread)) == 2
        assert len(read([one, other])) == 2


def without(number: int, *instead: tuple[str, str]) -> list[tuple[int, str, str]]:
    """Return the talk without one message, or with another one at its time."""
    told = [(number, who, text) for who, text in instead]
    return [*TALK[:number], *told, *TALK[number + 1 :]]


def called(**names: str) -> list[tuple[int, str, str]]:
    """Return the talk with other names of people."""
    return [(number, names.get(who, who), text) for number, who, text in TALK]


EDITED = {
    "deleted for all": (TALK, without(5, ("Bob", "This message was deleted"))),
    "and goes on": (TALK[:9], without(5, ("Bob", "This message was deleted"))),
    "the last": (TALK[:6], without(5, ("Bob", "This message was deleted"))),
    "and cut": (TALK[:10], without(5, ("Bob", "text 5, edited"))[2:]),
    "not exported": (TALK[:10], without(5)),
    "without media": (TALK, without(4, ("Ann", "<Media omitted>"))),
    "media first": (without(0, ("Ann", "<Media omitted>"))[:10], TALK),
    "a contact renamed": (TALK[:9], called(Ann="Anna")),
    "all renamed": (TALK[:9], called(Ann="Anna", Bob="Bobby")),
    "renamed and cut": (TALK[:10], called(Bob="Bobby")[2:]),
}


@pytest.mark.parametrize("which", EDITED)
def test_a_chat_that_was_edited_and_goes_on_is_one(which: str) -> None:
    first, then = (phone(*told) for told in EDITED[which])
    expected = {number: text for told in EDITED[which] for number, _, text in told}
    for threads in (read([first, then]), [read(first), read(then)]):
        store = ev.InMemoryEntityStorage()
        for some in threads:
            store.register(some)
        (thread,) = store.list_by_type(ev.ChatThread)
        assert [m.content for m in thread.messages] == [
            text for _, text in sorted(expected.items())
        ]
        number = len(store.revisions())
        store.register(read(then))
        assert len(store.revisions()) == number


def telegram(*told: tuple[int, str, str]) -> bytes:
    """Return a chat as Telegram exports it, with a photo where a text says so."""
    rows = [
        {
            "id": number,
            "type": "message",
            "date": f"2024-01-31T22:{number:02}:00",
            "date_unixtime": str(1_706_738_400 + 60 * number),
            "from": who,
            "from_id": f"user{who}",
            **({"text": "", "photo": text} if "photo" in text or "(" in text else {"text": text}),
        }
        for number, who, text in told
    ]
    return json.dumps({"name": "Ann", "type": "personal_chat", "id": 7, "messages": rows}).encode()


LEFT_OUT = {
    "whatsapp": (phone, "photo.jpg (file attached)", "<Media omitted>"),
    "whatsapp, on iOS": (phone, "<attached: photo.jpg>", "\u200eimage omitted"),
    "telegram": (telegram, "photos/photo.jpg", "(File not included. Change settings.)"),
}


@pytest.mark.parametrize("which", LEFT_OUT)
def test_names_of_files_stay_where_another_export_leaves_the_files_out(which: str) -> None:
    made, named, left_out = LEFT_OUT[which]
    whole = made(*without(4, ("Ann", named))[:9])
    later = made(*without(4, ("Ann", left_out)))
    for order in ((whole, later), (later, whole), (whole, later, whole, later)):
        store = ev.InMemoryEntityStorage()
        for data in order:
            threads = read(data)
            store.register(threads)
        (thread,) = store.list_by_type(ev.ChatThread)
        assert [m.content for m in thread.messages] == [
            text if n != 4 else "[image: photo.jpg]" for n, _, text in TALK
        ]
        assert len(store.revisions()) == 2
        assert threads.problems  # of what this copy has not


MOSTLY_FILES = {
    "four texts": (range(2, 10), range(12), range(12)),
    "two texts": (range(1, 11), range(12), range(12)),
    "the last text": (range(11), range(12), range(12)),
    "grown": (range(1, 9), range(9), range(12)),
    "grown by files": (range(1, 12), range(6), range(12)),
    "cut": (range(1, 11), range(12), range(3, 12)),
}


@pytest.mark.parametrize("which", MOSTLY_FILES)
def test_a_chat_that_is_mostly_files_is_one_with_and_without_them(which: str) -> None:
    files, some, others = MOSTLY_FILES[which]

    def exported(numbers: range, text: str) -> bytes:
        told = [(n, who, text.format(n) if n in files else said) for n, who, said in TALK]
        return phone(*(told[n] for n in numbers))

    data = [exported(some, "{}.jpg (file attached)"), exported(others, "<Media omitted>")]
    data += [exported(others, "{}.jpg (file attached)"), exported(some, "<Media omitted>")]
    for first, then in (data[:2], data[1::-1], data[2:], data[:1:-1]):
        for threads in (read([first, then]), [read(first), read(then)]):
            store = ev.InMemoryEntityStorage()
            for read_now in threads:
                store.register(read_now)
            (thread,) = store.list_by_type(ev.ChatThread)
            named = (some, others)[(first in data[2:])]
            assert [(m.content, m.created_at.minute) for m in thread.messages if m.created_at] == [
                (
                    text
                    if n not in files
                    else f"[image: {n}.jpg]"
                    if n in named
                    else "<Media omitted>",
                    n,
                )
                for n, _, text in TALK
            ]


def test_two_chats_of_files_at_other_times_are_two() -> None:
    begun, files = TALK[:2], TALK[2:]
    told = [*begun, *((n, who, "<Media omitted>") for n, who, _ in files)]
    later = [*begun, *((n + (n > 5), who, "a.jpg (file attached)") for n, who, _ in files)]
    by_others = [*begun, *((n, "Cem", "a.jpg (file attached)") for n, _, _ in files)]
    for other in (later, by_others):
        assert len(read([phone(*told), phone(*other)])) == 2
        store = ev.InMemoryEntityStorage()
        for each in (told, other):
            store.register(read(phone(*each)))
        assert len(store.list_by_type(ev.ChatThread)) == 2


def test_the_name_of_a_file_and_another_text_are_a_conflict() -> None:
    store = ev.InMemoryEntityStorage()
    store.register(read(phone(*without(4, ("Ann", "a.jpg (file attached)\ngarden")))))
    for _ in range(2):
        later = read(phone(*without(4, ("Ann", "<Media omitted>\ngardens"))))
        store.register(later)
        (thread,) = store.list_by_type(ev.ChatThread)
        assert thread.messages[4].content == "[image: a.jpg]\ngarden"
        assert later.problems
        if len(later.problems) > 1:
            assert later.problems[0].said == "<Media omitted>\ngardens"


def test_an_edit_and_another_time_zone_are_one_chat() -> None:
    edited = phone(*without(5, ("Bob", "text 5, edited")))
    for order in ((phone(*TALK[:9]), edited), (edited, phone(*TALK))):
        store = ev.InMemoryEntityStorage()
        for data, zone in zip(order, ("UTC", "Asia/Tokyo"), strict=True):
            store.register(read_chat(data, timezone=zone))
        (thread,) = store.list_by_type(ev.ChatThread)
        texts = [message.content for message in thread.messages]
        assert len(texts) == 12
        assert texts[:5] == [text for _, _, text in TALK[:5]]


LONG = [(n, ("Ann", "Bob", "Cem")[n * 7 % 3], f"text {n}" if n % 4 else "ok") for n in range(24)]


def tavern(*told: tuple[int, str, str]) -> bytes:
    """Return a chat as SillyTavern keeps it: with times and answers, and without ids."""
    head = {"user_name": "You", "character_name": "Bot", "chat_metadata": {}}
    rows = [
        {
            "name": who,
            "is_user": who == "Ann",
            "mes": text,
            "send_date": f"2024-01-31T22:{n:02}:00Z",
        }
        for n, who, text in told
    ]
    return lines(head, *rows)


@pytest.mark.parametrize("made", [phone, tavern])
@settings(max_examples=25)
@given(chance=st.randoms(use_true_random=False))
def test_parts_of_a_chat_come_together_among_edits(made: Any, chance: random.Random) -> None:
    store = ev.InMemoryEntityStorage()
    begin, end = chance.choice([(4, 14), (9, 20), (0, 9)])
    parts, expected, added = [(begin, end)], dict[int, str](), list[str]()
    for step in range(6):
        if parts[step:]:
            first, last = parts[step]
            store.register(read(made(*LONG[first:last])))
            for number in range(first, last):
                expected.setdefault(number, LONG[number][2])
            begin, end = min(begin, first), max(end, last)
        (thread,) = store.list_by_type(ev.ChatThread)
        assert is_sound(thread)
        assert sorted(m.content for m in thread.messages) == sorted([*expected.values(), *added])
        timed = [m for m in thread.messages if m.created_at]
        assert [m.created_at.minute for m in timed] == sorted(expected)
        if made is tavern:
            assert [m.parent for m in timed] == [None, *timed[:-1]]
        if chance.random() < 0.4:
            number = chance.choice(sorted(expected))
            timed[sorted(expected).index(number)].content = expected[number] = f"mine {step}"
            added.append(f"added {step}")
            thread.say("user", added[-1])
            store.register(thread)
        first = chance.randrange(0, end - 5)
        parts.append((first, chance.randrange(max(first, begin) + 6, 25)))
    number = len(store.revisions())
    for first, last in parts[:-1]:
        store.register(read(made(*LONG[first:last])))
    assert len(store.revisions()) == number


def test_parts_of_one_chat_are_one_in_any_order(tmp_path: Path) -> None:
    parts = [TALK[:9], TALK[2:], TALK[4:], TALK[1:10], TALK]
    chance = random.Random(17)
    for number in range(12):
        chance.shuffle(parts)
        told = [phone(*part) for part in parts]
        zones = [chance.choice(["UTC", "America/New_York"]) for _ in parts]
        store: Any = ev.InMemoryEntityStorage()
        if number < 2:
            store = ev.SQLAlchemyEntityStorage(tmp_path / f"{number}.db")
        for data, zone in zip(told, zones, strict=True):
            store.register(read(data, timezone=zone))
        (thread,) = store.list_by_type(ev.ChatThread)
        assert [m.content for m in thread.messages] == [text for _, _, text in TALK]
        (thread,) = read(told)
        assert [m.content for m in thread.messages] == [text for _, _, text in TALK]
        assert read([*told, phone(*TALK, year=2020)])[1:]


@pytest.mark.parametrize("how", ["opened again", "a backup", "in one transaction"])
def test_what_is_edited_after_it_was_stored_is_saved_by_whoever_opens_the_store(
    tmp_path: Path, how: str
) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    thread = ev.sample("thread")
    assert isinstance(thread, ev.ChatThread)
    with store.transaction():
        store.register(thread)
        if how == "in one transaction":
            thread.title = "in between"
            store.register(thread)
    thread.title = "once"
    thread.messages[0].content = "once"
    store.register(thread)
    path = store.backup(tmp_path / "b.db") if how == "a backup" else tmp_path / "a.db"
    store.close()

    other = ev.SQLAlchemyEntityStorage(path)  # as a cell does that is run again
    thread.title = "twice"
    thread.messages[0].content = "twice"
    thread.say("user", "and one more", thread.messages[-1])
    assert other.explain(thread).summary().startswith("1 new, 3 changed")
    other.register(thread)
    there = ev.SQLAlchemyEntityStorage(path).get(thread.ecs_id)
    assert find_difference(thread, there) is None
    assert (there.title, there.messages[0].content) == ("twice", "twice")
    assert there.messages[-1].content == "and one more"
    assert len(other.verify(thread)) == 0

    old = ev.SQLAlchemyEntityStorage(path).get(thread.ecs_id)
    old.title = "by somebody else"
    ev.SQLAlchemyEntityStorage(path).register(old)
    thread.title = "thrice"
    with pytest.raises(ev.errors.StaleVersionError):
        ev.SQLAlchemyEntityStorage(path).register(thread)
