"""An exercise, and how an answer to it is judged: computed from the material at hand."""

from __future__ import annotations

import numbers
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ecsviz.basics.html import block, element
from ecsviz.basics.text import counted
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph.views import GraphViews
from ecsviz.graph.walkthrough import names_of
from ecsviz.storage.comparing import VersionedStorage

if TYPE_CHECKING:
    import pandas as pd

Solve = Callable[[Any], Any]
Judge = Callable[[Any, Any], str]
"""Takes the material and an answer; returns what is off, or nothing."""

MOST: Final = 1_000_000
"""So many things of an answer are looked at: a generator may never end."""
_known: Final[dict[str, Exercise]] = {}
_lock: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of an answer; true if it is right.

    Attributes
    ----------
    right
        Whether it is.
    said
        What is off, or that it is right.
    """

    right: bool
    said: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.said

    def _repr_html_(self) -> str:
        return str(block(element("p", self.said, look="line" if self.right else "warning")))


@dataclass(slots=True)
class Exercise:
    """A question, what it is asked about, and what answers it.

    Attributes
    ----------
    name
        Such as ``"order-1"``.
    question
        What is asked.
    make
        Makes the material: a graph, classes, a store.
    solve
        Gives the answer for a material.
    judge
        Says what is off, where several answers are right; None compares with what `solve` gives.
    clue
        Gives a hint for a material.
    """

    name: str
    question: str
    make: Callable[[], Any]
    solve: Solve
    judge: Judge | None = None
    clue: Callable[[Any], str] = field(default=lambda _: "Look at it: draw it, or walk through it.")
    _made: Any = None

    def material(self) -> Any:
        """Return the material: the same at every call."""
        with _lock:
            if self._made is None:
                self._made = self.make()
            return self._made

    def check(self, answer: Any, on: Any = None) -> Verdict:
        """Say whether an answer is right, or what is off; see `check`."""
        at = self.material() if on is None else on
        off = self.judge(at, answer) if self.judge else compared(self.solve(at), answer, at)
        return Verdict(not off, off or "Right.")

    def __repr__(self) -> str:
        return f"{self.name}: {self.question}"

    def _repr_html_(self) -> str:
        head = element("p", element("strong", self.name), f" {self.question}", look="line")
        use = (
            f"lessons.material({self.name!r}) is what it is about, lessons.check({self.name!r}, …)"
        )
        return str(block(head, element("p", f"{use} answers.", look="note")))


def exercise(
    name: str,
    question: str,
    make: Callable[[], Any],
    *,
    judge: Judge | None = None,
    hint: str | Callable[[Any], str] = "Look at it: draw it, or walk through it.",
) -> Callable[[Solve], Solve]:
    """Make an exercise of a function that computes its answer.

    Parameters
    ----------
    name
        By which it is asked for. It takes the place of one of that name: a cell may run again.
    question
        What is asked.
    make
        Makes the material, without arguments: a graph, classes, a store, anything.
    judge
        Where several answers are right: takes the material and an answer, and returns what is
        off, or an empty text. None compares the answer with what the function gives: texts and
        numbers as they are, sets whatever their order, lists in theirs; entities or their names.
    hint
        A text, or a function of the material that gives one.

    Raises
    ------
    InvalidArgumentError
        If a name, a question or a function is none.

    Examples
    --------
    >>> import ecsviz as ev
    >>> from ecsviz import lessons
    >>> @lessons.exercise(
    ...     "leaves-1",
    ...     "Which nodes hold nobody?",
    ...     lambda: ev.EntityDependencyGraph(ev.sample("tree", n=4)),
    ...     hint=lambda graph: f"There are {len(graph)} nodes, look at the lowest.",
    ... )
    ... def leaves(graph):
    ...     return {node.name for node in graph.nodes if not graph.dependencies(node)}
    >>> lessons.check("leaves-1", ["n1", "n3"])
    Not n1. Missing: 1 more.
    >>> bool(lessons.check("leaves-1", lessons.solution("leaves-1")))
    True
    """
    texts: dict[str, Any] = {"name": name, "question": question}
    for what, value in texts.items():
        if not isinstance(value, str) or not value:
            raise InvalidArgumentError(
                f"{what} is {short_repr(value)}. Give a text.", argument=what, value=value
            )
    functions: dict[str, Any] = {"make": make} if judge is None else {"make": make, "judge": judge}
    for what, value in functions.items():
        if not callable(value):
            raise InvalidArgumentError(
                f"{what} is {short_repr(value)}. Give a function.", argument=what, value=value
            )
    text: Any = hint
    if not callable(text) and not isinstance(text, str):
        raise InvalidArgumentError(
            f"hint is {short_repr(text)}. Give a text, or a function of the material.",
            argument="hint",
            value=text,
        )

    def take(solve: Solve) -> Solve:
        clue = text if callable(text) else lambda _: str(text)
        _known[name] = Exercise(name, question, make, solve, judge, clue)
        return solve

    return take


def task(name: Any) -> Exercise:
    """Return an exercise: shown, it says what is asked.

    Raises
    ------
    InvalidArgumentError
        If there is none of that name.

    Examples
    --------
    >>> task("cycles-1")
    cycles-1: Which entities are in a cycle?
    """
    if isinstance(name, str) and name in _known:
        return _known[name]
    raise InvalidArgumentError(
        f"There is no exercise {short_repr(name)}.{did_you_mean(name, sorted(_known))}"
        " lessons.exercises() lists them.",
        argument="name",
        value=name,
    )


def exercises() -> pd.DataFrame:
    """Return all exercises as a DataFrame.

    Returns
    -------
    DataFrame
        Columns ``name`` and ``question``, in the order in which they were made.

    Examples
    --------
    >>> exercises()["name"].tolist()[:3]
    ['order-1', 'order-2', 'cycles-1']
    """
    import pandas as pd

    rows = [(each.name, each.question) for each in _known.values()]
    return pd.DataFrame(rows, columns=["name", "question"], dtype="str")


def material(name: Any) -> Any:
    """Return what an exercise is about, the same at every call: a graph, classes, a store.

    Raises
    ------
    InvalidArgumentError
        If there is no exercise of that name.

    Examples
    --------
    >>> material("cycles-1")
    EntityDependencyGraph(6 nodes, 6 references, 1 cyclic component)
    """
    return task(name).material()


def check(name: Any, answer: Any, on: Any = None) -> Verdict:
    """Say whether an answer is right, or what is off.

    Parameters
    ----------
    name
        The exercise.
    answer
        Entities, or their names as pictures have them; texts; numbers.
    on
        Another material: a graph of one's own. None takes that of the exercise.

    Returns
    -------
    Verdict
        True if it is right; shows what is off.

    Raises
    ------
    InvalidArgumentError
        If there is no exercise of that name, or its question does not fit `on`.

    Examples
    --------
    >>> import ecsviz as ev
    >>> check("cycles-3", 1)
    Not 1: there are more.
    >>> check("cycles-3", 1, on=ev.EntityDependencyGraph(ev.sample("two_cycle")))
    Right.
    """
    asked = task(name)
    return asked.check(answer, material_of(asked, on))


def material_of(asked: Exercise, on: Any) -> Any:
    """Return what an exercise is asked about: its material, or another of the same kind."""
    own = asked.material()
    if on is None:
        return own
    kind = VersionedStorage if isinstance(own, VersionedStorage) else type(own)
    if not isinstance(on, kind):
        raise InvalidArgumentError(
            f"on is {short_repr(on)}. {asked.name} asks about something like {short_repr(own)}.",
            argument="on",
            value=on,
        )
    return on


def hint(name: Any, on: Any = None) -> str:
    """Return a hint for an exercise, computed from its material.

    Parameters
    ----------
    name, on
        As of `check`.

    Examples
    --------
    >>> hint("order-1")
    'Begin with what needs nothing: oven is one of them.'
    """
    asked = task(name)
    return asked.clue(material_of(asked, on))


def solution(name: Any, on: Any = None) -> Any:
    """Return an answer that is right, computed from the material.

    Parameters
    ----------
    name, on
        As of `check`.

    Examples
    --------
    >>> solution("order-1")
    ['oven', 'flour', 'butter', 'dough', 'cake']
    """
    asked = task(name)
    return asked.solve(material_of(asked, on))


# -- judging -------------------------------------------------------------------------------------


def compared(right: Any, answer: Any, at: Any) -> str:
    """Return what is off with an answer, compared with what is right; nothing if it is.

    Examples
    --------
    >>> compared({"a", "b"}, ["a", "c"], None), compared(3, 2, None), compared("x", "x", None)
    ('Not c. Missing: 1 more.', 'Not 2: there are more.', '')
    """
    if isinstance(right, (set, frozenset, list)):
        several_given = several(answer, at)
        if isinstance(several_given, str):
            return several_given
        judge = _compared_lists if isinstance(right, list) else _compared_sets
        return judge(right, several_given)
    if isinstance(right, int) and not isinstance(right, bool):
        if isinstance(answer, bool) or not isinstance(answer, numbers.Integral):
            return f"{short_repr(answer)} is no whole number: give one, such as 7."
        more = "more" if int(answer) < right else "fewer"
        return "" if answer == right else f"Not {short_repr(int(answer))}: there are {more}."
    given = named(answer, at)
    return "" if given == right else f"Not {short_repr(answer)}{_written([right], answer)}."


def _compared_sets(right: Collection[Any], given: list[Any]) -> str:
    wrong = [item for item in given if item not in right]
    missing = len(set(right) - set(given))
    off = [f"Not {shown(item)}{_written(right, item)}." for item in wrong[:3]]
    return " ".join([*off, f"Missing: {missing:,} more."] if missing else off)


def _compared_lists(right: Collection[Any], given: list[Any]) -> str:
    for place, (one, other) in enumerate(zip(given, right, strict=False), 1):
        if one != other:
            return f"Place {place} is not {shown(one)}{_written([other], one)}."
    if len(given) == len(right):
        return ""
    return f"These are {counted(len(given), 'item')}; there are {len(right):,}."


def _written(right: Collection[Any], item: Any) -> str:
    """Return how a name is written that was given in other letters, or with spaces around."""
    given = item.strip().casefold() if isinstance(item, str) else None
    alike = (each for each in right if isinstance(each, str) and each.casefold() == given)
    meant = next(alike, None)
    return "" if meant is None else f": it is written {meant!r}"


def shown(item: Any) -> str:
    """Return what is said of one thing of an answer: a name, or a group of them.

    Examples
    --------
    >>> shown("a"), shown(frozenset({"b", "a"})), shown(3)
    ('a', '{a, b}', '3')
    """
    if isinstance(item, frozenset):
        return "{" + ", ".join(sorted(map(str, item))) + "}"
    return item if isinstance(item, str) else short_repr(item)


def several(answer: Any, at: Any = None) -> list[Any] | str:
    """Return the names of several things, groups of them as sets; a text says what is off.

    Examples
    --------
    >>> several([["a"], "c"]), several(3)
    ([frozenset({'a'}), 'c'], '3 is not several things: give a list.')
    """
    if not _is_several(answer):
        return f"{short_repr(answer)} is not several things: give a list."
    names = _names_in(at)
    result: list[Any] = []
    for item in islice(answer, MOST + 1):
        group = islice(item, MOST) if _is_several(item) else None
        named = None if group is None else frozenset(_name(each, names) for each in group)
        result.append(_name(item, names) if named is None else named)
    return result if len(result) <= MOST else f"These are more than {MOST:,}: give a list."


def _is_several(answer: Any) -> bool:
    """Tell whether it is a list, a set, an array, a generator: no text, and no one entity."""
    one = isinstance(answer, (str, bytes, Mapping)) or is_entity_class(type(answer))
    return isinstance(answer, Iterable) and not one and getattr(answer, "ndim", 1) > 0


def named(item: Any, at: Any = None) -> Any:
    """Return the name of an entity of the material; what is none as it is."""
    return _name(item, _names_in(at))


def _name(item: Any, names: Mapping[Any, str]) -> Any:
    ecs_id = getattr(item, "ecs_id", item)
    known = ecs_id if isinstance(ecs_id, (UUID, str)) else id(item)
    if known in names:
        return names[known]
    if isinstance(item, numbers.Integral):
        return int(item)  # also one of numpy, which prints as another
    return item if isinstance(item, (str, float)) else short_repr(item)


def _names_in(at: Any) -> dict[Any, str]:
    """Return the names of nodes: of entities by their ids, also as texts; of others by `id`."""
    if not isinstance(at, GraphViews):
        return {}
    named: dict[Any, str] = {}
    nodes = list(at.nodes)  # type: ignore[attr-defined]  # a graph has them
    for node, name in zip(nodes, names_of(nodes), strict=True):
        ecs_id = getattr(node, "ecs_id", None)
        keys = (ecs_id, str(ecs_id)) if isinstance(ecs_id, UUID) else (id(node),)
        named |= dict.fromkeys(keys, name)
    return named
