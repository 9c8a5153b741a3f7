"""How another process reaches the servers that run in a data folder.

Owns nothing. Refuses to start anything, and to make a secret or choose a port: it reads what the run has written.
"""

from pathlib import Path

from opsledger_runtime.embedded import databases
from opsledger_runtime.embedded.folder import DataFolder
from opsledger_runtime.embedded.problems import CannotStart, os_problem
from opsledger_runtime.embedded.secrets import Secrets


def database_url(data_dir: Path, context: str) -> str:
    """The URL with which a context's application role logs in.

    Raises:
        CannotStart: nothing runs there, it is somebody else's, or it is still starting.
    """
    folder = DataFolder(data_dir)
    try:
        secrets = Secrets.open(folder.path / "secrets.json")
        if not folder.in_use():
            raise CannotStart(
                f"Opsledger does not run in {folder.path}. Start it with `make run` in another terminal, or say where "
                "it runs with OPSLEDGER_DATA_DIR=/path/to/folder."
            )
        port, password = folder.remembered("postgres"), secrets.passwords.get(databases.app_role(context))
    except OSError as error:
        raise os_problem(error, f"read the data folder {folder.path}") from error
    if port is None or password is None:
        raise CannotStart(f"Opsledger is still starting in {folder.path}. Try again in a moment.")
    return f"postgresql://{databases.app_role(context)}:{password}@127.0.0.1:{port}/{databases.database_name(context)}"
