"""What is saved, loaded and looked at: the chat of README, and graphs of other shapes."""

from __future__ import annotations

import gzip
import itertools
import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

import ecsviz as ev

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ECSVIZ_SHARED") or ROOT.parent / "shared")
DEBIAN = SHARED / "data" / "graphs" / "debian12_depends.edges.tsv.gz"


class ChatThread(ev.Entity):
    title: str
    messages: list[ChatMessage] = Field(default_factory=list)


class ChatMessage(ev.Entity):
    thread: ChatThread
    content: str
    role: str


class Note(ev.Entity):
    """A column of every common type, for frames."""

    text: str
    number: int
    share: float
    at: datetime
    done: bool


class Node(ev.Entity):
    """An entity for graphs whose shape is all that matters."""

    next: Node | None = None
    links: list[Node] = ev.reference(inverse=None, default_factory=list)


def chat(n: int) -> ChatThread:
    """A thread of n messages of about 200 characters."""
    thread = ChatThread(title="Benchmark")
    thread.messages = [
        ChatMessage(
            thread=thread,
            content=f"Message {number}. " + "Entities hold entities. " * 8,
            role="user" if number % 2 else "assistant",
        )
        for number in range(n)
    ]
    return thread


def notes(n: int) -> list[Note]:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    return [
        Note(
            text=f"Note {number}. " + "Entities hold entities. " * 8,
            number=number,
            share=number / 7,
            at=at,
            done=bool(number % 2),
        )
        for number in range(n)
    ]


def chain(n: int) -> list[Node]:
    nodes = [Node() for _ in range(n)]
    for here, there in itertools.pairwise(nodes):
        here.next = there
    return nodes


def cycle(n: int) -> list[Node]:
    nodes = chain(n)
    nodes[-1].next = nodes[0]
    return nodes


def linked(n: int, each: int) -> list[Node]:
    """Every node holds the `each` nodes after it; the last hold the first."""
    nodes = [Node() for _ in range(n)]
    for number, node in enumerate(nodes):
        node.links = [nodes[(number + step) % n] for step in range(1, each + 1)]
    return nodes


def debian(n: int) -> list[Node]:
    """The packages of Debian 12 as entities that hold what they depend on.

    The first n packages, or for more than there are as many copies of all as come nearest to n.
    """
    with gzip.open(DEBIAN, "rt", encoding="utf-8") as file:
        pairs = [tuple(line.rstrip("\n").split("\t")) for line in file]
    number: dict[str, int] = {}
    for pair in pairs:
        for name in pair:
            number.setdefault(name, len(number))
    result: list[Node] = []
    size = min(n, len(number))
    for _ in range(max(1, round(n / len(number)))):
        nodes = [Node() for _ in range(size)]
        for source, target in pairs:
            if number[source] < size and number[target] < size:
                nodes[number[source]].links.append(nodes[number[target]])
        result += nodes
    return result
