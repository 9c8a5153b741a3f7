"""`opsledger`: the commands. A failure that a person can mend is one sentence on standard error and exit code 1."""

import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from nats.errors import Error as NatsError

from opsledger import applying, exporting, importing
from opsledger.looping import run_loop
from opsledger.services import CONTEXTS
from opsledger.stopping import until_told
from opsledger.telling import Teller
from opsledger_runtime.auth import ROLES
from opsledger_runtime.embedded.problems import CannotStart
from opsledger_runtime.migrations import MigrationError
from opsledger_runtime.settings import SettingsError

app = typer.Typer(
    help="Opsledger: IT service management whose every fact is an event.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(importing.app, name="import")
app.command("apply")(applying.apply)
app.command("export")(exporting.export)

Port = Annotated[int, typer.Option(envvar="OPSLEDGER_PORT", min=0, max=65_535, help="Where HTTP is served.")]
DataDir = Annotated[Path, typer.Option(envvar="OPSLEDGER_DATA_DIR", help="Postgres, NATS, secrets, log.")]


def _fail(sentence: str) -> typer.Exit:
    sys.stderr.write(f"\n{sentence}\n")
    return typer.Exit(1)


def _until_told(work: Callable[[Teller], Awaitable[None]]) -> None:
    with Teller() as tell:
        try:
            run_loop(until_told(lambda: work(tell), lambda: tell.settle("Stopping: finishing what is under way …")))
        except (CannotStart, SettingsError, MigrationError) as error:
            tell.settle("")
            raise _fail(str(error)) from None
        except (asyncpg.PostgresError, NatsError, OSError) as error:
            tell.settle("")
            raise _fail(f"A server cannot be reached or refuses: {error or type(error).__name__}.") from None
        tell.settle("Opsledger has stopped.")


@app.command()
def up(
    port: Port = 8080,
    data_dir: DataDir = Path("data"),
    demo: Annotated[bool, typer.Option(envvar="DEMO", help="Play the demonstration, once per data folder.")] = True,
) -> None:
    """Start everything here: Postgres, NATS, all services. Ctrl-C stops it."""
    from opsledger.up import Options
    from opsledger.up import up as start_everything

    options = Options(port, data_dir, demo)
    _until_told(lambda tell: start_everything(options, tell))


@app.command()
def run(
    services: Annotated[list[str], typer.Argument(help=f"One or more of: {', '.join(CONTEXTS)}.")],
    port: Port = 8080,
    host: Annotated[str, typer.Option(envvar="OPSLEDGER_HOST", help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Run chosen services with given servers; settings come from OPSLEDGER_… variables."""
    from opsledger.run import run as run_services

    unknown = [name for name in services if name not in CONTEXTS]
    if unknown:
        raise _fail(f"There is no service {', '.join(unknown)}. There are: {', '.join(CONTEXTS)}.")
    _until_told(lambda tell: run_services(services, host, port, os.environ, tell))


@app.command()
def provision(
    nats_url: Annotated[str, typer.Option(envvar="OPSLEDGER_NATS_URL", help="The bus.")],
    nats_user: Annotated[str | None, typer.Option(envvar="OPSLEDGER_NATS_USER", help="Its administrator.")] = None,
    nats_password: Annotated[str | None, typer.Option(envvar="OPSLEDGER_NATS_PASSWORD")] = None,
    replicas: Annotated[int, typer.Option(min=1, max=5, help="Copies of the stream: 3 on a cluster.")] = 1,
) -> None:
    """Make the stream and every service's consumers, or bring them up to date. Safe to run at every release."""
    from opsledger.run import provision as provision_bus

    try:
        run_loop(provision_bus(nats_url, nats_user, nats_password, replicas))
    except (NatsError, OSError) as error:
        raise _fail(f"The bus at {nats_url} cannot be reached or refuses: {error or type(error).__name__}.") from None
    typer.echo("The bus has its stream and consumers.")


@app.command()
def generate(
    incidents: Annotated[int, typer.Option(help="How many histories there shall be.")],
    days: Annotated[int, typer.Option(help="Over how many days until now they are spread.")] = 365,
    seed: Annotated[int, typer.Option(help="The same seed tells the same histories, and never twice.")] = 1,
    profile: Annotated[str, typer.Option(help="full: whole lives. brief: opened and resolved.")] = "full",
    open_percent: Annotated[float, typer.Option("--open", help="How many per cent, the newest, stay open.")] = 2.0,
    workers: Annotated[int, typer.Option(help="How many processes write.")] = 2,
    data_dir: DataDir = Path("data"),
) -> None:
    """Write invented incident histories into the Opsledger that runs in the data folder, or OPSLEDGER_DATABASE_URL."""
    from opsledger.generate import Wanted
    from opsledger.generate import generate as write_histories

    wanted = Wanted(incidents, days, seed, profile, open_percent, workers)
    asked_to_stop: list[bool] = []
    with Teller() as tell:
        try:
            run_loop(
                until_told(
                    lambda: write_histories(wanted, data_dir, os.environ, tell), lambda: asked_to_stop.append(True)
                )
            )
        except (CannotStart, SettingsError) as error:
            raise _fail(str(error)) from None
    if asked_to_stop:
        raise typer.Exit(130)


@app.command()
def demo() -> None:
    """Play the demonstration in a folder of its own, show it, and remove the folder."""
    from opsledger.up import Options
    from opsledger.up import up as start_everything

    folder = Path(tempfile.mkdtemp(prefix="opsledger-demo-"))
    try:
        options = Options(port=0, data_dir=folder, demonstration=True)
        _until_told(lambda tell: start_everything(options, tell, stay=False))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@app.command()
def token(
    role: Annotated[str, typer.Option(help=f"One of: {', '.join(ROLES)}.")],
    subject: Annotated[str | None, typer.Option(help="Who the token names; the role's name if left out.")] = None,
    organisation: Annotated[list[str] | None, typer.Option(help="Only this organisation; may be repeated.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, help="How long it is good for.")] = 12.0,
    data_dir: DataDir = Path("data"),
) -> None:
    """Print a token of the local issuer, alone on the last line."""
    from opsledger.up import token as issue

    try:
        found = issue(data_dir, role, subject=subject, organisations=organisation, hours=hours)
    except ValueError as error:
        raise _fail(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    except CannotStart as error:
        raise _fail(error.sentence) from None
    typer.echo(found)
