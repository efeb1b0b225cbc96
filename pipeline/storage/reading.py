"""Reading a file, and what is said when it cannot be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import cast

import pyarrow as pa
import pyarrow.fs as arrow_fs

from configs.errors import InputError
from pipeline.storage.paths import is_local, locate, scheme_of


def open_input(uri: str) -> pa.NativeFile:
    """Open for random access. Raises `InputError` if the file is missing or may not be read."""
    with input_errors(uri):
        filesystem, path = locate(uri)
        if scheme_of(uri) in ("http", "https") and filesystem.handler.fs.info(path).get("partial") is False:
            raise InputError(f"{uri}: the server does not serve byte ranges; download the file and name the local copy")
        return filesystem.open_input_file(path)


def exists(uri: str) -> bool:
    """Whether there is a file or a folder of this name."""
    with input_errors(uri):
        filesystem, path = locate(uri)
        return bool(filesystem.get_file_info(path).type != arrow_fs.FileType.NotFound)


def read_bytes(uri: str) -> bytes:
    """The whole file. Raises `InputError` if it cannot be read."""
    with open_input(uri) as file, input_errors(uri):
        return cast(bytes, file.read())


@contextmanager
def input_errors(uri: str) -> Iterator[None]:
    """Turn what file systems, Arrow and HTTP clients raise into an `InputError` that names the file."""
    failures: tuple[type[Exception], ...] = (OSError, EOFError, pa.ArrowException)
    if scheme_of(uri) in ("http", "https") and find_spec("aiohttp"):
        from aiohttp import ClientError

        failures += (ClientError,)
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{uri}: no such file; check the path") from None
    except PermissionError as error:
        raise InputError(f"{uri}: may not be read: {error}; check its permissions or the credentials") from error
    except failures as error:
        raise InputError(f"{uri}: cannot be read: {error or type(error).__name__}; check the file and the connection") from error


def chunk_bytes(uri: str) -> int:
    """How much to read at a time: 1 MiB from a disk; 8 MiB from elsewhere, where each read is a request of some 50 ms."""
    return 1 << 20 if is_local(uri) else 8 << 20
