"""The command line: a thin shell over the API.

Exit codes: 0, done; 1, an error that is told in one line, or problems that ``verify`` found; 2,
wrong usage. May import everything; nobody imports it. Begin reading at ``graph_commands.py`` (what
shows a graph) or ``store_commands.py``; ``sources.py`` says what a path or URL is.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import click

from ecsviz import __version__
from ecsviz.basics.addresses import short_path
from ecsviz.cli.demo_commands import demo_command, lab_command
from ecsviz.cli.graph_commands import export_command, graph_command
from ecsviz.cli.scale_command import scale_command
from ecsviz.cli.show_command import show_command
from ecsviz.cli.store_commands import (
    backup_command,
    history_command,
    import_command,
    import_parquet_command,
    info_command,
    repair_command,
    tables_command,
    verify_command,
)
from ecsviz.errors import EcsvizError

__all__ = ["cli", "main"]


class Commands(click.Group):
    """Commands whose errors of ours are one line on stderr, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader has seen enough; click ends quietly
        except EcsvizError as err:
            raise click.ClickException(str(err)) from err
        except OSError as err:
            where = f"{short_path(err.filename)}: " if err.filename else ""
            raise click.ClickException(f"{where}{err.strerror or err}.") from err


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="ecsviz")
def cli() -> None:
    """Entity graphs: see their cycles, store them whole, get the same graph back.

    Output is aligned in a terminal, and tab-separated when it is piped.
    """


for _command in (
    backup_command,
    repair_command,
    demo_command,
    export_command,
    graph_command,
    history_command,
    import_command,
    import_parquet_command,
    info_command,
    lab_command,
    scale_command,
    show_command,
    tables_command,
    verify_command,
):
    cli.add_command(_command)


def _open_standard_streams() -> None:
    """Let what was closed, as by ``>&-``, lead nowhere.

    Python has no stream there, and the next file that is opened, such as a database, would get
    its number.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for as long as the process runs


def main() -> None:
    """Run the command line."""
    _open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whatever the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        cli(prog_name="ecsviz")
    except OSError as err:  # of what click prints by itself, such as the version
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - nothing more can be said there
        sys.exit(f"Error: {err.strerror or err}.")
