"""Pictures of schemas: which tables and columns they show, and what is at the ends of lines."""

from __future__ import annotations

import enum
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import sqlalchemy as sa
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from pydantic import Field
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import ecsviz as ev
from ecsviz.draw import DrawingOptionError, draw_schema
from ecsviz.draw.nodes import RISE
from ecsviz.draw.schema import FOOT, MAX_COLUMNS, SMALLEST
from ecsviz.draw.style import CYCLE
from ecsviz.draw.tables import annotation_text, schema_of
from tests.hostile import HOSTILE
from tests.processes import in_a_new_process
from tests.test_draw import all_texts, found, legend, paint, texts, title


def shop() -> sa.MetaData:
    """Customers, their orders, one passport each, and categories in categories."""
    metadata = sa.MetaData()
    key: dict[str, Any] = {"primary_key": True}
    sa.Table(
        "customer",
        metadata,
        sa.Column("id", sa.Integer, **key),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("email", sa.String(80)),
    )
    sa.Table(
        "order",
        metadata,
        sa.Column("id", sa.Integer, **key),
        sa.Column("customer_id", sa.ForeignKey("customer.id"), nullable=False),
        sa.Column("category_id", sa.ForeignKey("category.id")),
    )
    sa.Table(
        "passport",
        metadata,
        sa.Column("customer_id", sa.ForeignKey("customer.id"), **key),
    )
    sa.Table(
        "category",
        metadata,
        sa.Column("id", sa.Integer, **key),
        sa.Column("parent_id", sa.ForeignKey("category.id")),
    )
    return metadata


def by_name(what: Any) -> dict[str, tuple[str, str, bool, bool, bool]]:
    found = schema_of(what)
    return {
        link.name + "@" + found.boxes[link.source].name: (
            found.boxes[link.source].name,
            found.boxes[link.target].name,
            link.many_sources,
            link.many_targets,
            link.optional,
        )
        for link in found.links
    }


def test_tables_have_their_columns_and_keys() -> None:
    ax = draw_schema(shop())
    assert title(ax) == "4 tables, 4 foreign keys, 1 cyclic component"
    assert sorted(texts(ax, "label")) == ["category", "customer", "order", "passport"]
    assert sorted(texts(ax, "column")) == sorted(
        [
            "id",
            "name",
            "email",
            "id",
            "customer_id",
            "category_id",
            "customer_id",
            "id",
            "parent_id",
        ]
    )
    assert sorted(texts(ax, "key")) == sorted(["PK", "PK", "PK", "FK", "FK", "PK FK", "FK"])
    assert {"VARCHAR(40)", "VARCHAR(80)?", "INTEGER"} <= set(texts(ax, "kind"))
    assert len(found(ax, "tables").get_paths()) == len(found(ax, "heads").get_paths()) == 4


def test_links_tell_how_many_lead_to_how_many() -> None:
    assert by_name(shop()) == {
        "parent_id@category": ("category", "category", True, False, True),
        "category_id@order": ("order", "category", True, False, True),
        "customer_id@order": ("order", "customer", True, False, False),
        "customer_id@passport": ("passport", "customer", False, False, False),
    }


def test_crows_feet_stand_at_the_side_of_the_many() -> None:
    metadata = sa.MetaData()
    sa.Table("a", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "b", metadata, sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("a_id", sa.ForeignKey("a.id"), nullable=False),
    )  # fmt: skip
    ax = draw_schema(metadata)
    feet = found(ax, "crow's feet").get_segments()
    assert len(feet) == 3, "two toes besides the line, and one bar"
    left = {t.get_text(): t.get_position()[0] for t in ax.texts if t.get_gid() == "label"}
    assert left["b"] < left["a"], "what has the key stands on the left"
    bar = max(feet, key=lambda s: s[:, 0].max())
    assert np.ptp(bar[:, 1]) > 3 * np.ptp(bar[:, 0]), "a bar lies across its line"
    toes = [s for s in feet if s is not bar]
    assert all(np.hypot(*(s[1] - s[0])) > FOOT for s in toes)
    np.testing.assert_allclose(toes[0][1], toes[1][1])
    assert len(found(ax, "optional").get_paths()) == 1, "nothing says that an a has a b"
    (line,) = found(ax, "references").get_segments()
    assert line[0][0] < line[-1][0]


def test_mutual_keys_stand_on_shaded_ground() -> None:
    metadata = sa.MetaData()
    for one, other in (("staff", "store"), ("store", "staff")):
        sa.Table(
            one, metadata, sa.Column("id", sa.Integer, primary_key=True),
            sa.Column(f"{other}_id", sa.ForeignKey(f"{other}.id")),
        )  # fmt: skip
    ax = draw_schema(metadata)
    assert len(found(ax, "cyclic components").get_paths()) == 1
    lines = found(ax, "cycle references")
    assert len(lines.get_segments()) == 2
    assert tuple(lines.get_colors()[0][:3]) == pytest.approx(to_rgb(CYCLE))
    assert legend(ax) == ["in a cycle", "cyclic component"]


class Base(DeclarativeBase):
    pass


class Owner(Base):
    __tablename__ = "owner"
    id: Mapped[int] = mapped_column(primary_key=True)


class Pet(Base):
    __tablename__ = "pet"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("owner.id"))


@pytest.mark.parametrize(
    "what",
    [Base, Base.metadata, [Owner, Pet], [Owner.__table__, Pet.__table__], {"a": Owner, "b": Pet}],
    ids=["base", "metadata", "classes", "tables", "mapping"],
)
def test_whatever_has_tables_is_drawn(what: Any) -> None:
    assert title(draw_schema(what)) == "2 tables, 1 foreign key, no cycle"


def test_one_table_alone_and_keys_that_lead_elsewhere() -> None:
    for what in (Pet, Pet.__table__):
        ax = draw_schema(what)
        assert title(ax) == "1 table, 0 foreign keys, no cycle"
        assert "1 foreign key to tables that are not here is not shown" in " ".join(
            texts(ax, "note")
        )
    metadata = sa.MetaData()
    sa.Table("a", metadata, sa.Column("b_id", sa.ForeignKey("b.id")))
    assert title(draw_schema(metadata)) == "1 table, 0 foreign keys, no cycle"


def test_a_reflected_database_is_drawn(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    shop().create_all(engine)
    metadata = sa.MetaData()
    metadata.reflect(engine)
    assert by_name(metadata) == by_name(shop())
    engine.dispose()


def test_a_store_draws_its_own_tables_and_keeps_its_books_to_itself() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = ev.ChatThread(title="x")
    thread.say("user", "hello")
    store.register(thread)
    store.register(thread)
    ax = store.draw_schema(title="My store")
    assert title(ax).split("\n") == ["My store", "2 tables, 2 foreign keys, 1 cyclic component"]
    assert sorted(texts(ax, "label")) == ["chat_messages", "chat_threads"]
    columns = texts(ax, "column")
    assert "thread_id" in columns
    assert [name for name in columns if name.startswith("ecs_")] == ["ecs_id"] * 2
    assert "(ecs_…) are not shown" in " ".join("\n".join(texts(ax, "note")).split())


def test_a_store_in_memory_draws_its_classes() -> None:
    store = ev.InMemoryEntityStorage()
    assert title(store.draw_schema()) == "0 classes, 0 references, no cycle"
    store.register([ev.ChatThread(title="x"), ev.ChatThread(title="y")])
    ax = store.draw_schema(title="Mine")
    assert title(ax).split("\n") == ["Mine", "2 classes, 2 references, 1 cyclic component"]
    assert sorted(texts(ax, "label")) == ["ChatMessage", "ChatThread"]
    assert title(draw_schema(store)) == title(store.draw_schema())


def test_a_store_draws_tables_of_classes_that_are_not_defined_here(tmp_path: Path) -> None:
    code = (
        "import sys, ecsviz as ev\n"
        "class Elsewhere(ev.Entity):\n    name: str\n    friends: list['Elsewhere'] = []\n"
        "ev.SQLAlchemyEntityStorage(sys.argv[1]).register(Elsewhere(name='x'))"
    )
    path = tmp_path / "a.db"
    in_a_new_process(code, path)
    ax = ev.SQLAlchemyEntityStorage(path).draw_schema()
    assert sorted(texts(ax, "label")) == ["elsewhere_friends", "elsewheres"]
    assert title(ax) == "2 tables, 2 foreign keys, no cycle"
    later = ev.SQLAlchemyEntityStorage(tmp_path / "later.db")
    assert title(later.draw_schema()) == "0 tables, 0 foreign keys, no cycle"
    assert not (tmp_path / "later.db").exists()


class Kind(enum.Enum):
    A = "a"


class Author(ev.Entity):
    name: str
    books: list[Book] = Field(default_factory=list)


class Book(ev.Entity):
    author: Author
    sequels: list[Book] = ev.reference(inverse=None, default_factory=list)
    editor: Author | None = ev.reference(inverse=None, default=None)
    price: Annotated[Decimal | None, Field(ge=0)] = None
    kind: Kind = Kind.A
    tags: dict[str, tuple[int, ...]] = Field(default_factory=dict)


Author.model_rebuild()


class Shelf(ev.Entity):
    label: str
    rows: list[Box] = Field(default_factory=list)


class Box(ev.Entity):
    shelf: Shelf


Shelf.model_rebuild()


def test_classes_have_their_fields_and_two_inverse_ones_are_one_line() -> None:
    ax = draw_schema([Shelf])
    assert title(ax) == "2 classes, 1 reference, no cycle"
    assert by_name(Shelf) == {"shelf ⇄ rows@Box": ("Box", "Shelf", True, False, False)}
    assert sorted(texts(ax, "column")) == ["ecs_id", "ecs_id", "label", "rows", "shelf"]
    assert sorted(texts(ax, "key")) == ["id", "id", "→", "→"]
    assert {"list[Box]", "Shelf", "str", "UUID"} == set(texts(ax, "kind"))


def test_lists_lead_to_many() -> None:
    links = by_name(Book)
    assert links["sequels@Book"] == ("Book", "Book", True, True, True)
    assert links["editor@Book"] == ("Book", "Author", True, False, True)
    kinds = {c.name: (c.kind, c.optional) for box in schema_of(Book).boxes for c in box.columns}
    assert kinds["price"] == ("Decimal", True)
    assert kinds["kind"] == ("Kind", False)
    assert kinds["tags"][0] == "dict[str, tuple[i…"


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (list[int], "list[int]"),
        (int | None, "int | None"),
        (None | int, "int | None"),  # the other way round, on purpose
        (Annotated[str, "x"], "str"),
        (Literal["a", 1], "'a' | 1"),
        (tuple[int, ...], "tuple[int, …]"),
        (type(None), "None"),
        (Any, "Any"),
        ("Later", "str"),
    ],
    ids=str,
)
def test_annotations_are_written_as_people_do(annotation: Any, text: str) -> None:
    if isinstance(annotation, str):
        annotation = type(annotation)
    assert annotation_text(annotation) == text


# -- room ------------------------------------------------------------------------------------


def wide(tables: int, columns: int) -> sa.MetaData:
    metadata = sa.MetaData()
    for number in range(tables):
        sa.Table(
            f"table_{number:03}", metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            *(sa.Column(f"value_{k:03}", sa.Text) for k in range(columns)),
            sa.Column("next_id", sa.ForeignKey(f"table_{(number + 1) % tables:03}.id")),
        )  # fmt: skip
    return metadata


def note_of(ax: Axes) -> str:
    return " ".join("\n".join(texts(ax, "note")).split())


def test_without_room_types_go_then_columns_and_it_says_so() -> None:
    few = draw_schema(wide(3, 5))
    assert "room" not in note_of(few)
    assert len(texts(few, "column")) == 3 * 7
    more = draw_schema(wide(14, 14))
    assert "There is no room for types." in note_of(more)
    assert len(texts(more, "column")) == 14 * 16
    assert texts(more, "kind") == []
    some = draw_schema(wide(30, 14))
    assert "only keys are shown" in note_of(some)
    assert texts(some, "column").count("… 14 more") == 30
    many = draw_schema(wide(90, 3))
    assert "There is no room for columns." in note_of(many)
    assert len(texts(many, "label")) == 90
    assert texts(many, "column") == []
    for ax in (few, more, some, many):
        written = [t for t in ax.texts if t.get_gid() in {"label", "column", "kind", "key"}]
        assert min(float(text.get_fontsize()) for text in written) > 8.99


def test_of_very_many_tables_those_with_most_keys_are_drawn_as_long_as_names_can_be_read() -> None:
    metadata = sa.MetaData()
    for number in range(400):
        sa.Table(
            f"table_{number:03}", metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("hub_id", sa.ForeignKey(f"table_{number % 40:03}.id")),
        )  # fmt: skip
    ax = draw_schema(metadata)
    labels = [text for text in ax.texts if text.get_gid() == "label"]
    assert title(ax) == "400 tables, 400 foreign keys, 40 cyclic components"
    assert f"Shown are, of 400 tables, the {len(labels)} with the most foreign keys." in note_of(ax)
    assert 40 < len(labels) < 400
    assert {f"table_{n:03}" for n in range(40)} <= {text.get_text() for text in labels}
    assert min(float(text.get_fontsize()) for text in labels) >= SMALLEST


def test_of_a_table_with_very_many_columns_the_keys_are_among_those_shown() -> None:
    ax = draw_schema(wide(1, 60))
    columns = texts(ax, "column")
    assert len(columns) == MAX_COLUMNS + 1
    assert {"id", "next_id", "… 44 more"} <= set(columns)
    assert f"Of large tables, {MAX_COLUMNS} columns are shown." in note_of(ax)


def test_texts_stay_within_their_tables() -> None:
    ax = draw_schema(shop())
    paint(ax)
    inverse = ax.transData.inverted()
    boxes = [path.get_extents() for path in found(ax, "tables").get_paths()]
    for text in ax.texts:
        if text.get_gid() in ("label", "column", "kind", "key"):
            area = text.get_window_extent().transformed(inverse)
            assert any(
                b.x0 <= area.x0 and area.x1 <= b.x1 and b.y0 <= area.y0 and area.y1 <= b.y1
                for b in boxes
            ), text.get_text()


def test_given_axes_are_drawn_on() -> None:
    ax = Figure(figsize=(8, 6)).add_axes((0, 0, 1, 1))
    assert draw_schema(shop(), ax=ax, legend=False) is ax
    assert legend(ax) == []
    dark = Figure(figsize=(8, 6), facecolor="black").add_axes((0, 0, 1, 1))
    draw_schema(shop(), ax=dark)
    (label, *_) = [t for t in dark.texts if t.get_gid() == "label"]
    assert np.mean(to_rgb(label.get_color())) > 0.8


def test_nothing_is_a_calm_note() -> None:
    ax = draw_schema(sa.MetaData())
    assert title(ax) == "0 tables, 0 foreign keys, no cycle"
    assert texts(ax, "note") == ["nothing to draw: there are no tables"]


@pytest.mark.parametrize("what", [3, "chat_messages", [], [3], [ev.ChatThread, Pet], None, int])
def test_what_has_no_tables_is_an_error(what: Any) -> None:
    with pytest.raises(DrawingOptionError, match="has no tables to draw"):
        draw_schema(what)


def test_names_from_a_database_are_text() -> None:
    every = [text for text in HOSTILE if 0 < len(text) < 200]
    for names in (every[::2], every[1::2]):
        metadata = sa.MetaData()
        for number, name in enumerate(names):
            sa.Table(f"{name} {number}", metadata, sa.Column(name, sa.Enum(name, "b", name=name)))
        ax = draw_schema(metadata)
        paint(ax, "svg")
        assert all(not text.get_parse_math() for text in all_texts(ax))
        assert len(texts(ax, "label")) == len(names)


def test_a_name_that_the_bold_font_lacks_is_no_warning() -> None:
    metadata = sa.MetaData()
    # In DejaVu Sans, but not in its bold face.
    for name in ("plain", "a \U0001d5a0\U0001d5b3", "é x"):
        sa.Table(name, metadata, sa.Column("id", sa.Integer))
    ax = draw_schema(metadata)
    paint(ax)
    weights = {t.get_text()[:5]: t.get_weight() for t in ax.texts if t.get_gid() == "label"}
    assert weights["plain"] == "bold"
    assert set(weights.values()) == {"bold", "normal"}


def test_sakila_is_drawn(shared: Path) -> None:
    path = shared / "data" / "sql" / "sakila.sqlite"
    engine = sa.create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    metadata = sa.MetaData()
    metadata.reflect(engine)
    engine.dispose()
    for ax in (None, Figure(figsize=(12, 9)).subplots()):
        ax = draw_schema(metadata, ax)  # noqa: PLW2901
        assert title(ax) == "16 tables, 22 foreign keys, 1 cyclic component"
        assert {"staff", "store", "film_actor"} <= set(texts(ax, "label"))
        assert "PK FK" in texts(ax, "key")
        every = [f"{column.name}" for table in metadata.tables.values() for column in table.c]
        assert sorted(texts(ax, "column")) == sorted(every)
        assert min(float(t.get_fontsize()) for t in ax.texts if t.get_gid() != "note") > 8.99
        width, height = ax.get_figure(root=True).get_size_inches()  # type: ignore[union-attr]
        assert width <= 12
        assert height <= 9.5


def test_lines_join_the_columns_that_refer_and_are_referred_to() -> None:
    metadata = shop()
    ax = draw_schema(metadata)
    rows = {}
    table = ""
    for text in ax.texts:  # a table's name, then its columns
        if text.get_gid() == "label":
            table = text.get_text()
        elif text.get_gid() == "column":
            rows[table, text.get_text()] = text.get_position()[1]
    boxes = [path.get_extents() for path in found(ax, "tables").get_paths()]
    lines = [
        line for gid in ("references", "cycle references") for line in found(ax, gid).get_segments()
    ]
    ends = set()
    for line in lines:
        at = []
        for x, y in (line[0], line[-1]):
            near = min(rows, key=lambda row: abs(rows[row] + RISE - y))
            assert abs(rows[near] + RISE - y) < 0.07
            assert any(abs(x - side) < 1e-6 for box in boxes for side in (box.x0, box.x1))
            at.append({row for row in rows if abs(rows[row] - rows[near]) < 0.02})
        ends.add((frozenset(at[0]), frozenset(at[1])))
    for table, columns, target in (
        ("order", "customer_id", "customer"),
        ("order", "category_id", "category"),
        ("passport", "customer_id", "customer"),
        ("category", "parent_id", "category"),
    ):
        assert any((table, columns) in one and (target, "id") in other for one, other in ends)
    lone = [line for line in lines if all(not _crosses(line, box) for box in boxes)]
    assert len(lone) == len(lines) == 4, "no line runs over a table"


def _crosses(line: Any, box: Any) -> bool:
    inside = (line[1:-1, 0] > box.x0 + 0.01) & (line[1:-1, 0] < box.x1 - 0.01)
    inside &= (line[1:-1, 1] > box.y0 + 0.01) & (line[1:-1, 1] < box.y1 - 0.01)
    return bool(inside.any())
