"""``ecsviz demo`` and ``ecsviz lab``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ecsviz.cli import demo
from ecsviz.importers.files import check_path


@click.command("demo")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(demo.FOLDER),
    show_default=True,
    help="The folder to write to; it is made where it is missing.",
)
def demo_command(file: Path | None, out: Path) -> None:
    """Show the tour, on the chats that ship with ecsviz or on those in FILE.

    FILE is a ChatGPT export (conversations.json, or the zip that holds it) or Open-Assistant
    trees (.jsonl). It is only read.
    """
    if file is not None:
        check_path(str(file))
    demo.require(demo.NEEDED)  # before anything that takes time
    progress = sys.stderr.isatty()
    report = demo.measure(file, progress=progress)
    folder = demo.prepare_folder(out)
    for line in report.lines():
        click.echo(line)
    if not report.equal:
        raise demo.DemoError(
            f"The graph that a new process read differs from the one saved, at {report.place}."
            " This is a fault of ecsviz: please report it.",
            place=report.place,
        )
    click.echo("\nExecuting the notebook …")
    demo.run_notebook(folder, file, progress=progress)
    text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False)
    (folder / demo.REPORT).write_text(text + "\n", encoding="utf-8")
    click.echo(f"Written to {out}/:")
    for path in sorted(folder.iterdir()):
        size = f"{path.stat().st_size / 1024:,.0f} kB"
        click.echo(f"  {path.name:<18}{size:>10}  {_KINDS.get(path.suffix, '')}")
    click.echo("\nHow to go on")
    click.echo(f"  look     open {out / 'tour.html'} in a browser")
    click.echo("  try      make lab   (without the repository: python -m ecsviz lab)")
    if file is None:
        click.echo("  your own python -m ecsviz demo conversations.json")


_KINDS = {
    ".db": "a store, which any SQLite tool opens",
    ".html": "the notebook, executed",
    ".json": "the figures above",
    ".png": "a picture",
}


@click.command("lab")
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
def lab_command(folder: Path | None) -> None:
    """Open JupyterLab on the notebooks, or on FOLDER."""
    sys.exit(demo.start_lab(folder))
