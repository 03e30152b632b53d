"""Regular expressions over texts of others: none takes time that grows as the square."""

from __future__ import annotations

import importlib
import pkgutil
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from re import _constants as kinds  # type: ignore[attr-defined]  # of the parser, not in the stubs
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

import ecsviz.importers

LENGTH = 30_000

SECONDS = 3
"""Of CPU for one text, which takes a thousandth of that; where the square counts, far more."""

_SAID: dict[Any, str] = {
    kinds.CATEGORY_DIGIT: "1",
    kinds.CATEGORY_SPACE: " ",
    kinds.CATEGORY_WORD: "a",
}


def patterns() -> dict[str, tuple[re.Pattern[str], list[str]]]:
    """Return the patterns of all importers, each with how its module uses it."""
    found = {}
    for info in pkgutil.walk_packages(ecsviz.importers.__path__, "ecsviz.importers."):
        module = importlib.import_module(info.name)
        text = Path(module.__file__ or "").read_text(encoding="utf-8")
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                uses = [u for u in ("search", "match", "fullmatch") if f"{name}.{u}" in text]
                if re.search(rf"\b{name}\.(sub|split|finditer|findall)", text):
                    uses.append("search")
                if uses:
                    found[f"{info.name.removeprefix('ecsviz.importers.')}.{name}"] = (value, uses)
    return found


def one(op: Any, given: Any) -> str:
    """Return a short text that a part of a pattern takes."""
    if op is kinds.LITERAL:
        return chr(given)
    if op in (kinds.ANY, kinds.NOT_LITERAL):
        return "a" if given != ord("a") else "b"
    if op is kinds.IN:
        return of_set(given)
    if op in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
        return whole(given[2]) * max(1, int(given[0]))
    if op is kinds.SUBPATTERN:
        return whole(given[3])
    if op is kinds.BRANCH:
        return whole(given[1][0])
    return whole(given) if op is kinds.ATOMIC_GROUP else ""


def whole(sequence: Any) -> str:
    return "".join(one(*each) for each in sequence)


def of_set(given: Any) -> str:
    if given[0][0] is kinds.NEGATE:
        taken = {chr(value) for op, value in given if op is kinds.LITERAL}
        return next(each for each in "a-1\x01z" if each not in taken)
    op, value = given[0]
    if op is kinds.CATEGORY:
        return _SAID.get(value, "-")
    return chr(value if op is kinds.LITERAL else value[0])


def hostile(sequence: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Yield a beginning, and what is repeated behind it: each run of parts, and what is in them."""
    parts = list(sequence)
    texts = [one(*each) for each in parts]
    for start, (op, given) in enumerate(parts):
        here = before + "".join(texts[:start])
        for end in range(start + 1, len(parts) + 1):
            if (again := "".join(texts[start:end])) and len(again) < 100:
                yield here, again
        if op in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
            yield from hostile(given[2], here)
        elif op is kinds.SUBPATTERN:
            yield from hostile(given[3], here)


PATTERNS = patterns()


def test_there_are_patterns() -> None:
    assert len(PATTERNS) > 30


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no alarms")
@pytest.mark.parametrize("name", PATTERNS)
def test_no_text_takes_a_pattern_the_square_of_its_length(name: str) -> None:
    pattern, uses = PATTERNS[name]
    pairs = list(dict.fromkeys(hostile(parser.parse(pattern.pattern, pattern.flags))))
    pairs = pairs[:: 1 + len(pairs) // 40] + [("", each) for each in ' a1"\n<']

    def ring(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, ring)
    try:
        for start, again in pairs:
            text = start + again * (LENGTH // len(again)) + "\0"
            for use in uses:
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                try:
                    getattr(pattern, use)(text)
                except TimeoutError:
                    pytest.fail(f"{use} {pattern.pattern!r}: {start!r} and then {again!r}")
                finally:
                    signal.setitimer(signal.ITIMER_PROF, 0)
    finally:
        signal.signal(signal.SIGPROF, before)
