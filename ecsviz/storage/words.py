"""Words in texts: what a search looks for, which texts have it, how well, and what is shown.

One meaning for all storages: texts are taken apart here, whoever keeps an index of the words. What
databases know of words differs between them and from release to release.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ecsviz.errors import InvalidArgumentError, short_repr

MOST_TERMS: Final = 64
"""How many words and phrases a search may have: databases bound their expressions."""

LONGEST: Final = 200
"""How many characters of a word count: databases bound the entries of their indexes."""

SHOWN: Final = 160
"""How many characters a snippet has at most, and about how many of them stand before the hit."""
_BEFORE: Final = 40


class _Folding(dict[int, str]):
    """Character → what it stands for in words: letters, digits and marks, or a space."""

    def __missing__(self, code: int) -> str:
        apart = unicodedata.normalize("NFKD", chr(code)).casefold()
        apart = unicodedata.normalize("NFKD", apart)
        found = self[code] = "".join(
            c if unicodedata.category(c)[0] in "LNM" else " " for c in apart if not _is_accent(c)
        )
        return found


def _is_accent(mark: str) -> bool:
    """Tell whether a mark is none of the word: an accent, or how a character is to be drawn."""
    drawn = "\ufe00" <= mark <= "\ufe0f" or "\U000e0100" <= mark <= "\U000e01ef"
    return "\u0300" <= mark <= "\u036f" or drawn or unicodedata.category(mark) == "Me"


class _Shapes(dict[int, str]):
    """Character → "w" if it stands in a word, else a space."""

    def __missing__(self, code: int) -> str:
        folded = _FOLDING[code]
        found = self[code] = "w" if folded.strip() or not folded else " "
        return found


_FOLDING: Final = _Folding()
_SHAPES: Final = _Shapes()


def words_in(text: str) -> list[str]:
    """Return the words of a text, in order, as they are compared.

    Notes
    -----
    A word is a run of letters, digits and marks. Case does not count, nor do accents (the
    combining marks U+0300 to U+036F, after Unicode's compatibility decomposition, NFKD) and signs
    of how a character is drawn, nor what follows the 200th
    character. O(characters); each is looked up in a table.

    Examples
    --------
    >>> words_in("Café: the_SAVE-plan, ½ Straße!")
    ['cafe', 'the', 'save', 'plan', '1', '2', 'strasse']
    """
    apart = text.translate(_FOLDING)
    found = apart.split()
    if len(apart) > LONGEST and max(map(len, found), default=0) > LONGEST:
        return [word[:LONGEST] for word in found]
    return found


def folded(text: str) -> str:
    """Return the words of a text with one space between them: what an index keeps."""
    return " ".join(words_in(text))


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow each other; the last may be the beginning of one."""

    words: tuple[str, ...]
    prefix: bool = False

    @property
    def pattern(self) -> str:
        """What a folded text with a space on both sides holds where it has the term."""
        return f" {' '.join(self.words)}{'' if self.prefix else ' '}"


@dataclass(frozen=True, slots=True)
class SoughtWords:
    """What a search by words looks for.

    Attributes
    ----------
    text
        As it was asked.
    terms
        All of them must be in a text.
    """

    text: str
    terms: tuple[Term, ...]

    def fits(self, words: str) -> bool:
        """Tell whether a folded text has all terms."""
        padded = f" {words} "
        return all(term.pattern in padded for term in self.terms)


def sought_words(text: Any) -> SoughtWords:
    """Return what a search looks for.

    Parameters
    ----------
    text
        Words; ``"several words"`` in quotation marks follow each other; ``wor*`` is how a word
        begins. Everything else divides words.

    Raises
    ------
    InvalidArgumentError
        If it is no text, or has no words, or more than 64.

    Examples
    --------
    >>> sought_words('save "the plan" cyc*').terms
    (Term(words=('save',), prefix=False), Term(words=('the', 'plan'), prefix=False), \
Term(words=('cyc',), prefix=True))
    """
    if not isinstance(text, str):
        raise InvalidArgumentError(
            f"What to search for is {short_repr(text)}. Give words as a text.", value=text
        )
    terms = list(dict.fromkeys(_terms(text)))
    if not terms:
        raise InvalidArgumentError(
            f"There is no word in {short_repr(text)}. Words are runs of letters and digits; give at"
            ' least one: save "the plan" cyc*',
            value=text,
        )
    if len(terms) > MOST_TERMS:
        raise InvalidArgumentError(
            f"A search for {len(terms):,} words: give at most {MOST_TERMS}. Those that follow each"
            " other count as one in quotation marks.",
            value=text,
        )
    return SoughtWords(text, tuple(terms))


def begun_words(text: str) -> SoughtWords | None:
    """Return what somebody looks for who is still at it: the last word may go on.

    None if there is no word, or too many of them.

    Examples
    --------
    >>> begun_words("save pl").terms
    (Term(words=('save',), prefix=False), Term(words=('pl',), prefix=True))
    >>> begun_words("100 %").terms, begun_words("%")
    ((Term(words=('100',), prefix=False),), None)
    """
    try:
        return sought_words(f"{text}*")
    except InvalidArgumentError:
        return None


def _terms(text: str) -> Iterator[Term]:
    parts = text.split('"')
    for number, part in enumerate(parts):
        if number % 2 and number < len(parts) - 1:  # between two quotation marks
            if words := words_in(part):
                yield Term(tuple(words))
            continue
        *starred, last = part.split("*")
        for piece in starred:
            *whole, begun = words_in(piece) or [""]
            yield from (Term((word,)) for word in whole)
            if begun:
                yield Term((begun,), prefix=not piece.translate(_SHAPES).endswith(" "))
        yield from (Term((word,)) for word in words_in(last))


# -- how well --------------------------------------------------------------------------------


class Ranking:
    """How well texts that are read one after another fit: BM25, over the texts that are read.

    Notes
    -----
    k₁ = 1.2 and b = 0.75 as in SQLite's FTS5; the weight of a term is never negative
    (ln(1 + (N - n + ½) / (n + ½)), as in Lucene). Robertson and Zaragoza, "The Probabilistic
    Relevance Framework: BM25 and Beyond", 2009. O(characters × terms).

    Examples
    --------
    >>> ranking = Ranking(sought_words("plan"))
    >>> for number, text in enumerate(["a plan", "plan by plan", "none"]):
    ...     ranking.add(number, text)
    >>> [key for key, score in sorted(ranking.scores(), key=lambda found: -found[1])]
    [1, 0]
    """

    def __init__(self, sought: SoughtWords) -> None:
        self._texts = self._length = 0
        self._patterns = [term.pattern for term in sought.terms]
        self._having = [0] * len(sought.terms)
        self._fitting: list[tuple[Any, list[int], int]] = []

    def add(self, key: Any, text: str) -> None:
        """Look at a text."""
        words = f" {folded(text)} "
        length = words.count(" ") - 1
        self._texts += 1
        self._length += length
        counts = list(map(words.count, self._patterns))
        if any(counts):
            self._having = [n + bool(count) for n, count in zip(self._having, counts, strict=True)]
            if all(counts):
                self._fitting.append((key, counts, length))

    def scores(self) -> list[tuple[Any, float]]:
        """Return what fits, in the order in which it was looked at, each with its score."""
        weights = [math.log1p((self._texts - n + 0.5) / (n + 0.5)) for n in self._having]
        mean = self._length / max(self._texts, 1)
        return [
            (
                key,
                sum(
                    weight * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean))
                    for weight, count in zip(weights, counts, strict=True)
                ),
            )
            for key, counts, length in self._fitting
        ]


# -- what is shown ---------------------------------------------------------------------------


class _Word(NamedTuple):
    """A word and where it stands."""

    word: str
    start: int
    stop: int


def snippet(text: str, sought: SoughtWords) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the part of a text where it first fits, and the places of the hits in that.

    Notes
    -----
    At most 160 characters, from and to where words begin and end if there is room; with an ellipsis
    where something is left out. O(characters).

    Examples
    --------
    >>> snippet("What is a save plan?", sought_words("plan sav*"))
    ('What is a save plan?', ((10, 14), (15, 19)))
    """
    return _cut(text, _first_hits(text, sought.terms))


def snippet_of_parts(
    text: str, parts: Sequence[str]
) -> tuple[str, tuple[tuple[int, int], ...]] | None:
    """Return the part of a text where one of some others is in it first; None unless all are.

    Examples
    --------
    >>> snippet_of_parts("What is a save plan?", ["AVE", "what"])
    ('What is a save plan?', ((0, 4), (11, 14)))
    """
    low, sought = text.casefold(), [part.casefold() for part in parts]
    if not all(part in low for part in sought):
        return None
    if len(low) != len(text):  # the places are others
        return _cut(text, [])
    places = [(match.start(), match.end()) for part in sought for match in _all(part, low)]
    return _cut(text, sorted(places))


def _all(part: str, text: str) -> Iterator[re.Match[str]]:
    return re.finditer(re.escape(part), text)


def _cut(text: str, hits: Sequence[tuple[int, int]]) -> tuple[str, tuple[tuple[int, int], ...]]:
    first = hits[0][0] if hits else 0
    start, stop = _window(text, first)
    head, tail = "…" if start else "", "…" if stop < len(text) else ""
    shown = "".join(" " if c.isspace() else c for c in text[start:stop])
    shift = len(head) - start
    marks: list[tuple[int, int]] = []
    for begin, end in hits:
        if start <= begin < stop:
            begins, ends = begin + shift, min(end, stop) + shift
            if marks and begins < marks[-1][1]:  # one within another
                begins, ends = marks[-1][0], max(ends, marks[-1][1])
                marks.pop()
            marks.append((begins, ends))
    return f"{head}{shown}{tail}", tuple(marks)


def _first_hits(text: str, terms: Sequence[Term]) -> list[tuple[int, int]]:
    """Return where the terms are, at least as far as a snippet from the first of them reaches."""
    size = _LOOKED_AT
    while True:
        whole = size >= len(text)
        words = _placed(text[:size])
        if not whole:  # the last word may go on
            words = [word for word in words if word.stop < size]
        hits = list(_hits(words, terms))
        if whole or (hits and hits[0][0] + 2 * SHOWN < size):
            return hits
        size *= 8


_LOOKED_AT: Final = 4_000
"""How many characters of a long text are taken apart at first."""


def _placed(text: str) -> list[_Word]:
    """Return the words of a text with their places."""
    shape, found, stop = text.translate(_SHAPES), [], 0
    while (start := shape.find("w", stop)) >= 0:
        stop = shape.find(" ", start)
        stop = len(shape) if stop < 0 else stop
        found += [_Word(word, start, stop) for word in words_in(text[start:stop])]
    return found


def _hits(words: Sequence[_Word], terms: Sequence[Term]) -> Iterator[tuple[int, int]]:
    """Yield where a term is, in the order of the text."""
    begins: dict[str, list[Term]] = {}
    prefixes = [term for term in terms if term.prefix]
    for term in terms:
        if not term.prefix:
            begins.setdefault(term.words[0], []).append(term)
    for n, word in enumerate(words):
        for term in begins.get(word.word, ()):
            those = words[n : n + len(term.words)]
            if tuple(each.word for each in those) == term.words:
                yield word.start, those[-1].stop
        if any(word.word.startswith(term.words[0]) for term in prefixes):
            yield word.start, word.stop


def _window(text: str, first: int) -> tuple[int, int]:
    """Return from where to where a text is shown, so that a place in it is seen."""
    if len(text) <= SHOWN:
        return 0, len(text)
    start = min(max(first - _BEFORE, 0), len(text) - SHOWN + 2)
    stop = min(start + SHOWN - 2, len(text))  # with room for two ellipses
    if start:
        space = text.find(" ", start, first)
        start = start if space < 0 else space + 1
    if stop < len(text):
        space = text.rfind(" ", max(first, start) + 1, stop)
        stop = stop if space < 0 or space - start < SHOWN // 2 else space
    return start, stop
