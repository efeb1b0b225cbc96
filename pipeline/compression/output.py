"""The folder of a report: a JSON file and a page."""

from collections.abc import Mapping
from typing import Any

import orjson

from configs.errors import RunError
from pipeline import storage


def prepare_output(folder: str, own: set[str], overwrite: bool) -> None:
    """Empty the folder. Raises `RunError` if it holds something, unless it is all `own`, as we write it, and may be overwritten."""
    names = storage.list_names(folder)
    if names and not (overwrite and names <= own):
        raise RunError(f"{folder}: is not empty; choose another output" + (", or give --overwrite" if not overwrite else ""))
    for name in names:
        storage.remove(storage.join(folder, name))


def write_report(folder: str, report: Mapping[str, Any], page: str, name: str) -> None:
    """Write the JSON file and the page."""
    storage.make_folder(folder)
    storage.write_bytes(storage.join(folder, name), orjson.dumps(report, option=orjson.OPT_INDENT_2))
    storage.write_bytes(storage.join(folder, name.replace(".json", ".html")), page.encode())
