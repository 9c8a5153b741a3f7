"""`opsledger import …`: what other systems know, taken over. Each kind has a module of its own."""

import os
from pathlib import Path
from typing import Annotated

import typer

from opsledger.importing_items import items

app = typer.Typer(help="Take over what other systems know.", no_args_is_help=True)
app.command("items")(items)

DataDir = Annotated[Path, typer.Option(envvar="OPSLEDGER_DATA_DIR", help="Where the running Opsledger keeps its data.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the same report and write nothing.")]
Report = Annotated[Path | None, typer.Option(help="A CSV file for every row that the report speaks of.")]


@app.command()
def servicenow(
    file: Annotated[Path, typer.Argument(help="The audit log of incidents as CSV, one row for each update.")],
    time_zone: Annotated[str, typer.Option(help="Where its times are local, for example Europe/Lisbon.")],
    dry_run: DryRun = False,
    report: Report = None,
    data_dir: DataDir = Path("data"),
) -> None:
    """Import a log of ServiceNow incidents into what runs in the data folder, or into OPSLEDGER_DATABASE_URL."""
    from opsledger.importing_history import Wanted, run

    raise typer.Exit(run(Wanted(file, time_zone, dry_run, report), data_dir, os.environ))
