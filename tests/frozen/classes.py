"""The classes of what is frozen: stores and pickles name them, so they stay as they are."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

import ecsviz as ev


class FrozenColour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class FrozenSize(NamedTuple):
    width: int
    height: int = 0


class FrozenNote(BaseModel):
    text: str
    about: FrozenExhibit | None = None
    tags: tuple[str, ...] = ()


class FrozenKeeper(ev.Entity):
    """Holds exhibits that say the same from the other side."""

    name: str
    exhibits: list[FrozenExhibit] = ev.reference(inverse="keeper", default_factory=list)


class FrozenExhibit(ev.Entity):
    """Every shape of reference."""

    label: str
    keeper: FrozenKeeper | None = ev.reference(inverse="exhibits", default=None)
    beside: FrozenExhibit | None = ev.reference(inverse=None, default=None)
    like: list[FrozenExhibit] = Field(default_factory=list)
    by_name: dict[str, FrozenExhibit] = Field(default_factory=dict)
    bag: set[FrozenExhibit] = Field(default_factory=set)
    gaps: list[FrozenExhibit | None] = Field(default_factory=list)
    groups: dict[str, list[FrozenExhibit]] = Field(default_factory=dict)
    pair: tuple[FrozenExhibit, int] | None = None
    either: FrozenKeeper | FrozenValues | None = None
    note: FrozenNote | None = None


class FrozenPainting(FrozenExhibit):
    """A class that adds a field to its base."""

    painter: str = ""
    size: FrozenSize | None = None


class FrozenValues(ev.Entity):
    """One field for each kind of value."""

    model_config = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="strings"
    )

    whole: int = 0
    maybe: int | None = None
    real: float = 0.0
    flag: bool = False
    text: str = ""
    data: bytes = b""
    money: Decimal = Decimal(0)
    day: dt.date | None = None
    clock: dt.time | None = None
    at: dt.datetime | None = None
    zoned: dt.datetime | None = None
    lasting: dt.timedelta | None = None
    number: UUID | None = None
    colour: FrozenColour = FrozenColour.RED
    side: Literal["left", "right"] = "left"
    row: tuple[int, ...] = ()
    names: set[str] = Field(default_factory=set)
    several: list[float] = Field(default_factory=list)
    table: dict[str, list[int]] = Field(default_factory=dict)
    by_day: dict[dt.date, int] = Field(default_factory=dict)
    anything: Any = None
    more: Any = None
