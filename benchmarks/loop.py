"""The loop of a notebook: a graph is at hand, something is edited, saved, asked, looked at.

Against the ORMs, whose sessions have loaded the same, and against a bare walk through the graph.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

import ecsviz as ev
from benchmarks import peers, workload
from benchmarks.saving import filled
from benchmarks.targets import SQLite
from benchmarks.timing import Contender, Goal, Measured, Section, rounds
from ecsviz.domain.walk import walk

WALK = "the bare walk"
UNCHANGED = "`register`, nothing edited"
EDITED = "`register`, one message edited"
APPENDED = "`register`, one message appended"
ALONE = "`register(message, hops=0)`, edited"
ALONE_NEW = "`register(message, hops=0)`, appended"
LAZY = "`get(message, lazy=True)`, its thread and the 10 messages of that touched"
FIND = "`find(hops=0, limit=10)`"
SEARCH = "`search`, with an index: a rare word, 20 hits"

PEER_EDITED = "{}: one object of what a session has loaded edited, commit"
PEER_APPENDED = "{}: one object appended to a list that is loaded, commit"
PEER_EXPIRED = "{}: the same with `expire_on_commit=True`, after a commit"
PEER_ALONE = "{}: one object selected by its id, edited, commit"
PEER_LAZY = "{}: one object selected, its thread and the 10 messages of that touched"
PEER_FIND = "{}: `select().limit(10)`"
PEER_SEARCH = "{}: `content.contains(word)`, 20 hits"

NOTE = (
    "The graph, and what a session has loaded, are there before the clock runs, with"
    " `expire_on_commit=False` where nothing else is said: by default, a session loads the list"
    " anew after each commit. The peers keep no versions, checksums, history or order, and look for"
    " the word in the text, where `search` knows of words."
)
NEIGHBOURS = 10


def loop(folder: Path, size: int, repeats: int) -> Section:
    target = SQLite(folder)
    with ExitStack() as stack:
        thread, small = workload.chat(size), workload.chat(NEIGHBOURS)
        engine = target.peer(stack)
        mappers = [
            Peer("SQLAlchemy", engine, Session, peers.ThreadSQL, peers.MessageSQL),
            Peer.of_sqlmodel(engine),
        ]
        for peer in mappers:
            if peer.session_class is not None:
                peer.fill(thread, small)
        at = filled(target, stack, [thread, small])
        ours = Ours(target, stack, at, thread.ecs_id, small.messages[0].ecs_id)
        del thread
        contenders: dict[str, Contender | None] = ours.contenders(size)
        for peer in mappers:
            contenders |= peer.contenders()
        title = f"The loop, with {size:,} messages at hand"
        race = rounds(title, contenders, repeats, limit=WALK, notes=[NOTE])
    return Section([race], goals(race))


def goals(race: Measured) -> list[Goal]:
    found = [race.at_most(11, 2, name, WALK) for name in (UNCHANGED, EDITED, APPENDED)]
    appended = (text.format("SQLAlchemy") for text in (PEER_APPENDED, PEER_EXPIRED))
    found += [race.faster(11, 1, APPENDED, peer) for peer in appended]
    for name, most in ((ALONE, 8), (ALONE_NEW, 8), (FIND, 5), (SEARCH, 50)):
        median = race.median(name)
        found.append(Goal(11, name, most, None if median is None else 1_000 * median, "ms"))
    return found


class Ours:
    """A store with the graph at hand, and a copy of its file with an index of texts."""

    def __init__(
        self, target: SQLite, stack: ExitStack, at: Any, thread: Any, neighbour: Any
    ) -> None:
        indexed = target.new(stack)
        shutil.copy(at, indexed)
        self.indexed = target.store(stack, indexed)
        self.indexed.index_text(workload.ChatMessage, "content")
        self.store = target.store(stack, at)
        self.thread: workload.ChatThread = self.store.get(thread)
        self.neighbour = neighbour
        self.texts = map(str, itertools.count())

    def contenders(self, size: int) -> dict[str, Contender | None]:
        store, thread, message = self.store, self.thread, self.thread.messages[size // 3]
        word = message.content.split(".")[0].split()[-1]  # its number
        return {
            WALK: lambda _: lambda: walk([thread]),
            UNCHANGED: self.unchanged,
            EDITED: self.saved(lambda: self.edit(thread.messages[size // 2]), thread),
            APPENDED: self.saved(self.append, thread),
            ALONE: self.saved(lambda: self.edit(message), hops=0),
            ALONE_NEW: self.saved(self.append, hops=0),
            LAZY: lambda _: self.touch,
            FIND: lambda _: lambda: store.find(workload.ChatMessage, hops=0, limit=10),
            SEARCH: lambda _: lambda: self.indexed.search(word, workload.ChatMessage),
        }

    def edit(self, message: workload.ChatMessage) -> workload.ChatMessage:
        message.content = next(self.texts)
        return message

    def append(self) -> workload.ChatMessage:
        made = workload.ChatMessage(thread=self.thread, role="user", content="new")
        self.thread.messages.append(made)
        return made

    def saved(
        self, change: Callable[[], Any], root: Any = None, hops: int | None = None
    ) -> Contender:
        def ready(_: ExitStack) -> Callable[[], object]:
            changed = change()
            if hops is None:
                return lambda: self.store.register(root)
            return lambda: self.store.register(changed, hops=hops)

        return ready

    def unchanged(self, _: ExitStack) -> Callable[[], object]:
        self.store.register(self.thread)  # of what was saved alone, the list is looked at once
        return lambda: self.store.register(self.thread)

    def touch(self) -> None:
        read = self.store.get(self.neighbour, lazy=True)
        assert len([message.content for message in read.thread.messages]) == NEIGHBOURS


class Peer:
    """A mapper with a session that loads the graph once a round.

    Parameters
    ----------
    name, engine
        What it is called, and where it keeps its own tables.
    session_class, above, below
        Its sessions, and its classes of threads and messages; None where it is not installed.
    """

    def __init__(
        self, name: str, engine: sa.Engine, session_class: Any, above: Any, below: Any
    ) -> None:
        self.name, self.engine, self.session_class = name, engine, session_class
        self.above, self.below = above, below
        self.first: Any = None
        self.session: Any = None
        self.thread: Any = None

    @classmethod
    def of_sqlmodel(cls, engine: sa.Engine) -> Peer:
        of = peers.sqlmodel_peer
        if of is None:
            return cls("SQLModel", engine, None, None, None)
        return cls("SQLModel", engine, of.Session, of.ThreadModel, of.MessageModel)

    def fill(self, *threads: workload.ChatThread) -> None:
        """Write threads past the mapper, which takes minutes for a million."""
        self.first = threads[0].ecs_id, threads[-1].messages[0].ecs_id
        with self.engine.begin() as conn:
            for number, thread in enumerate(threads, 1):
                row = {"id": number, "ecs_id": thread.ecs_id, "title": thread.title}
                conn.execute(sa.insert(self.above.__table__), [row])
                rows = (
                    {"ecs_id": m.ecs_id, "thread_id": number, "content": m.content, "role": m.role}
                    for m in thread.messages
                )
                while some := list(itertools.islice(rows, 10_000)):
                    conn.execute(sa.insert(self.below.__table__), some)

    def contenders(self) -> dict[str, Contender | None]:
        works: dict[str, Contender] = {
            PEER_EDITED: self.loaded(self.edit),
            PEER_APPENDED: self.loaded(self.append),
            PEER_EXPIRED: self.expired,
            PEER_ALONE: self.opened(self.edit_one),
            PEER_LAZY: self.opened(self.touch),
            PEER_FIND: self.opened(self.find),
            PEER_SEARCH: self.opened(self.search),
        }
        there = self.session_class is not None
        return {text.format(self.name): work if there else None for text, work in works.items()}

    def loaded(self, work: Callable[[], object]) -> Contender:
        """Return a contender that works on what the session of this round has loaded."""

        def ready(_: ExitStack) -> Callable[[], object]:
            if self.session is None:
                self.session = self.session_class(self.engine, expire_on_commit=False)
                query = sa.select(self.above).where(self.above.ecs_id == self.first[0])
                self.thread = self.session.scalars(
                    query.options(selectinload(self.above.messages))
                ).one()
            return work

        return ready

    def expired(self, stack: ExitStack) -> Callable[[], object]:
        """The last that the session does: it goes on from after a commit that has expired all."""
        work = self.loaded(self.append)(stack)
        self.session.expire_on_commit = True
        self.session.expire_all()
        stack.callback(self.close)
        return work

    def close(self) -> None:
        self.session.close()
        self.session = self.thread = None

    def edit(self) -> None:
        self.thread.messages[len(self.thread.messages) // 2].content += "!"
        self.session.commit()

    def append(self) -> None:
        row = self.below(ecs_id=ev.ChatThread().ecs_id, content="new", role="user")
        self.thread.messages.append(row)
        self.session.commit()

    def opened(self, work: Callable[[Any], object]) -> Contender:
        """Return a contender that works with a session of its own."""

        def ready(stack: ExitStack) -> Callable[[], object]:
            session = stack.enter_context(self.session_class(self.engine))
            return lambda: work(session)

        return ready

    def one(self, session: Any) -> Any:
        query = sa.select(self.below).where(self.below.ecs_id == self.first[1])
        return session.scalars(query).one()

    def edit_one(self, session: Any) -> None:
        self.one(session).content += "!"
        session.commit()

    def touch(self, session: Any) -> None:
        read = self.one(session)
        assert len([message.content for message in read.thread.messages]) == NEIGHBOURS

    def find(self, session: Any) -> Any:
        return session.scalars(sa.select(self.below).limit(10)).all()

    def search(self, session: Any) -> Any:
        query = sa.select(self.below).where(self.below.content.contains("Message 7."))
        return session.scalars(query.limit(20)).all()
