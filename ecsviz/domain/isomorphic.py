"""Whether one graph is the same as another: classes, ids, values, sharing and order.

What a storage promises (``get(register(x))`` is isomorphic to ``x``) is proved with this, in the
tests and in the demo.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typing_extensions import override

from ecsviz.domain.entity_class import is_entity_class, same_type
from ecsviz.domain.equality import MISSING, PLAIN, ComparedStep, Comparison, by_id, extra_of
from ecsviz.domain.fields import OWN_FIELDS
from ecsviz.errors import NotAnEntityError, short_repr

__all__ = ["find_difference", "isomorphic"]

MAX_STEPS = 12
"""How many steps of a path a place shows; of a longer one the first and the last."""


def isomorphic(a: Any, b: Any, *, versions: bool = True) -> bool:
    """Tell whether two graphs are the same; see `find_difference`.

    Examples
    --------
    >>> import copy, ecsviz as ev
    >>> from ecsviz.isomorphic import isomorphic
    >>> thread = ev.sample("thread")
    >>> isomorphic(thread, copy.deepcopy(thread))
    True
    """
    return find_difference(a, b, versions=versions) is None


def find_difference(a: Any, b: Any, *, versions: bool = True) -> str | None:
    """Return where two graphs of entities first differ, or None if they are the same.

    Parameters
    ----------
    a, b
        An entity, or an iterable of them.
    versions
        Whether the entities' versions must agree too. True by default; a graph that was read
        from a file and never stored differs from the stored one in nothing else.

    Returns
    -------
    str or None
        The place, by the shortest path from the root, and what stands there:
        ``"ChatThread.messages[3].content: 'a' != 'b'"``.

    Raises
    ------
    NotAnEntityError
        If `a` or `b` holds something else.

    Notes
    -----
    The same means: entities of the same classes with the same ids, one object where the other
    graph has one object, the same values of the same Python types (``1`` is not ``True``, ``0.0``
    is not ``-0.0``, NaN is NaN, a time has its offset), the same order in lists and dicts. What
    no storage keeps is not compared: private attributes, ``model_fields_set``, and whether two
    entities share one list. Breadth first, iterative; O(entities + values).

    Examples
    --------
    >>> import copy, ecsviz as ev
    >>> from ecsviz.isomorphic import find_difference
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> other = copy.deepcopy(thread)
    >>> print(find_difference(thread, other))
    None
    >>> other.messages[0].content = "Hello"
    >>> find_difference(thread, other)
    "ChatThread.messages[0].content: 'hello' != 'Hello'"
    """
    return _IsomorphicComparison(versions).run(a, b)


def roots_of(given: Any) -> tuple[list[Any], bool]:
    """Return the entities that were given, and whether there was only one, not in a list."""
    single = is_entity_class(type(given))
    roots = [given] if single else list(given) if isinstance(given, Iterable) else None
    for root in [given] if roots is None else roots:
        if not is_entity_class(type(root)):
            raise NotAnEntityError(
                f"{short_repr(root)} is not an entity, but of type {type(root).__name__}."
                " Compare instances of subclasses of ev.Entity, or lists of them.",
                value=root,
            )
    assert roots is not None
    return roots, single


class _IsomorphicComparison(Comparison):
    """One comparison: which entity was found to stand for which, and how each was reached."""

    enters = True

    def __init__(self, versions: bool) -> None:
        super().__init__(by_id)
        self.skipped = () if versions else ("version",)
        self.pairs: list[tuple[Any, Any]] = []
        self.reached: list[
            tuple[int, ComparedStep]
        ] = []  # per pair: from which pair, by which step
        self.first: dict[int, int] = {}  # id of an entity -> its pair
        self.second: dict[int, int] = {}
        self.current = -1  # the pair whose fields are compared

    def run(self, a: Any, b: Any) -> str | None:
        (roots_a, single_a), (roots_b, single_b) = roots_of(a), roots_of(b)
        if single_a != single_b or len(roots_a) != len(roots_b):
            return f"{len(roots_a):,} given entities != {len(roots_b):,}"
        for number, (x, y) in enumerate(zip(roots_a, roots_b, strict=True)):
            name = type(x).__name__
            step = ComparedStep(None, name if single_a else f"[{number}] {name}")
            told = self.meet(step, x, y)
            if told is not None:
                return self.told(step, told)
        for number, (x, y) in enumerate(self.pairs):  # grows while it is read
            self.current = number
            told = self.entity(x, y)
            if told is not None:
                return told
        return None

    @override
    def meet(self, step: ComparedStep | None, a: Any, b: Any) -> str | None:
        """Take `a` for the counterpart of `b`, or tell why it cannot be."""
        in_first, in_second = self.first.get(id(a)), self.second.get(id(b))
        if in_first is not None and in_first == in_second:
            return None
        if not same_type(type(a), type(b)):
            return f"{type(a).__name__} != {type(b).__name__}"
        if a.ecs_id != b.ecs_id:
            return f"ecs_id {a.ecs_id} != {b.ecs_id}"
        if in_first is not None or in_second is not None:
            known = in_first if in_first is not None else in_second
            assert known is not None
            has, lacks = ("first", "second") if in_first is not None else ("second", "first")
            return (
                f"in the {has} graph the same object as {self.place(known)},"
                f" in the {lacks} another one"
            )
        self.first[id(a)] = self.second[id(b)] = len(self.pairs)
        self.pairs.append((a, b))
        assert step is not None
        self.reached.append((self.current, step))
        return None

    def entity(self, a: Any, b: Any) -> str | None:
        """Compare all fields of two entities."""
        state_a, state_b = {**a.__dict__, **extra_of(a)}, {**b.__dict__, **extra_of(b)}
        for name in _names(a, b):
            x, y = state_a.get(name, MISSING), state_b.get(name, MISSING)
            if name in self.skipped or (type(x) is type(y) and type(x) in PLAIN and x == y):
                continue
            found = self.differ(x, y, ComparedStep(None, f".{name}"))
            if found is not None:
                return self.told(*found)
        return None

    # -- telling -----------------------------------------------------------------------------

    def told(self, step: ComparedStep | None, what: str) -> str:
        return f"{self.place(self.current, str(step))}: {what}"

    def place(self, number: int, step: str = "") -> str:
        steps = [step] if step else []
        while number >= 0:
            number, by = self.reached[number]
            steps.append(str(by))
        steps.reverse()
        if len(steps) > MAX_STEPS:
            left_out = f" … {len(steps) - 8:,} steps … "
            steps = [*steps[:4], left_out, *steps[-4:]]
        return "".join(steps)


def _names(a: Any, b: Any) -> list[str]:
    """Return the names of all fields; two definitions of one class may have different ones."""
    declared = (*OWN_FIELDS, *type(a).model_fields, *type(b).model_fields)
    return list(dict.fromkeys((*declared, *extra_of(a), *extra_of(b))))
