"""``python -m benchmarks``: every goal of speed and scale, against the peers, in one run.

Contenders take turns, round by round, and ratios are taken within a round. A peer that is not
installed, and a size that was not asked for, show as a gap and not as a pass.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl

from benchmarks import (
    databases,
    drawing,
    exports,
    graphs,
    growth,
    loop,
    report,
    saving,
    scale,
    searching,
    touching,
)
from benchmarks.timing import Section
from benchmarks.workload import ROOT

PARTS: dict[str, Callable[[Path, int, int], Section]] = {
    "save": saving.save,
    "load": saving.load,
    "loop": loop.loop,
    "touch": touching.touch,
    "frame": saving.frame,
    "graph": graphs.graph,
    "scale": scale.scale,
    "search": searching.search,
    "chats": exports.exports,
    "draw": drawing.draw,
    "import": drawing.imports,
    "database": databases.database,
    "postgres": saving.postgres,
}
GROWTH = "growth"
NAMES = (*PARTS, GROWTH)


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="rounds; the median counts")
    parser.add_argument("--size", type=int, default=100_000, help="messages, rows, entities")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="PART")
    parser.add_argument(
        "--up-to",
        type=int,
        default=100_000,
        help="how far growth is followed; 1000000 takes some minutes more and 4 GiB",
    )
    parser.add_argument("--quick", action="store_true", help="one round of small sizes: a try")
    parser.add_argument(
        "--output", type=Path, help="a folder for the files; benchmarks/ if not given"
    )
    parser.add_argument("--name", default="results", help="what the files are called")
    parser.add_argument("--docs", action="store_true", help="put the table into docs/measured.md")
    return parser


def measure(given: argparse.Namespace, folder: Path) -> list[Section]:
    sections = []
    for name in NAMES:
        if name not in given.only:
            continue
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        if name == GROWTH:
            sizes = [20, 200] if given.quick else [n for n in growth.SIZES if n <= given.up_to]
            sections.append(growth.growth(folder, sizes, given.repeats))
        else:
            sections.append(PARTS[name](folder, given.size, given.repeats))
    return sections


def main(arguments: list[str] | None = None) -> None:
    given = options().parse_args(arguments)
    if given.quick:
        given.size, given.repeats = 300, 1
    mpl.use("agg")
    with TemporaryDirectory(prefix="ecsviz-bench-") as folder:
        sections = measure(given, Path(folder))
    output = given.output or ROOT / "benchmarks"
    text = report.write(sections, given.repeats, output, given.name)
    print(text)
    if given.docs:
        report.into_page(text, ROOT / "docs" / "measured.md")


if __name__ == "__main__":
    main()
