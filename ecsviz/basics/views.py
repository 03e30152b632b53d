"""Views by word: methods of classes that functions of folders above them answer.

A class says what it can be shown or written as (`view`); the face, ``ecsviz/__init__``, says once
who answers (`connect`). So nothing below imports a picture, a widget or a file format, and
Shift+Tab still shows every option of the answer with its default.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MethodType
from typing import Any, TypeVar, cast, overload

from ecsviz.errors import UnknownOptionError, did_you_mean

F = TypeVar("F", bound=Callable[..., Any])

_answers: dict[str, str] = {}


class View:
    """A method that is answered elsewhere; see `view`."""

    def __init__(self, stub: Callable[..., Any]) -> None:
        functools.update_wrapper(self, stub)
        self.word = stub.__qualname__

    def __get__(self, shown: Any, owner: type | None = None) -> Any:
        return self if shown is None else MethodType(self, shown)

    @property
    def __signature__(self) -> inspect.Signature:
        """The answer's, so that Shift+Tab shows its options."""
        answer = inspect.signature(self._answer())
        first, *others = answer.parameters.values()
        return answer.replace(parameters=[first.replace(name="self"), *others])

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the answer, if it has all these options."""
        answer = self._answer()
        _, *known = inspect.signature(answer).parameters.values()
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known)
        listed = [parameter.name for parameter in known]
        unknown = [] if open_ended else [name for name in options if name not in listed]
        if unknown:
            word = self.word.rpartition(".")[2]
            raise UnknownOptionError(
                f"{word}() has no option {unknown[0]!r}.{did_you_mean(unknown[0], listed)} "
                f"Its options: {', '.join(listed) or 'none'}.",
                option=unknown[0],
            )
        return answer(*args, **options)

    def _answer(self) -> Callable[..., Any]:
        module, _, name = _answers[self.word].rpartition(".")
        answer: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return answer


def view(stub: F) -> F:
    """Make a method one that is answered by the function which `connect` names.

    Parameters
    ----------
    stub
        The method: its name, its documentation and what it returns; its body never runs.

    Notes
    -----
    The signature that people see is the function's. An option that the function does not have
    is an `UnknownOptionError`, before anything runs.

    Examples
    --------
    >>> import inspect, ecsviz as ev
    >>> graph = ev.EntityDependencyGraph(ev.sample("two_cycle"))
    >>> inspect.signature(graph.draw).parameters["legend"].default
    True
    >>> graph.draw(legends=False)
    Traceback (most recent call last):
    ecsviz.errors.UnknownOptionError: draw() has no option 'legends'. Did you mean 'legend'? ...
    """
    return cast("F", View(stub))


def own_view(shown: object, word: str) -> bool:
    """Tell whether an object can be shown by a word of ours, and not by a method of its user's.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> own_view(thread, "explore"), own_view(thread, "draw"), own_view("a text", "explore")
    (True, False, False)
    """
    return isinstance(inspect.getattr_static(type(shown), word, None), View)


def connect(answers: Mapping[str, str]) -> None:
    """Say which functions answer: by ``"Class.method"`` the function's full name.

    It is imported when it is asked for first.
    """
    _answers.update(answers)


class ToHtml:
    """What has a picture and tables, and can be kept as a page."""

    __slots__ = ()

    @overload
    def to_html(self, path: None = None, **options: Any) -> str: ...
    @overload
    def to_html(self, path: str | Path, **options: Any) -> Path: ...
    @view
    def to_html(self, path: str | Path | None = None, **options: Any) -> str | Path:
        """Return, or write, a page with the picture and the tables.

        Parameters
        ----------
        path
            Where to write. None returns the text.
        **options
            ``title``, and those of ``draw``.
        """
        raise NotImplementedError
