"""The exercises that ship with ecsviz: order, cycles, components, tables, time, chats."""

from __future__ import annotations

from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from ecsviz.basics.text import counted
from ecsviz.domain.chat import ChatMessage, ChatThread
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.graph.walkthrough import names_of
from ecsviz.importers.samples import Node, sample
from ecsviz.storage.memory.store import InMemoryEntityStorage
from ecsviz.storage.relational.class_tables import ClassTables, tables_of
from ecsviz.widgets.lesson.making import exercise, several, shown


def _nodes(**holds: str) -> EntityDependencyGraph:
    """Return a graph of nodes; for each, the names of those that it holds."""
    # Ids that stay, so that ties are broken in the same way for everybody.
    ids = {name: uuid5(NAMESPACE_URL, f"ecsviz lessons {holds} {name}") for name in holds}
    made = {name: Node(name=name, ecs_id=ids[name]) for name in holds}
    for name, others in holds.items():
        made[name].links = [made[other] for other in others.split()]
    return EntityDependencyGraph(list(made.values()))


def _names(graph: EntityDependencyGraph, nodes: Any) -> list[str]:
    every = names_of(graph.nodes)
    return [every[graph.number_of(node)] for node in nodes]


def _cake() -> EntityDependencyGraph:
    return _nodes(cake="dough oven", dough="flour butter", oven="", flour="", butter="")


def _knot() -> EntityDependencyGraph:
    return _nodes(a="b", b="c", c="a d", d="e", e="d f", f="")


def _ring() -> EntityDependencyGraph:
    return _nodes(a="b", b="c f", c="a", d="b", e="d", f="")


def _tied() -> EntityDependencyGraph:
    return _nodes(a="b", b="c", c="a d", d="e", e="b")


# -- order ---------------------------------------------------------------------------------------


def _off_in_order(graph: EntityDependencyGraph, answer: Any) -> str:
    given = several(answer, graph)
    if isinstance(given, str):
        return given
    names = names_of(graph.nodes)
    unknown = [item for item in given if item not in names]
    if unknown:
        first = unknown[0]
        said = short_repr(first) if isinstance(first, str) else shown(first)
        return f"There is no {said} here.{did_you_mean(first, names)}"
    if len(set(given)) < len(given):
        return "One of them is there twice."
    if len(given) < len(names):
        return f"Missing: {len(names) - len(given)} more."
    place = {name: number for number, name in enumerate(given)}
    for source, target in zip(*map(np.ndarray.tolist, _ends(graph)), strict=True):
        one, other = names[source], names[target]
        if place[one] < place[other]:
            return f"{one} stands before {other}, which it needs."
    return ""


def _ends(graph: EntityDependencyGraph) -> Any:
    parts, outer = graph.arrays, ~graph.ordering.in_cycle
    return parts.sources[outer], parts.targets[outer]


@exercise(
    "order-1",
    "In which order can these be saved, dependencies first?",
    _cake,
    judge=_off_in_order,
    hint=lambda graph: (
        "Begin with what needs nothing:"
        f" {'nobody' if not len(graph) else _order(graph)[0]} is one of them."
    ),
)
def _order(graph: EntityDependencyGraph) -> list[str]:
    return _names(graph, graph.get_topological_sort())


@exercise(
    "order-2",
    "How many generations are there: layers that depend only on those before?",
    _cake,
    hint=lambda graph: (
        f"The first generation has {counted(len(graph.generations()[0]), 'member')}: what needs"
        " nothing. The next needs only those."
        if len(graph)
        else "Nothing is here: no entity has a generation."
    ),
)
def _generations(graph: EntityDependencyGraph) -> int:
    return len(graph.generations())


# -- cycles --------------------------------------------------------------------------------------


@exercise(
    "cycles-1",
    "Which entities are in a cycle?",
    _ring,
    hint=lambda graph: (
        "From an entity in a cycle the arrows lead back to it."
        f" There are {sum(map(len, graph.cyclic_components()))}."
    ),
)
def _in_cycles(graph: EntityDependencyGraph) -> set[str]:
    return {name for part in graph.cyclic_components() for name in _names(graph, part)}


def _reference_names(graph: EntityDependencyGraph) -> list[str]:
    names, parts = names_of(graph.nodes), graph.arrays
    return [f"{names[s]}.{parts.place_of(n)[1]}" for n, s in enumerate(parts.sources.tolist())]


def _breaks_all(graph: EntityDependencyGraph, number: int) -> bool:
    left_out = np.zeros(len(graph.arrays.sources), dtype=bool)
    left_out[number] = True
    return graph.without(left_out).is_acyclic


def _off_in_cut(graph: EntityDependencyGraph, answer: Any) -> str:
    known = _reference_names(graph)
    if answer is None and _cut(graph) is None:
        return ""
    if not known:
        return "There are no references here: None is the answer."
    if not isinstance(answer, str) or answer not in known:
        return f"There is no reference {short_repr(answer)} here.{did_you_mean(answer, known)}"
    number = known.index(answer)
    if graph.is_acyclic:
        return f"There is no cycle that {answer} could break: None is the answer."
    if not graph.ordering.in_cycle[number]:
        return f"{answer} is in no cycle: without it, all cycles are left."
    return "" if _breaks_all(graph, number) else f"Without {answer} there is still a cycle."


def _hint_to_cut(graph: EntityDependencyGraph) -> str:
    if graph.is_acyclic:
        return "There is no cycle to break: then None is the answer."
    if _cut(graph) is None:
        return "No one reference is in all cycles: then None is the answer."
    found = len(graph.get_cycles())
    if found == 1:
        return "There is 1 cycle. Look for a reference that it cannot do without."
    return f"There are {counted(found, 'cycle')}. Look for what they have in common."


@exercise(
    "cycles-2",
    "Without which one reference is no cycle left? Name it as 'a.links[0]'.",
    _tied,
    judge=_off_in_cut,
    hint=_hint_to_cut,
)
def _cut(graph: EntityDependencyGraph) -> str | None:
    if len(graph.cyclic_components()) != 1:
        return None
    known, inside = _reference_names(graph), np.flatnonzero(graph.ordering.in_cycle).tolist()
    return next((known[n] for n in inside if _breaks_all(graph, n)), None)


@exercise(
    "cycles-3",
    "How many elementary cycles are there?",
    _knot,
    hint="A cycle meets each of its entities once. Walk through it: graph.walkthrough('cycles').",
)
def _count(graph: EntityDependencyGraph) -> int:
    return len(graph.get_cycles(None))


# -- components ----------------------------------------------------------------------------------


@exercise(
    "components-1",
    "Which are the strongly connected components? Give a list of lists.",
    _knot,
    hint=lambda graph: (
        f"There are {int(graph.ordering.component.max(initial=-1)) + 1}; those who are in no cycle"
        " are alone."
    ),
)
def _components(graph: EntityDependencyGraph) -> set[frozenset[str]]:
    found: dict[int, list[str]] = {}
    names = names_of(graph.nodes)
    for name, number in zip(names, graph.ordering.component.tolist(), strict=True):
        found.setdefault(number, []).append(name)
    return {frozenset(members) for members in found.values()}


@exercise(
    "components-2",
    "What does the first entity need, directly and indirectly?",
    _knot,
    hint=lambda graph: (
        f"Follow the arrows from {_names(graph, graph.nodes[:1])[0]}."
        if len(graph)
        else "Nothing is here: there is nothing to need."
    ),
)
def _needs(graph: EntityDependencyGraph) -> set[str]:
    if not len(graph):
        return set()
    return set(_names(graph, graph.dependencies(graph.nodes[0], transitive=True)))


# -- tables --------------------------------------------------------------------------------------


def _chat_tables() -> ClassTables:
    return tables_of(ChatThread)


@exercise(
    "tables-1",
    "Which tables do these classes give?",
    _chat_tables,
    hint=lambda tables: (
        f"{counted(len(tables.classes), 'class')}. A list needs a table of its own only if its"
        " members do not say whose they are."
    ),
)
def _tables(tables: ClassTables) -> set[str]:
    return set(tables.metadata.tables)


@exercise(
    "tables-2",
    "Which columns refer to other rows? Name them as 'table.column'.",
    _chat_tables,
    hint="A reference is a column that ends with _id. Draw the tables: tables.draw().",
)
def _keys(tables: ClassTables) -> set[str]:
    frame = tables.frame()
    keys = frame[frame["refers to"] != ""]
    return {f"{table}.{column}" for table, column in keys[["table", "column"]].values.tolist()}


# -- time ----------------------------------------------------------------------------------------


def _past() -> InMemoryEntityStorage:
    store = InMemoryEntityStorage()
    thread = ChatThread(title="Cycles")
    thread.say("user", "What is a cycle?")
    store.register(thread, note="asked")
    thread.say("assistant", "A way back.")
    store.register(thread, note="answered")
    thread.title = "Cycles, explained"
    store.register(thread, note="renamed")
    store.register(thread, note="once more")
    return store


def _thread(store: Any) -> ChatThread:
    threads: list[ChatThread] = store.list_by_type(ChatThread)
    if not threads:
        raise InvalidArgumentError(
            "This store holds no ChatThread to ask about.", argument="on", value=store
        )
    return threads[0]


@exercise(
    "time-1",
    "How many revisions are there?",
    _past,
    hint="What had not changed made no revision; store.revisions() lists those that were made.",
)
def _revisions(store: Any) -> int:
    return len(store.revisions())


@exercise(
    "time-2",
    "What was the title of the thread as of its first revision?",
    _past,
    hint=lambda store: f"store.get(ecs_id, as_of=1), of the thread {_thread(store).title!r}.",
)
def _first_title(store: Any) -> str:
    thread = _thread(store)
    first = store.history(thread.ecs_id)["revision"].tolist()[0]
    then: ChatThread = store.get(thread.ecs_id, as_of=first)
    return then.title


@exercise(
    "time-3",
    "Which versions have the entities now? Give a list, the least first.",
    _past,
    hint="Only who changed gets a new version. A new message changes the list of its thread.",
)
def _versions(store: Any) -> list[int]:
    kinds: tuple[Any, ...] = (ChatThread, ChatMessage)
    return sorted(entity.version for kind in kinds for entity in store.list_by_type(kind))


# -- chats ---------------------------------------------------------------------------------------


def _chat() -> ChatThread:
    return sample("thread")


@exercise(
    "chats-1",
    "How many branches has this chat?",
    _chat,
    hint=lambda thread: (
        f"{counted(len(thread.branch_points()), 'message')} of it have more than one answer. Count"
        " those that have none."
    ),
)
def _branches(thread: ChatThread) -> int:
    return len(thread.leaves())


@exercise(
    "chats-2",
    "How many messages has its longest branch, from the first to the last?",
    _chat,
    hint="thread.path_to(message) is the way from the first message to one.",
)
def _longest(thread: ChatThread) -> int:
    return max((len(thread.path_to(leaf)) for leaf in thread.leaves()), default=0)


OURS: Final = ("order", "cycles", "components", "tables", "time", "chats")
"""What the exercises that ship with ecsviz are about."""
