"""The report at the end of a run, whose corpus is complete and checked by then: a report that fails is said, and ends no run."""

import sys
import traceback

from rich.console import Console
from rich.text import Text

from pipeline.report.page import write_report


def try_report(run_folder: str) -> bool:
    """Write the report of a complete run; whether it is there. If not, stderr has the cause and the command that tries again."""
    try:
        write_report(run_folder)
    except Exception as error:  # whatever it is: hours of work must not look lost for a page that takes seconds
        last = traceback.extract_tb(error.__traceback__)[-1]
        cause = f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
        message = Text.assemble(
            ("warning: ", "bold yellow"),
            f"the corpus in {run_folder} is complete, but its report was not written: {cause}\n",
            f"         try again: corpus report {run_folder}",
        )
        sys.stdout.flush()
        Console(stderr=True).print(message, soft_wrap=True)
        return False
    return True
