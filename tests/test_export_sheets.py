"""CSV and Excel files in which nothing runs, read back by readers that are not ours."""

from __future__ import annotations

import csv
import enum
import io
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz import export
from ecsviz.basics.optional import NotInstalledError
from ecsviz.errors import GraphTooLargeError
from ecsviz.export.sheets import MAX_CELL, neutral
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.hostile import HOSTILE

TRIGGERS = "=+-@\t\r"
formulas = st.builds(
    str.__add__, st.sampled_from([*TRIGGERS, "\n", " =", "\uff1d", "\ufeff="]), st.text()
)
texts = st.text(st.characters(codec=None, exclude_categories=())) | formulas


def cells_of(text: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]


def runs(cell: str) -> bool:
    return cell.lstrip(" \ufeff")[:1] in {*TRIGGERS, "\uff1d", "\uff0b", "\uff0d", "\uff20"} - {""}


@given(st.lists(texts, min_size=1, max_size=4), st.text(max_size=3) | formulas)
def test_no_text_of_a_csv_runs(values: list[str], name: str) -> None:
    for kind in ("object", "category"):
        frame = pd.DataFrame(
            {name: pd.Series(values, dtype=object)}, index=pd.Index(values, name=name)
        )
        frame = frame.astype("category") if kind == "category" else frame
        text = export.to_csv(frame)
        for cell in cells_of(text.replace("\0", "")):
            assert not runs(cell) or cell.startswith("'")


@given(st.lists(st.integers() | st.floats() | st.decimals(allow_nan=False), min_size=1))
def test_numbers_are_untouched(values: list[Any]) -> None:
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    assert export.to_csv(frame, index=False) == frame.to_csv(index=False, lineterminator="\r\n")
    assert all(neutral(value) is value for value in values)


def test_negative_numbers_of_every_dtype_stay_numbers() -> None:
    frame = pd.DataFrame({"a": [-1], "b": [-1.5], "c": pd.array([-2], dtype="Int64")})
    assert cells_of(export.to_csv(frame, index=False)) == ["a", "b", "c", "-1", "-1.5", "-2"]


def test_what_only_looks_like_a_number_is_a_text() -> None:
    frame = pd.DataFrame({"a": ["-1", "+49 30 1234"], "b": [timedelta(-1), timedelta(1)]})
    assert cells_of(export.to_csv(frame, index=False))[2:] == [
        "'-1",
        "'-1 day, 0:00:00",
        "'+49 30 1234",
        "1 day, 0:00:00",
    ]


def test_unsafe_changes_nothing() -> None:
    frame = pd.DataFrame({"=a": ["=1+1", "@x"]})
    assert export.to_csv(frame, safe=False, index=False) == frame.to_csv(
        index=False, lineterminator="\r\n"
    )


def test_headers_and_labels_of_several_levels() -> None:
    index = pd.MultiIndex.from_tuples([("=a", 1), ("b", -2)], names=["=n", None])
    frame = pd.DataFrame([[1], [2]], index=index, columns=pd.Index(["=h"], name="=c"))
    cells = cells_of(export.to_csv(frame))
    assert {"'=a", "'=n", "'=h", "-2"} <= set(cells)
    assert not any(cell.startswith("=") for cell in cells)


def test_times_are_written_as_pandas_does() -> None:
    frame = pd.DataFrame({"at": pd.to_datetime(["2024-02-29", None], utc=True)})
    assert export.to_csv(frame) == frame.to_csv(lineterminator="\r\n")


def test_a_bare_carriage_return_starts_no_row() -> None:
    text = export.to_csv(pd.DataFrame({"x": ["a\r=cmd()"]}), index=False)
    assert text == 'x\r\n"a\r=cmd()"\r\n'


def test_a_file_of_any_text(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": pd.Series([*HOSTILE], dtype=object)})
    path = tmp_path / "a.csv"
    export.to_csv(frame, path, index=False)
    with path.open(encoding="utf-8", newline="") as file:
        read = list(csv.reader(line.replace("\0", "") for line in file))
    assert len(read) == len(HOSTILE) + 1


def test_the_frames_of_a_graph(tmp_path: Path) -> None:
    nodes, references = ev.to_frames(ev.sample("thread"))
    for frame in (nodes, references):
        assert export.to_csv(frame, tmp_path / "x.csv")
        assert len(pd.read_csv(tmp_path / "x.csv")) == len(frame)


# -- Excel ------------------------------------------------------------------------------------


@pytest.fixture(name="sheet")
def _sheet(tmp_path: Path, require_optional: Callable[[str], ModuleType]) -> Callable[..., Any]:
    openpyxl = require_optional("openpyxl")

    def write(values: list[Any], **options: Any) -> Any:
        frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
        export.to_excel(frame, tmp_path / "a.xlsx", **options)
        return openpyxl.load_workbook(tmp_path / "a.xlsx").active

    return write


def test_no_cell_of_an_excel_file_is_a_formula(sheet: Callable[..., Any]) -> None:
    @given(st.lists(texts, min_size=1, max_size=5))
    @settings(max_examples=min(100, settings.default.max_examples))
    def write(values: list[str]) -> None:
        for cell in list(sheet(values)["A"])[1:]:
            assert cell.data_type != "f"
            assert cell.value is None or not runs(cell.value)

    write()


def test_hostile_texts_in_excel(sheet: Callable[..., Any]) -> None:
    cells = list(sheet([*HOSTILE])["A"])[1:]
    assert len(cells) == len(HOSTILE)
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr", "n"}  # n: empty
    longest = max(len(cell.value or "") for cell in cells)
    assert longest == MAX_CELL


def test_unsafe_excel_has_formulas(sheet: Callable[..., Any]) -> None:
    assert sheet(["=1+1"], safe=False)["A2"].data_type == "f"
    assert sheet(["=1+1"])["A2"].value == "'=1+1"


def test_headers_in_excel(tmp_path: Path, require_optional: Callable[[str], ModuleType]) -> None:
    openpyxl = require_optional("openpyxl")
    frame = pd.DataFrame({"=h": [1]}, index=pd.Index(["=i"], name="=n"))
    export.to_excel({"=s/[x]": frame, "=S__x_": frame}, tmp_path / "a.xlsx", index=True)
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert len(book.sheetnames) == 2
    for name in book.sheetnames:
        values = [cell.value for row in book[name].iter_rows() for cell in row]
        assert values == ["'=n", "'=h", "'=i", 1]


class Colour(enum.StrEnum):
    RED = "=red"


TWO = timezone(timedelta(hours=2))
CELLS: list[tuple[Any, Any]] = [
    (datetime(2024, 2, 29, 12, tzinfo=TWO), datetime(2024, 2, 29, 10)),  # noqa: DTZ001 - Excel's
    (datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2024, 2, 29, 12)),  # noqa: DTZ001 - Excel's
    (
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=2))),
        "9999-12-31T23:59:59.999999-02:00",
    ),
    (datetime(1, 1, 1), "0001-01-01T00:00:00"),  # noqa: DTZ001 - as above
    (date(1850, 1, 1), "1850-01-01"),
    (time(1, tzinfo=TWO), "01:00:00+02:00"),
    (-5, -5),
    (10**20, str(10**20)),
    (Decimal("1.5"), 1.5),
    (Decimal("NaN"), "NaN"),
    (True, True),
    (Fraction(1, 3), "1/3"),
    (b"\x01\xff", "01ff"),
    ({"a": 1}, '{"a":1}'),
    ([1, {"a": None}], '[1,{"a":null}]'),
    ([object], "[<class 'object'>]"),
    (Colour.RED, "'=red"),
    ("\x1b[31m", "\ufffd[31m"),
]


@pytest.mark.parametrize(("value", "wanted"), CELLS, ids=[str(case[0])[:30] for case in CELLS])
def test_what_excel_has_no_type_for(sheet: Callable[..., Any], value: Any, wanted: Any) -> None:
    assert sheet([value, None])["A2"].value == wanted


def test_aware_columns_in_excel(
    tmp_path: Path, require_optional: Callable[[str], ModuleType]
) -> None:
    require_optional("openpyxl")
    nodes, references = ev.to_frames(ev.sample("thread"))
    export.to_excel({"nodes": nodes, "references": references}, tmp_path / "a.xlsx")
    read = pd.read_excel(tmp_path / "a.xlsx", sheet_name=None)
    assert list(read) == ["nodes", "references"]
    there = nodes["created_at"].dropna().dt.tz_localize(None).dt.floor("s")
    assert read["nodes"]["created_at"].dropna().dt.floor("s").tolist() == there.tolist()


def test_too_many_rows(tmp_path: Path, require_optional: Callable[[str], ModuleType]) -> None:
    require_optional("openpyxl")
    frame = pd.DataFrame(index=range(1_048_576))
    with pytest.raises(
        GraphTooLargeError, match=r"1,048,576 rows, and Excel has room for 1,048,575"
    ):
        export.to_excel(frame, tmp_path / "a.xlsx")
    assert not (tmp_path / "a.xlsx").exists()


def test_without_openpyxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(NotInstalledError, match=r"needs openpyxl.*'ecsviz\[excel\]'") as told:
        export.to_excel(pd.DataFrame(), tmp_path / "a.xlsx")
    assert (told.value.module, told.value.extra) == ("openpyxl", "excel")


@pytest.mark.parametrize("make", [lambda: ev.sample("thread"), c.Values], ids=["thread", "values"])
def test_a_graph_through_csv(make: Callable[[], Any], tmp_path: Path) -> None:
    given = make()
    nodes, references = tmp_path / "nodes.csv", tmp_path / "references.csv"
    for frame, path in zip(ev.to_frames(given), (nodes, references), strict=True):
        export.to_csv(frame, path, safe=False, index=False)
    again = ev.from_frames(
        pd.read_csv(nodes, keep_default_na=False, na_values=[""]), pd.read_csv(references)
    )
    # CSV does not tell an empty text from none.
    assert find_difference(given, again[0]) is None


def test_ids_stay_readable() -> None:
    ecs_id = uuid4()
    assert cells_of(export.to_csv(pd.DataFrame({"id": [ecs_id]}), index=False))[1] == str(ecs_id)
