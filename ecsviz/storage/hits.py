"""What a search by words finds: hits with snippets, as plain objects, a table or a frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload
from uuid import UUID

from ecsviz.basics.arguments import listed, natural_number
from ecsviz.basics.html import Element, element, table
from ecsviz.basics.result_frames import typed_frame
from ecsviz.basics.text import counted, plain
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.storage.words import SoughtWords, snippet, sought_words

if TYPE_CHECKING:
    import pandas as pd

_LINES = 20
"""How many hits stand in the text of a cell."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A text of an entity in which everything is that was searched for.

    Attributes
    ----------
    ecs_id
        Of the entity: ``store.get(hit.ecs_id, hops=0)``.
    type, field
        The name of its class, and the field that holds the text.
    score
        How well it fits, the higher the better; to be compared within one search alone.
    snippet
        The part of the text where it first fits.
    marks
        Where in the snippet something is that was searched for: pairs of start and stop.
    """

    ecs_id: UUID
    type: str
    field: str
    score: float
    snippet: str
    marks: tuple[tuple[int, int], ...]


class Hits(Sequence[Hit]):
    """What a search has found, the best first: a sequence, and in a notebook a table.

    Parameters
    ----------
    text
        What was searched for.
    hits
        What was found.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.InMemoryEntityStorage()
    >>> _ = store.register(ev.ChatThread(title="The save plan"))
    >>> hits = store.search("plan", ev.ChatThread)
    >>> hits
    1 hit for 'plan'
      ChatThread.title: The save [plan]
    >>> hits.to_frame()[["type", "field", "snippet"]]
             type  field        snippet
    0  ChatThread  title  The save plan
    """

    def __init__(self, text: str, hits: Iterable[Hit] = ()) -> None:
        self.text = text
        self._hits = tuple(hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...

    @overload
    def __getitem__(self, index: slice) -> Hits: ...

    def __getitem__(self, index: int | slice) -> Hit | Hits:
        if isinstance(index, slice):
            return Hits(self.text, self._hits[index])
        return self._hits[index]

    def __len__(self) -> int:
        return len(self._hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self._hits)

    def __eq__(self, other: object) -> bool:
        return self._hits == other._hits if isinstance(other, Hits) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as lists: equal by what they hold

    def to_frame(self) -> pd.DataFrame:
        """Return the hits as a DataFrame.

        Returns
        -------
        DataFrame
            A row per hit, the best first: ``type``, ``field``, ``score``, ``snippet``, ``ecs_id``
            (UUID).
        """
        rows = [(hit.type, hit.field, hit.score, hit.snippet, hit.ecs_id) for hit in self._hits]
        texts = {"type": "str", "field": "str"}
        return typed_frame(rows, {**texts, "score": float, "snippet": "str", "ecs_id": object})

    def _said(self) -> str:
        return f"{counted(len(self), 'hit')} for {short_repr(self.text)}"

    def __repr__(self) -> str:
        lines = [self._said()]
        for hit in self._hits[:_LINES]:
            found = parts_of(hit.snippet, hit.marks)
            parts = [f"[{text}]" if marked else text for text, marked in found]
            lines.append(f"  {hit.type}.{hit.field}: {plain(''.join(parts), 200)}")
        more = len(self) - _LINES
        return "\n".join([*lines, f"  … and {more:,} more"] if more > 0 else lines)

    def _repr_html_(self) -> str:
        rows = [(f"{hit.type}.{hit.field}", _marked(hit), str(hit.ecs_id)) for hit in self._hits]
        return str(table(("field", "text", "ecs_id"), rows, caption=self._said()))


def parts_of(snippet: str, marks: Iterable[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    """Yield a snippet in parts, each with whether it is marked."""
    at = 0
    for start, stop in marks:
        yield snippet[at:start], False
        yield snippet[start:stop], True
        at = stop
    yield snippet[at:], False


def _marked(hit: Hit) -> Element:
    found = parts_of(hit.snippet, hit.marks)
    parts = (element("strong", text) if marked else text for text, marked in found if text)
    return element("span", *parts, dir="auto")


# -- a search --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextSearch:
    """A search by words, its options checked.

    Attributes
    ----------
    sought
        What is looked for.
    fields
        In which fields of the class; None for those that are indexed, or else for all texts.
    offset, stop
        Which hits are returned; a stop of None for all of the rest.
    """

    sought: SoughtWords
    fields: tuple[str, ...] | None
    offset: int
    stop: int | None


def text_search(text: Any, cls: type | None, fields: Any, limit: Any, offset: Any) -> TextSearch:
    """Return a search, its options checked.

    Raises
    ------
    InvalidArgumentError
        If an option has a value that it cannot have.
    """
    sought = sought_words(text)
    if cls is None and fields is not None:
        raise InvalidArgumentError(
            "fields= names fields of a class. Give the class too: store.search('plan', ChatMessage,"
            " fields=['content']).",
            value=fields,
        )
    for option, value in (("limit", limit), ("offset", offset)):
        if natural_number(value) is None and not (option == "limit" and value is None):
            raise InvalidArgumentError(
                f"{option} is {short_repr(value)}. Give a whole number from 0.", value=value
            )
    first = min(int(offset), _MOST)
    stop = None if limit is None else min(first + int(limit), _MOST)
    return TextSearch(sought, named_fields(fields), first, stop)


_MOST = 2**62
"""No database has more rows, nor takes a larger number."""


def named_fields(fields: Any) -> tuple[str, ...] | None:
    """Return the names of fields that were given: one, several, or None."""
    if fields is None or isinstance(fields, str):
        return None if fields is None else (fields,)
    names = listed(fields, "fields", "Give names of fields.")
    for name in names:
        if not isinstance(name, str):
            raise InvalidArgumentError(
                f"fields holds {short_repr(name)}. Give names of fields.", value=name
            )
    return tuple(dict.fromkeys(names))


def check_text_fields(cls: type, texts: Sequence[str], fields: Iterable[str]) -> None:
    """Raise unless all of some fields of a class hold texts.

    Parameters
    ----------
    cls
        The class.
    texts
        Its fields that hold texts.
    fields
        Those that are named.

    Raises
    ------
    InvalidArgumentError
        Naming the field, and what there is.
    """
    for name in fields:
        if name not in texts:
            there = f" Texts are in {', '.join(texts[:5])}." if texts else " It has none."
            raise InvalidArgumentError(
                f"{cls.__name__} has no text in a field {short_repr(name)}."
                f"{did_you_mean(name, texts)}{there}",
                field=name,
                fields=list(texts),
            )


Ranked = tuple[float, str, int, Any]
"""A hit yet to be shown: score, type, number of the field among those searched, and its row."""


def in_rank(found: Iterable[Ranked], wanted: TextSearch) -> list[Ranked]:
    """Return the hits that are wanted: the best first, then by class, field and row."""
    ordered = sorted(found, key=lambda hit: (-hit[0], *hit[1:]))
    return ordered[wanted.offset : wanted.stop]


def hit_of(score: float, name: str, field: str, ecs_id: UUID, text: str, by: SoughtWords) -> Hit:
    """Return a hit with its snippet."""
    return Hit(ecs_id, name, field, score, *snippet(text, by))


def nothing_indexed() -> InvalidArgumentError:
    """Return the error for a search without a class where no text is indexed."""
    return InvalidArgumentError(
        "No texts are indexed here. Name a class, store.search('plan', ChatMessage); or index a"
        " field first: store.index_text(ChatMessage, 'content')."
    )
