"""Walkthrough: an algorithm step by step, on the graph that one has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, overload

import numpy as np

from ecsviz.basics.text import counted, one_end
from ecsviz.basics.views import view
from ecsviz.domain.labels import label_of
from ecsviz.errors import EcsvizError, InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph.arrays import Parts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


NAME_WIDTH: Final = 24
"""How long a node's name is at the most, in columns."""

WAITING: Final = ("#80858E", "o")
READY: Final = ("#6B5509", "D")
NOW: Final = ("#0F5D91", "s")
DONE: Final = ("#04A24C", "P")
HELD: Final = ("#AF4FE1", "^")
"""Colours and shapes of nodes, with which the algorithms tell their states."""


class NoSuchStepError(EcsvizError, IndexError):
    """A walkthrough has fewer steps."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be predicted to come next, and what is to be said of it."""

    right: bool
    said: str


@dataclass(frozen=True, slots=True)
class WalkStep:
    """One step of a walkthrough.

    Attributes
    ----------
    line
        The line of the pseudocode, from 1.
    text
        What happens.
    state
        What the algorithm holds after it, by name.
    marks
        One a node of the picture: a key of the walkthrough's ``looks``.
    question
        What can be predicted before this step is shown; empty if nothing.
    choices
        The answers that there are.
    """

    line: int
    text: str
    state: Mapping[str, str]
    marks: Sequence[str]
    question: str = ""
    choices: Mapping[str, Choice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", one_end(self.text))  # names may be cut


Steps: TypeAlias = Generator[WalkStep, None, list[Any]]
"""What an algorithm yields, and what it has found at its end."""


@dataclass(frozen=True, slots=True)
class Script:
    """What an algorithm is told with.

    Attributes
    ----------
    title
        Its name.
    code
        The lines of its pseudocode.
    looks
        Mark → colour and shape, in the order of the legend.
    """

    title: str
    code: Sequence[str]
    looks: Mapping[str, tuple[str, str]]


class Walkthrough(Sequence[WalkStep]):
    """An algorithm step by step on a graph: a list of steps, a table, pictures, a widget.

    ``graph.walkthrough("order")`` makes one. In a notebook it is a widget with the graph, what the
    algorithm holds, the line of pseudocode, and questions before the answers.

    Attributes
    ----------
    what
        Such as ``"order"``.
    graph
        What is walked through: the graph, or the part of it that `note` names.
    answer
        What the algorithm has found.
    complete
        Whether it went to its end; if not, `note` says where it stopped.
    note
        What was left out; empty if nothing.

    Examples
    --------
    >>> import ecsviz as ev
    >>> walk = ev.EntityDependencyGraph(ev.sample("chain", n=3)).walkthrough("order")
    >>> walk
    Walkthrough('order': 8 steps, 3 nodes)
    >>> walk[2].text
    'n3 is next: it waits for nothing.'
    >>> [node.name for node in walk.answer]
    ['n3', 'n2', 'n1']
    """

    def __init__(
        self,
        what: str,
        graph: Any,
        script: Script,
        steps: Sequence[WalkStep],
        answer: Any,
        note: str = "",
        *,
        complete: bool = True,
    ) -> None:
        self.what, self.graph, self.script = what, graph, script
        self.steps, self.answer = list(steps), answer
        self.note, self.complete = note, complete

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, index: int) -> WalkStep: ...
    @overload
    def __getitem__(self, index: slice) -> list[WalkStep]: ...
    def __getitem__(self, index: int | slice) -> WalkStep | list[WalkStep]:
        if isinstance(index, slice):
            return self.steps[index]
        return self.steps[self.number_of(index)]

    def number_of(self, step: Any) -> int:
        """Return the number of a step, from 0; negative ones count from the end.

        Raises
        ------
        NoSuchStepError, InvalidArgumentError
            If there is none with that number.

        Examples
        --------
        >>> import ecsviz as ev
        >>> walk = ev.EntityDependencyGraph(ev.sample("two_cycle")).walkthrough("components")
        >>> walk.number_of(-1) == len(walk) - 1
        True
        """
        if isinstance(step, bool) or not isinstance(step, (int, np.integer)):
            raise InvalidArgumentError(
                f"step is {short_repr(step)}. Give the number of a step, from 0 to"
                f" {len(self) - 1:,}.",
                argument="step",
                value=step,
            )
        if not -len(self) <= step < len(self):
            raise NoSuchStepError(
                f"There is no step {short_repr(step)}: this walkthrough has"
                f" {counted(len(self), 'step')}, from 0 to {len(self) - 1:,}.",
                step=step,
            )
        return int(step) % len(self)

    def __repr__(self) -> str:
        more = "" if self.complete else ", not complete"
        sizes = f"{counted(len(self), 'step')}, {counted(len(self.graph), 'node')}"
        return f"Walkthrough({self.what!r}: {sizes}{more})"

    def frame(self) -> pd.DataFrame:
        """Return the steps as a DataFrame, one row each.

        Returns
        -------
        DataFrame
            Columns ``step`` (from 0), ``line`` (of the pseudocode, from 1), ``code`` (that line),
            ``text`` (what happens), and one a part of the state.

        Examples
        --------
        >>> import ecsviz as ev
        >>> walk = ev.EntityDependencyGraph(ev.sample("chain", n=3)).walkthrough("order")
        >>> list(walk.frame().columns)
        ['step', 'line', 'code', 'text', 'ready', 'waiting for', 'output', 'deferred']
        """
        import pandas as pd

        code = self.script.code
        return pd.DataFrame(
            {
                "step": range(len(self)),
                "line": [step.line for step in self.steps],
                "code": [code[step.line - 1].strip() for step in self.steps],
                "text": [step.text for step in self.steps],
                **{name: [step.state[name] for step in self.steps] for name in self.steps[0].state},
            }
        )

    def predict(self, step: int, answer: Any) -> str:
        """Return what is to be said of a prediction: that it is right, or what is off.

        Parameters
        ----------
        step
            The number of a step that has a ``question``: what it will show is predicted.
        answer
            One of its ``choices``.

        Raises
        ------
        NoSuchStepError, InvalidArgumentError
            If there is no such step, nothing to predict, or no such answer.

        Examples
        --------
        >>> import ecsviz as ev
        >>> walk = ev.EntityDependencyGraph(ev.sample("chain", n=3)).walkthrough("order")
        >>> walk[2].question, list(walk[2].choices)
        ('Which comes next?', ['n1', 'n2', 'n3'])
        >>> walk.predict(2, "n2")
        'Not n2: it still waits for n3.'
        >>> walk.predict(2, "n3")
        'Right: n3 is next: it waits for nothing.'
        """
        chosen = self[step]
        if not chosen.question:
            asked = [str(number) for number, each in enumerate(self.steps) if each.question]
            raise InvalidArgumentError(
                f"There is nothing to predict before step {step}. Ask before step"
                f" {', '.join(asked[:5]) or 'none: this walkthrough asks nothing'}"
                f"{' …' if len(asked) > 5 else ''}.",
                argument="step",
                value=step,
            )
        if not isinstance(answer, str) or answer not in chosen.choices:
            known = list(chosen.choices)
            raise InvalidArgumentError(
                f"{short_repr(answer)} is no answer to {chosen.question!r}"
                f".{did_you_mean(answer, known)}",
                argument="answer",
                value=answer,
            )
        choice = chosen.choices[answer]
        return f"Right: {chosen.text}" if choice.right else choice.said

    @view
    def draw(self, step: int = -1, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the graph as it is at a step; see ``ecsviz.draw.draw_walkthrough``."""
        raise NotImplementedError

    @view
    def explore(self, **options: Any) -> Any:
        """Return a widget that goes through the steps; see ``ecsviz.widgets.explore_steps``."""
        raise NotImplementedError

    @view
    def _repr_html_(self) -> str:
        """Return what it is without a kernel: a picture, and its steps as a table."""
        raise NotImplementedError

    @view
    def _ipython_display_(self) -> None:
        """Show the widget, and what stands in for it where it is not alive."""
        raise NotImplementedError


def checked_walk(value: Any) -> Walkthrough:
    """Return a walkthrough.

    Raises
    ------
    InvalidArgumentError
        If it is none.

    Examples
    --------
    >>> checked_walk("order")
    Traceback (most recent call last):
    ecsviz.errors.InvalidArgumentError: walk is 'order'. Give what graph.walkthrough(…) returns.
    """
    if isinstance(value, Walkthrough):
        return value
    raise InvalidArgumentError(
        f"walk is {short_repr(value)}. Give what graph.walkthrough(…) returns.",
        argument="walk",
        value=value,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What an algorithm runs on.

    Attributes
    ----------
    names
        One a node, no two the same.
    after
        Per node those that it holds, each once, in the order of their ids.
    order
        The nodes in the order of their ids.
    rank
        Per node its place in that order.
    parts
        The nodes and references themselves.
    """

    names: list[str]
    after: list[list[int]]
    order: list[int]
    rank: list[int]
    parts: Parts

    def say(self, nodes: Any) -> str:
        """Return names in their order, as the state shows them."""
        return ", ".join(self.names[node] for node in nodes) or "–"


def ground_of(graph: Any) -> Ground:
    """Return what an algorithm runs on: small lists instead of arrays.

    Examples
    --------
    >>> import ecsviz as ev
    >>> ground = ground_of(ev.EntityDependencyGraph(ev.sample("two_cycle")))
    >>> ground.names, ground.after
    (['a', 'b'], [[1], [0]])
    """
    parts = graph.arrays
    rank = parts.rank().tolist()
    held: list[set[int]] = [set() for _ in parts.nodes]
    for source, target in zip(parts.sources.tolist(), parts.targets.tolist(), strict=True):
        held[source].add(target)
    after = [sorted(others, key=rank.__getitem__) for others in held]
    return Ground(names_of(parts.nodes), after, np.argsort(rank).tolist(), rank, parts)


def names_of(nodes: Sequence[Any]) -> list[str]:
    """Return a name for every node, numbered where several would have one.

    Examples
    --------
    >>> import ecsviz as ev
    >>> names_of([ev.ChatThread(title="a"), ev.ChatThread(title="a"), ev.ChatThread(title="b")])
    ['a (1)', 'a (2)', 'b']
    """
    plain = [label_of(node, NAME_WIDTH, with_type=False) for node in nodes]
    counts, given = Counter(plain), Counter[str]()
    names = []
    for name in plain:
        given[name] += 1
        names.append(name if counts[name] == 1 else f"{name} ({given[name]})")
    return names
