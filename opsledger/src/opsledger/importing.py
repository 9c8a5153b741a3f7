"""`opsledger import`: what is known elsewhere, brought in. One command for each kind of thing."""

import typer

from opsledger.importing_items import items

app = typer.Typer(help="Bring in what is known elsewhere.", no_args_is_help=True)
app.command("items")(items)
