"""The widget of an exercise on order: names that one drags, and what is off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import traitlets

from ecsviz.basics.arguments import natural_number
from ecsviz.basics.html import Child, element, table
from ecsviz.errors import InvalidArgumentError, short_repr
from ecsviz.widgets.base import LiveWidget, Message, whole_number
from ecsviz.widgets.lesson.making import Exercise, Verdict, material_of, task


class OrderWidget(LiveWidget):
    """The widget of an exercise on order, which ``lessons.arrange(…)`` returns.

    Attributes
    ----------
    question
        A trait: what is asked.
    names
        A trait: the names, in the order in which they stand.
    said
        A trait: what was said of that order, or the hint; empty as soon as one is moved.
    right
        A trait: whether the order was right when it was checked.
    """

    bundle: ClassVar[str] = "order"
    answers: ClassVar[Mapping[str, str]] = {"move": "_move", "check": "_check", "hint": "_hint"}

    question = traitlets.Unicode().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    right = traitlets.Bool(False).tag(sync=True)

    def __init__(self, asked: Exercise, about: Any) -> None:
        self.asked, self.about = asked, about
        self._members = _names_of(asked, about)
        names = self._members
        if asked.check(names, about):  # nobody is to find it solved
            names = names[::-1]
        super().__init__(question=asked.question, names=names)

    @traitlets.validate("names")
    def _check_names(self, proposal: Any) -> list[str]:
        if sorted(proposal.value) != self._members:
            raise InvalidArgumentError(
                f"names is {short_repr(proposal.value)}. Give each of {short_repr(self._members)}"
                " once.",
                argument="names",
                value=proposal.value,
            )
        return list(proposal.value)

    @traitlets.observe("names")
    def _moved(self, _: Any) -> None:
        self.said, self.right = "", False

    def move(self, place: int, to: int) -> None:
        """Move a name to another place.

        Parameters
        ----------
        place
            Where it stands now, from 0.
        to
            Where it is to stand; the others move up.

        Raises
        ------
        InvalidArgumentError
            If there is no such place.
        """
        for name, value in (("place", place), ("to", to)):
            number = natural_number(value)
            if number is None or number >= len(self.names):
                raise InvalidArgumentError(
                    f"{name} is {short_repr(value)}. Give a whole number from 0 to"
                    f" {len(self.names) - 1}.",
                    argument=name,
                    value=value,
                )
        names = list(self.names)
        names.insert(to, names.pop(place))
        self.names = names

    def check(self) -> Verdict:
        """Say whether the order is right, or what is off."""
        verdict = self.asked.check(self.names, self.about)
        self.said, self.right = verdict.said, verdict.right
        return verdict

    def hint(self) -> str:
        """Show a hint, and return it."""
        self.right = False
        self.said = self.asked.clue(self.about)
        return self.said

    def _move(self, message: Message) -> None:
        name, last = message.get("item"), len(self.names) - 1
        if not isinstance(name, str) or name not in self.names:
            return
        place, by = self.names.index(name), whole_number(message, "by", -1, 1)
        to = whole_number(message, "to", 0, last) if by is None else place + by
        if to is not None and 0 <= to <= last:
            self.move(place, to)

    def _check(self, _: Message) -> None:
        self.check()

    def _hint(self, _: Message) -> None:
        self.hint()

    def _still(self) -> list[Child]:
        question = element(
            "p", element("strong", self.asked.name), f" {self.question}", look="line"
        )
        return [question, table(("", "name"), list(enumerate(self.names, 1)))]

    def __repr__(self) -> str:
        return f"OrderWidget({self.asked.name!r}: {', '.join(self.names)})"


def arrange(name: Any, on: Any = None) -> OrderWidget:
    """Return a widget in which one drags names into an order, and is told what is off.

    Parameters
    ----------
    name, on
        As of `check`; the exercise is one whose answer is a list of names, such as ``"order-1"``.

    Returns
    -------
    OrderWidget
        Also by keyboard: the arrow keys move what has the focus, and so do buttons.

    Raises
    ------
    InvalidArgumentError
        If there is no exercise of that name, its question does not fit `on`, or its answer is no
        list of names, each there once.

    Examples
    --------
    >>> widget = arrange("order-1")
    >>> widget
    OrderWidget('order-1': butter, cake, dough, flour, oven)
    >>> widget.check()
    cake stands before dough, which it needs.
    >>> widget.move(1, 4)
    >>> widget.check()
    dough stands before flour, which it needs.
    """
    asked = task(name)
    return OrderWidget(asked, material_of(asked, on))


def _names_of(asked: Exercise, about: Any) -> list[str]:
    answer = asked.solve(about)
    listed = isinstance(answer, list) and all(isinstance(item, str) for item in answer)
    if not listed or len(set(answer)) < len(answer):
        raise InvalidArgumentError(
            f"{asked.name} asks for no order of names, each there once. lessons.check("
            f"{asked.name!r}, …) takes its answer.",
            argument="name",
            value=asked.name,
        )
    return sorted(answer)
