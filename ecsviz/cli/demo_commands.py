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
    """Store and show the chats that ship with ecsviz, or those in FILE; with the tour.

    It ends with a page of them to keep or to send, which is alive without Python, and, where the
    extra 'lab' is installed, with the tour as an executed notebook.

    FILE is a ChatGPT export (conversations.json, or the zip that holds it) or Open-Assistant
    trees (.jsonl). It is only read.
    """
    if file is not None:
        check_path(str(file))
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
    page = demo.write_page(report, folder)
    if missing := demo.missing_of(demo.NEEDED):
        click.echo(
            f"\nWithout the notebook, since {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not installed: pip install 'ecsviz[lab]'"
        )
    else:
        click.echo("\nExecuting the notebook …")
        demo.run_notebook(folder, file, progress=progress)
    text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False)
    (folder / demo.REPORT).write_text(text + "\n", encoding="utf-8")
    click.echo(f"Written to {out}/:")
    for path in sorted(folder.iterdir()):
        size = f"{path.stat().st_size / 1024:,.0f} kB"
        kind = "what one can click through" if path == page else _KINDS.get(path.suffix, "")
        click.echo(f"  {path.name:<18}{size:>10}  {kind}")
    click.echo("\nHow to go on")
    if page is not None:
        click.echo(f"  look     open {out / page.name} in a browser; search, click, drag")
        click.echo(
            "  send     it is one file, needs no Python and loads nothing; it holds the texts"
        )
    if not missing:
        click.echo(f"  read     open {out / 'tour.html'}: what ecsviz does, step by step")
    needs = "pip install 'ecsviz[lab]', then " if missing else ""
    click.echo(f"  try      {needs}ecsviz lab   lessons that one does, in JupyterLab")
    if file is None:
        click.echo("  your own ecsviz demo conversations.json   a chat export; it is only read")


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
