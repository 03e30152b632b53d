"""Where inside a field an entity stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.paths import MAX_KEY, format_path
from ecsviz.domain.walk import walk


class Stop(ev.Entity):
    name: str = ""


class Open(BaseModel):
    """A plain model that takes what it does not declare."""

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)
    title: str = ""


@dataclass
class Late:
    """A dataclass with a field that nothing has set yet."""

    stop: Stop
    later: Any = field(init=False)


class Line(ev.Entity):
    anything: Any = None
    stops: set[Stop] = set()


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (lambda: [Open(title="x", stop=Stop())], "[0].stop"),
        (lambda: Late(stop=Stop()), ".stop"),
    ],
)
def test_entities_are_found_in_what_is_not_declared_or_not_set(
    value: Callable[[], Any], place: str
) -> None:
    """Nothing that a storage would lose goes by: it is refused, with its place."""
    with pytest.raises(errors.UnsupportedFieldError, match=re.escape(f"anything{place} holds")):
        walk([Line(anything=value())])


def test_malformed_ids_in_sets_are_told() -> None:
    line = Line(stops={Stop(), Stop()})
    next(iter(line.stops)).__dict__["ecs_id"] = "none"
    with pytest.raises(errors.InvalidIdError, match="'none'"):
        walk([line])


def test_keys_are_shown_whole_up_to_a_length() -> None:
    fits = "k" * (MAX_KEY - 2)  # and two quotes
    assert format_path("f", fits) == f"f['{fits}']"
    longer = format_path("f", fits + "k")
    assert "…" in longer
    assert len(longer) < len(f"f['{fits}']") + 2
