"""The entity classes of the suite: every shape of reference and every kind of value."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Any, Generic, Literal, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, PrivateAttr, computed_field

import ecsviz as ev


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    NUMBER = 1
    TEXT = "one"


class Point(BaseModel):
    x: int
    y: float = 0.0


@dataclasses.dataclass
class Span:
    start: int
    names: list[str]


class Values(ev.Entity):
    """A field per kind of value."""

    boolean: bool = False
    integer: int = 0
    floating: float = 0.0
    exact: Decimal = Decimal(0)
    text: str = ""
    raw: bytes = b""
    at: datetime | None = None
    day: date | None = None
    clock: time | None = None
    duration: timedelta = timedelta(0)
    uid: UUID | None = None
    colour: Colour = Colour.RED
    level: Level = Level.LOW
    mixed: Mixed = Mixed.NUMBER
    side: Literal["left", "right"] = "left"
    where: PurePosixPath = PurePosixPath("a")
    address: ipaddress.IPv4Address | None = None
    either: int | str | None = None
    anything: Any = None
    listed: list[int] = []
    keyed: dict[int, str] = {}
    pair: tuple[int, str] = (0, "")
    many: tuple[int, ...] = ()
    unique: set[str] = set()
    frozen: frozenset[int] = frozenset()
    nested: dict[str, list[dict[str, float | None]]] = {}
    point: Point | None = None
    points: list[Point] = []
    span: Span | None = None
    colours: list[Colour] = []
    positive: Annotated[int, Field(gt=0)] = 1


class Node(ev.Entity):
    """References of every shape to its own class."""

    name: str = ""
    next: Node | None = None
    links: list[Node] = []
    row: tuple[Node, ...] = ()
    pair: tuple[Node, int] | None = None
    group: set[Node] = set()
    fixed: frozenset[Node] = frozenset()
    by_name: dict[str, Node] = {}
    by_number: dict[int, Node] = {}
    by_colour: dict[Colour, Node] = {}
    by_pair: dict[tuple[int, str], Node] = {}
    by_either: dict[int | str, Node] = {}
    lists: dict[str, list[Node]] = {}
    grid: list[list[Node | None]] = []
    optional: list[Node] | None = None
    sequence: Sequence[Node] = []
    mapping: Mapping[str, Node] = {}
    me: Self | None = None


class Holder(BaseModel):
    """A plain model that holds an entity."""

    who: Node | None = None
    note: str = ""


@dataclasses.dataclass
class Pair:
    """A dataclass that holds entities."""

    left: Node
    right: Node | None = None


class Boxes(ev.Entity):
    holder: Holder = Holder()
    holders: list[Holder] = []
    pair: Pair | None = None


T = TypeVar("T")


class Box(ev.Entity, Generic[T]):
    """A generic entity, of values or of entities."""

    content: T
    more: list[T] = []


class Named(ev.Entity):
    """Names that a database or SQLAlchemy could take amiss."""

    id: int = 0
    metadata: str = ""
    registry: Node | None = None
    select: list[Node] = []
    größe: float = 0.0  # noqa: PLC2401 - such names are what this class is for
    position: int = 0
    key: dict[str, Node] = {}
    nodes_id: str = ""


class Animal(ev.Entity):
    name: str = ""
    friend: Animal | None = None


class Dog(Animal):
    tricks: int = 0


class Puppy(Dog):
    mother: Dog | None = None


class Stone(ev.Entity):
    weight: float = 0.0


class Shelf(ev.Entity):
    top: Dog | Stone | None = None
    things: list[Animal | Stone] = []
    keeper: Animal


class Left(ev.Entity):
    right: Right


class Right(ev.Entity):
    left: Left


class Thread(ev.Entity):
    title: str = ""
    messages: list[Message] = []


class Archive(Thread):
    shelf: int = 0


class Message(ev.Entity):
    thread: Thread
    text: str = ""
    parent: Message | None = ev.reference(inverse="replies", default=None)
    replies: list[Message] = ev.reference(inverse="parent", default_factory=list)


class Report(Message):
    pages: int = 0


class Habits(ev.Entity):
    """Aliases, private attributes, computed fields and properties."""

    shown_name: str = Field(default="", alias="shownName")
    left_out: str = Field(default="kept", exclude=True)
    held: Node | None = Field(default=None, alias="heldNode", exclude=True)
    _cache: int = PrivateAttr(default=7)

    @computed_field  # type: ignore[prop-decorator]  # a property below it is what pydantic asks for
    @property
    def loud(self) -> str:
        return self.shown_name.upper()

    @property
    def broken(self) -> str:
        raise RuntimeError("a property was evaluated")


for _cls in (
    Node,
    Named,
    Animal,
    Shelf,
    Left,
    Right,
    Thread,
    Archive,
    Message,
    Report,
    Boxes,
    Habits,
):
    _cls.model_rebuild()


def mutual() -> Left:
    """Two entities that require each other."""
    left = Left.model_construct(ecs_id=(made := Node()).ecs_id, lineage_id=made.ecs_id)
    left.right = Right(left=left)
    return left


def thread(count: int = 3, title: str = "t") -> Thread:
    """A thread of messages, each the reply to the one before."""
    result = Thread(title=title)
    last: Message | None = None
    for number in range(count):
        message = Message(thread=result, text=str(number), parent=last)
        if last is not None:
            last.replies.append(message)
        result.messages.append(message)
        last = message
    return result
