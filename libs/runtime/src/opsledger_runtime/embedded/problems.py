"""Why a start can fail, as a sentence that says what happened and what to do."""

import errno


class CannotStart(Exception):
    """The platform cannot start. `sentence` is for people and is shown as it is, without a traceback."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def os_problem(error: OSError, doing: str) -> CannotStart:
    """Say an operating system error as a sentence; `doing` completes "Opsledger could not …"."""
    where = f" ({error.filename})" if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return CannotStart(
                f"Opsledger could not {doing}: the disk is full{where}. Free some space, or put the data folder on "
                "another disk with OPSLEDGER_DATA_DIR=/path/to/folder, and start again."
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return CannotStart(
                f"Opsledger could not {doing}: no permission{where}. Give yourself write permission there, or choose a "
                "folder of yours with OPSLEDGER_DATA_DIR=/path/to/folder, and start again."
            )
        case errno.ENOENT:
            return CannotStart(
                f"Opsledger could not {doing}: a file is missing{where}. Run `make setup` and start again."
            )
        case _:
            return CannotStart(f"Opsledger could not {doing}: {error.strerror or error}{where}.")
