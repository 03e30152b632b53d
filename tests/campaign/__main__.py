"""``python -m tests.campaign``: run the campaign, and print what was tried and found.

Ends with 1 where anything was found. Each line that tells of something names the seed:
``--only kills --seed 17 --rounds 1`` tries that again.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.campaign import (
    bit_flips,
    disk,
    disk_faults,
    growth,
    imports,
    interrupts,
    isolation,
    kernels,
    kills,
    power_cuts,
    repairs,
    strangers,
    writers,
)
from tests.campaign.tally import FOUND, Tally

Part = Callable[[int, Path], Tally]

PARTS: dict[str, Part] = {
    "kills": kills.run,
    "power cuts": power_cuts.run,
    "disk faults": disk_faults.run,
    "allocations": functools.partial(disk_faults.run, errors=tuple(disk_faults.NO_MEMORY)),
    "interrupts": interrupts.run,
    "kernels": kernels.run,
    "bit flips": bit_flips.run,
    "repairs": repairs.run,
    "writers": writers.run,
    "isolation": isolation.run,
    "imports": imports.run,
    "strangers": strangers.run,
    "growth": growth.run,
}
BEGIN, END = "<!-- campaign: begin -->", "<!-- campaign: end -->"
NEED_DISK = {"power cuts", "disk faults", "allocations"}


def rounds(part: Part, first: int, seconds: float, most: int | None) -> tuple[Tally, int, float]:
    """Run a part again and again, each time with the next seed, until the time is over."""
    found, begun = Tally(), time.monotonic()
    for number in itertools.count():
        if number == most or (number and time.monotonic() - begun > seconds):
            return found, number, time.monotonic() - begun
        with TemporaryDirectory(prefix="ecsviz-campaign-") as folder:
            try:
                found += part(first + number, Path(folder))
            except Exception as wrong:  # noqa: BLE001  # the others go on
                found.partial.append(
                    f"seed {first + number}: {type(wrong).__name__}: {wrong}"[:400]
                )
    raise AssertionError


def table(found: dict[str, Tally], spent: dict[str, float]) -> str:
    """Return what was found as a table of Markdown."""
    lines = [
        "| part | tried | " + " | ".join(FOUND) + " | minutes |",
        "| --- " + "| ---: " * (len(FOUND) + 2) + "|",
    ]
    for name, tally in found.items():
        counts = " | ".join(str(len(getattr(tally, kind))) for kind in FOUND)
        lines.append(f"| {name} | {tally.tried:,} | {counts} | {spent[name] / 60:.1f} |")
    return "\n".join(lines)


def report(path: Path, made: str) -> None:
    """Write the table into a file, between its marks where it has them."""
    before, begin, rest = (path.read_text("utf-8") if path.exists() else "").partition(BEGIN)
    _, end, after = rest.partition(END)
    whole = f"{before}{begin}\n{made}\n{end}{after}" if end else f"{made}\n"
    path.write_text(whole, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; return 1 where something was found."""
    hours = os.environ.get("HOURS") or "0"
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), metavar="PART")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9, help="the first one")
    parser.add_argument("--minutes", type=float, help="for all parts: 7")
    parser.add_argument("--rounds", type=int, help="at most so many of each part")
    parser.add_argument("--report", type=Path, help="write the table into this file, too")
    parser.add_argument(
        "--every", action="store_true", help="let each call to the disk, or for memory, fail once"
    )
    asked = parser.parse_args(arguments)
    if not hours.replace(".", "", 1).isdigit():
        parser.error(f"HOURS is {hours}: give a number")
    asked.minutes = float(hours) * 60 or 7.0 if asked.minutes is None else asked.minutes
    if not (0 < asked.minutes < float("inf")) or (asked.rounds is not None and asked.rounds < 1):
        parser.error("give more than 0 minutes, and at least one round")
    if asked.report and not asked.report.parent.is_dir():
        parser.error(f"{asked.report.parent} is no folder")
    if asked.report and asked.report.exists() and BEGIN not in asked.report.read_text("utf-8"):
        parser.error(f"{asked.report} has something else in it: put {BEGIN} and {END} there")
    parts = {name: part for name, part in PARTS.items() if not asked.only or name in asked.only}
    for name in {"disk faults", "allocations"} & parts.keys() if asked.every else ():
        every: Any = functools.partial(parts[name], every=True)  # type: ignore[call-arg]  # its own
        parts |= {name: every}
    if disk.compiler() is None:
        for name in NEED_DISK & parts.keys():
            sys.stdout.write(f"{name}: left out, it needs Linux and a C compiler\n")
            del parts[name]
    found: dict[str, Tally] = {}
    spent: dict[str, float] = {}
    for name, part in parts.items():
        seconds = asked.minutes * 60 / len(parts)
        found[name], ran, spent[name] = rounds(part, asked.seed, seconds, asked.rounds)
        sys.stdout.write(f"{name}: {ran} rounds from seed {asked.seed}\n")
        for line in found[name].found:
            sys.stdout.write(f"  {line}\n")
        sys.stdout.flush()
    made = table(found, spent)
    sys.stdout.write(f"\n{made}\n")
    if asked.report:
        report(asked.report, made)
    return int(any(tally.found for tally in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
