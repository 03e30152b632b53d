"""Small graphs for docs, tests and first steps: chats that ship with the package, and shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Literal, overload

from ecsviz.domain.chat import ChatThread
from ecsviz.domain.entity import Entity
from ecsviz.domain.fields import reference
from ecsviz.errors import EcsvizError, did_you_mean, short_repr
from ecsviz.importers import read_chat

__all__ = ["SAMPLES", "SAMPLE_FILES", "Node", "SampleError", "sample", "sample_file"]

Shape = Literal["chain", "star", "tree", "two_cycle", "self_loop", "interlocked"]

SAMPLE_FILES = {
    "chats": "chats.jsonl",
    "export": "export.json",
}
"""The files that ship with the package: six threads as Open-Assistant trees, and a ChatGPT export
of two conversations."""


class SampleError(EcsvizError, ValueError):
    """No such sample, or not in that size."""


class Node(Entity):
    """A name, and links to others: an entity for graphs whose shape is all that matters.

    Examples
    --------
    >>> from ecsviz.samples import Node
    >>> a = Node(name="a", links=[Node(name="b")])
    >>> [node.name for node in a.links]
    ['b']
    """

    __module__ = "ecsviz.samples"

    name: str
    # Without an inverse: a link says nothing about a link back.
    links: list[Node] = reference(inverse=None, default_factory=list)


def sample_file(name: str = "chats") -> Path:
    """Return the path of a file that ships with the package.

    Parameters
    ----------
    name
        ``"chats"``, six threads as Open-Assistant trees, or ``"export"``, a ChatGPT export.

    Examples
    --------
    >>> import ecsviz as ev
    >>> from ecsviz.samples import sample_file
    >>> ev.read_chat(sample_file("export"))
    <ChatImport of 2 threads, 15 messages, 0 problems>
    """
    if name not in SAMPLE_FILES:
        raise _unknown("file", name, SAMPLE_FILES)
    return Path(str(resources.files("ecsviz.importers") / "data" / SAMPLE_FILES[name]))


@overload
def sample(name: Literal["chats"] = "chats") -> list[ChatThread]: ...
@overload
def sample(name: Literal["thread"]) -> ChatThread: ...
@overload
def sample(name: Shape, *, n: int | None = None) -> list[Node]: ...
@overload
def sample(name: str, *, n: int | None = None) -> list[ChatThread] | ChatThread | list[Node]: ...
def sample(
    name: str = "chats", *, n: int | None = None
) -> list[ChatThread] | ChatThread | list[Node]:
    """Return a small graph to try things on, made anew at every call.

    Parameters
    ----------
    name
        ===============  =============================================================
        ``chats``        six chat threads with branches, 98 messages
        ``thread``       one of them, on cycles
        ``chain``        each node links to the next: no cycle, the longest order
        ``star``         the first node links to all others: no cycle, two generations
        ``tree``         each node links to two: no cycle
        ``two_cycle``    two nodes that link to each other
        ``self_loop``    one node that links to itself
        ``interlocked``  three cycles; each shares one node with the next
        ===============  =============================================================
    n
        How many nodes a chain, a star or a tree has; 7 by default, which still shows its labels.

    Returns
    -------
    list[ChatThread], ChatThread or list[Node]
        All threads; the one thread; or all nodes, by name, the first of which leads to the rest.

    Raises
    ------
    SampleError
        If there is no such sample, or not in that size.

    Notes
    -----
    Threads keep their ids from call to call (they are read from a file), nodes are new ones.

    Examples
    --------
    >>> import ecsviz as ev
    >>> [thread.title[:25] for thread in ev.sample()][2:4]
    ['I have red lentils, onion', 'Please review this. It wo']
    >>> [node.name for node in ev.sample("chain", n=3)]
    ['n1', 'n2', 'n3']
    """
    if name not in SAMPLES:
        raise _unknown("sample", name, SAMPLES)
    if name in _SIZED:
        return _SIZED[name](_size(name, n))
    if n is not None:
        raise SampleError(
            f"The sample {name!r} has one size. With n= there are: {', '.join(map(repr, _SIZED))}.",
            name=name,
            n=n,
        )
    if name in _LINKS:
        return _nodes(_LINKS[name])
    threads = read_chat(sample_file("chats"), "open-assistant", progress=False)
    if name == "chats":
        return list(threads)
    return next(thread for thread in threads if thread.source_id == "cycles")


def _unknown(kind: str, name: str, known: Iterable[str]) -> SampleError:
    names = list(known)
    return SampleError(
        f"No {kind} {short_repr(name)}." + did_you_mean(str(name), names), name=name, known=names
    )


def _size(name: str, n: int | None) -> int:
    size: object = 7 if n is None else n
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise SampleError(
            f"A {name} of n={short_repr(n)} nodes cannot be made: n is a whole number from 1 on.",
            name=name,
            n=n,
        )
    return size


def _numbered(n: int) -> list[Node]:
    width = len(str(n))  # so that names sort as numbers do
    return [Node(name=f"n{number:0{width}}") for number in range(1, n + 1)]


def _chain(n: int) -> list[Node]:
    nodes = _numbered(n)
    for node, following in pairwise(nodes):
        node.links.append(following)
    return nodes


def _star(n: int) -> list[Node]:
    nodes = _numbered(n)
    nodes[0].links.extend(nodes[1:])
    return nodes


def _tree(n: int) -> list[Node]:
    nodes = _numbered(n)
    for number, node in enumerate(nodes):
        node.links.extend(nodes[2 * number + 1 : 2 * number + 3])
    return nodes


def _nodes(links: str) -> list[Node]:
    pairs = [link.split(">") for link in links.split()]
    nodes = {name: Node(name=name) for name in sorted({name for pair in pairs for name in pair})}
    for source, target in pairs:
        nodes[source].links.append(nodes[target])
    return list(nodes.values())


_SIZED: dict[str, Callable[[int], list[Node]]] = {"chain": _chain, "star": _star, "tree": _tree}

_LINKS = {
    "two_cycle": "a>b b>a",
    "self_loop": "a>a",
    "interlocked": "a>b b>c c>a c>d d>e e>c e>f f>g g>e",
}

SAMPLES = ("chats", "thread", *_SIZED, *_LINKS)
"""The names that `sample` knows."""
