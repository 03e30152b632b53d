"""Dumps by the options, aliases and serializers of pydantic, and of every value."""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal
from typing import Annotated, Any
from uuid import uuid4

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    ValidationError,
    computed_field,
    field_serializer,
    model_serializer,
)

import ecsviz as ev
from ecsviz.errors import (
    EcsvizError,
    UnsupportedFieldError,
)
from ecsviz.isomorphic import find_difference
from tests.dump_classes import (
    Color,
    Every,
    Leaf,
    Link,
    Special,
    Way,
    a,
    again,
    as_json,
    same,
    text,
)

__all__ = ["again"]


class TestOptions:
    def test_include_and_exclude_take_names_of_own_fields(self) -> None:
        whole = Every(one=a(), many=[a()], metadata={"x": 1})
        assert whole.model_dump(include={"one"}).keys() == {"$type", "one"}
        assert whole.model_dump(include=["metadata", "many"]).keys() == {
            "$type",
            "many",
            "metadata",
        }
        left = whole.model_dump(exclude={"one", "metadata", "version"})
        assert "one" not in left
        assert "name" in left["many"][0]
        assert not {"metadata", "version"} & left.keys()
        assert whole.model_dump(include={"one": True, "many": True}, exclude={"one"}).keys() == {
            "$type",
            "many",
        }
        with pytest.raises(EcsvizError, match="Give a set of names"):
            whole.model_dump(exclude={"many": {0: True}})

    @pytest.mark.parametrize("option", ["exclude_unset", "exclude_defaults", "exclude_none"])
    def test_trimmed_dumps_can_be_loaded(self, option: str, again: Way) -> None:
        whole = Every(one=Special())
        whole.itself = whole
        whole.many.append(a())
        whole.many[0].__dict__["version"] = 3
        whole.parent_id = uuid4()
        whole.lineage_id = uuid4()
        result = again(whole, **{option: True})
        assert find_difference(whole, result) is None

    def test_trimmed_dumps_are_short(self) -> None:
        whole = Every(one=a())
        unset = whole.model_dump(exclude_unset=True)
        assert unset.keys() == {"$type", "ecs_id", "one"}
        assert unset["one"].keys() == {"ecs_id", "name"}
        assert "either" not in whole.model_dump(exclude_none=True)
        defaults = whole.model_dump(exclude_defaults=True)
        assert not {"many", "either", "row", "version"} & defaults.keys()
        whole.many.append(a())
        assert "many" in whole.model_dump(exclude_unset=True)
        assert "many" in whole.model_dump(exclude_defaults=True)

    def test_aliases(self, again: Way) -> None:
        for cls in (Aliased, ByAlias):
            node = cls(titel="x", naechster=cls(titel="y"), zahl=3)
            node.next.next = node
            for by_alias in (None, False, True):
                result = same(node, again, by_alias=by_alias)
                assert result.next.next is result
        names = Aliased(titel="x").model_dump(by_alias=True)
        assert {"titel", "naechster", "written"} <= names.keys()
        assert {"title", "next", "number"} <= Aliased(titel="x").model_dump().keys()
        assert {"titel", "naechster", "written"} <= ByAlias(titel="x").model_dump().keys()

    def test_aliases_that_are_paths_or_choices(self, again: Way) -> None:
        node = Choosing.model_validate({"a": {"b": "x"}, "two": {"name": "leaf"}})
        assert node.leaf is not None
        assert (node.deep, node.leaf.name) == ("x", "leaf")
        same(node, again)

    def test_aliases_that_are_names_of_others(self, again: Way) -> None:
        same(Swapped(two="1", one="2", leaf=a()), again)

    def test_excluded_fields_are_left_out(self) -> None:
        class Holder(ev.Entity):
            secret: Leaf | None = Field(default=None, exclude=True)
            quiet: list[Leaf] = Field(default_factory=list, exclude_if=lambda value: not value)
            word: str = Field(default="", exclude=True)

        data = Holder(secret=a(), word="x").model_dump()
        assert not {"secret", "word", "quiet"} & data.keys()
        assert "quiet" in Holder(quiet=[a()]).model_dump()

    def test_strict_classes(self, again: Way) -> None:
        class Strict(ev.Entity):
            model_config = ConfigDict(strict=True)
            others: set[Strict] = Field(default_factory=set)
            when: dt.datetime | None = None
            amount: Decimal = Decimal(0)

        node = Strict(when=dt.datetime(2024, 1, 1, tzinfo=dt.UTC), amount=Decimal("1.10"))
        node.others = {node, Strict()}
        same(node, again)

    def test_extras(self, again: Way) -> None:
        class Open(ev.Entity):
            model_config = ConfigDict(extra="allow")
            next: Open | None = None

        node = Open(more={"x": [1]})  # type: ignore[call-arg]  # extras are the point
        node.next = node
        assert same(node, again).more == {"x": [1]}
        assert "more" not in node.model_dump(exclude={"more"})

    def test_context_reaches_serializers_and_validators(self) -> None:
        seen = []

        class Contextual(ev.Entity):
            word: str = ""

            @field_serializer("word")
            def _word(self, value: str, info: Any) -> str:
                seen.append(info.context)
                return value

        Contextual().model_dump(context="here")
        assert seen == ["here"]


class Aliased(ev.Entity):
    title: str = Field(alias="titel")
    next: Aliased | None = Field(default=None, alias="naechster")
    number: int = Field(default=0, validation_alias="zahl", serialization_alias="written")


class ByAlias(ev.Entity):
    model_config = ConfigDict(serialize_by_alias=True)
    title: str = Field(alias="titel")
    next: ByAlias | None = Field(default=None, alias="naechster")
    number: int = Field(default=0, validation_alias="zahl", serialization_alias="written")


class Choosing(ev.Entity):
    deep: str = Field(default="", validation_alias=AliasPath("a", "b"))
    leaf: Leaf | None = Field(default=None, validation_alias=AliasChoices("one", "two"))


class Swapped(ev.Entity):
    one: str = Field(default="", alias="two")
    two: str = Field(default="", alias="one")
    leaf: Leaf | None = None


class Computed(ev.Entity):
    model_config = ConfigDict(extra="forbid")
    next: Computed | None = None

    @computed_field  # type: ignore[prop-decorator]  # the order that pydantic asks for
    @property
    def other(self) -> Computed | None:
        raise AssertionError("evaluated")

    @computed_field  # type: ignore[prop-decorator]  # see above
    @property
    def others(self) -> list[Computed]:
        raise AssertionError("evaluated")

    @computed_field(alias="anzahl")  # type: ignore[prop-decorator]  # see above
    @property
    def number(self) -> int:
        return 3


class TestSerializers:
    def test_computed_fields(self, again: Way) -> None:
        node = Computed()
        node.next = node
        data = node.model_dump()
        assert data["number"] == 3
        assert not {"other", "others"} & data.keys()
        assert same(node, again).next.number == 3
        same(node, again, by_alias=True)
        assert node.model_dump(by_alias=True)["anzahl"] == 3
        assert "number" not in node.model_dump(exclude={"number"})
        assert "number" not in node.model_dump(exclude_computed_fields=True)

    def test_a_serializer_of_the_users_is_used(self) -> None:
        class Shy(ev.Entity):
            next: Shy | None = None
            best: Annotated[Leaf | None, PlainSerializer(lambda leaf: leaf and leaf.name)] = None
            plain: Leaf | None = None

            @field_serializer("next")
            def _next(self, value: Shy | None) -> str | None:
                return value and str(value.ecs_id)

        node = Shy(best=Leaf(name="x"), plain=a())
        node.next = node
        data = node.model_dump(mode="json")
        assert data["next"] == str(node.ecs_id)
        assert data["best"] == "x"
        assert data["plain"]["name"] == "a"

    def test_a_model_serializer(self) -> None:
        class Wrapped(ev.Entity):
            word: str = ""
            next: Wrapped | None = None

            @model_serializer(mode="wrap")
            def _write(self, handler: Any) -> dict[str, Any]:
                return {**handler(self), "word": self.word.upper()}

        node = Wrapped(word="x")
        node.next = node
        data = node.model_dump()
        assert data["word"] == "X"
        assert data["next"] == {"$ref": node.ecs_id}

        class Flat(ev.Entity):
            @model_serializer
            def _write(self) -> str:
                return "flat"

        with pytest.raises(UnsupportedFieldError, match="Flat has a model_serializer that returns"):
            Flat().model_dump()

    def test_json_settings_of_the_class(self) -> None:
        class Bytes(ev.Entity):
            model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
            raw: bytes = b""
            pair: tuple[Leaf, bytes] | None = None

        node = Bytes(raw=b"\xff", pair=(a(), b"\xfe"))
        data = node.model_dump(mode="json")
        assert data["raw"] == "_w=="
        assert data["pair"][1] == "_g=="
        assert text(node).raw == b"\xff"


class TestValues:
    def test_values_keep_their_types(self, again: Way) -> None:
        class Values(ev.Entity):
            number: float = 0
            big: int = 0
            amount: Decimal = Decimal(0)
            raw: bytes = b""
            when: dt.datetime | None = None
            span: dt.timedelta = dt.timedelta(0)
            color: Color = Color.RED
            row: tuple[int, ...] = ()
            next: Values | None = None

        node = Values(
            number=-0.0,
            big=2**100,
            amount=Decimal("1.10"),
            raw=b"abc",
            when=dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            span=dt.timedelta(days=1, microseconds=1),
            row=(1, 2),
        )
        node.next = node
        result = same(node, again)
        assert math.copysign(1, result.number) == -1
        assert str(result.amount) == "1.10"

    @pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
    def test_not_a_number(self, number: float, again: Way) -> None:
        class Measured(ev.Entity):
            number: float
            numbers: list[float] = Field(default_factory=list)
            next: Measured | None = None

        node = Measured(number=number, numbers=[number, 1.0])
        node.next = node
        result = text(node) if again is as_json else again(node)
        assert repr([result.number, *result.numbers]) == repr([number, number, 1.0])
        assert result.next is result
        json.loads(node.model_dump_json(), parse_constant=pytest.fail)  # JSON has no NaN

    def test_private_attributes_start_anew(self, again: Way) -> None:
        class Private(ev.Entity):
            next: Private | None = None
            _cache: list[int] = PrivateAttr(default_factory=list)

        node = Private()
        node._cache.append(1)
        node.next = node
        assert again(node)._cache == []

    def test_validators_run(self) -> None:
        data = Link(next=Link()).model_dump(mode="json")
        data["next"]["version"] = -1
        with pytest.raises(ValidationError, match="version") as caught:
            Link.model_validate(data)
        assert caught.value.__notes__ == ["in Link.next"]
