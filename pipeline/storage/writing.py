"""Outputs are committed: a file appears under its name when it is complete, never before.

Locally that is a temporary name, fsync and rename. An object is written to a spool first (memory up to 32 MiB, then a temporary file) and
uploaded in one go: Arrow's S3 stream has no abort in Python, and closes, that is publishes, what was written when a block fails (measured
with pyarrow 26).
"""

import errno
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import pyarrow.fs as arrow_fs

from configs.errors import ConfigError, RunError
from pipeline.storage.paths import OBJECT_STORES, is_local, local_path, locate, scheme_of

SPOOL_BYTES = 32 << 20
"""An output for an object store waits in memory up to this size, beyond it in a temporary file."""

PARTIAL = ".partial"
"""How the name of an unfinished file ends."""

_FULL = (errno.ENOSPC, errno.EDQUOT)

_UNWRITABLE = {
    errno.ENOSPC: "the disk is full; what is done is kept: free some space and run again to continue",
    errno.EDQUOT: "the disk quota is used up; what is done is kept: free some space and run again to continue",
    errno.EROFS: "the disk is mounted read-only; name another output folder",
    errno.ENAMETOOLONG: "the name is too long for the file system; choose a shorter one",
    errno.ENOTDIR: "a part of the path is a file, wanted a folder; name another output folder",
    errno.EEXIST: "there is a file of this name, wanted a folder; name another output folder",
    errno.EISDIR: "there is a folder of this name, wanted a file; delete it or name another output folder",
    errno.EACCES: "may not be written; check the permissions of the folder it is in, or name another output folder",
    errno.EPERM: "may not be written; check the permissions of the folder it is in, or name another output folder",
    errno.ELOOP: "a link in the path leads to itself; name another output folder",
}


@contextmanager
def committed(uri: str) -> Iterator[BinaryIO]:
    """A writable binary file that appears under its name when the block succeeds, and leaves nothing when it fails.

    Raises `RunError` where nothing can be written: a full or read-only disk, a missing permission, an impossible name.
    """
    writer = _committed_local(uri) if is_local(uri) else _committed_object(uri)
    with writer as file:
        yield file


def write_bytes(uri: str, data: bytes) -> None:
    """Write a file in one go; see `committed`."""
    with committed(uri) as file:
        file.write(data)


def make_folder(uri: str) -> None:
    """Make a local folder with its parents; object stores have none to make. Raises `RunError` as `committed` does."""
    if is_local(uri):
        path = _output_path(uri)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            _raise_unwritable(uri, error)
    else:
        _check_writable(uri)


def remove(uri: str) -> None:
    """Delete a file, or a folder with all in it; no error if there is none."""
    _check_writable(uri)
    filesystem, path = locate(uri)
    kind = filesystem.get_file_info(path).type
    if kind == arrow_fs.FileType.Directory:
        filesystem.delete_dir(path)
    elif kind != arrow_fs.FileType.NotFound:
        filesystem.delete_file(path)


def sweep(folder: str) -> int:
    """Delete what killed processes left unfinished in and below a local `folder`; returns how many files.

    To be called while no other process writes there. Object stores have nothing to sweep: see `committed`.
    """
    left = list(Path(local_path(folder)).rglob(f".*{PARTIAL}")) if is_local(folder) else []
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _check_writable(uri: str) -> None:
    if scheme_of(uri) not in ("file", *OBJECT_STORES):
        raise ConfigError(f"{uri}: outputs go to a local folder, s3:// or gs://; {scheme_of(uri)}:// can only be read")


def _raise_unwritable(uri: str, error: OSError) -> NoReturn:
    """Raise the `RunError` that says what to do, or the error itself where we do not know."""
    if error.errno not in _UNWRITABLE:
        raise error
    raise RunError(f"{uri}: {_UNWRITABLE[error.errno]}") from error


def _output_path(uri: str) -> Path:
    try:
        return Path(local_path(uri))
    except ConfigError as error:
        raise RunError(str(error)) from None


@contextmanager
def _committed_local(uri: str) -> Iterator[BinaryIO]:
    path = _output_path(uri)
    # A file name has at most 255 bytes: long names are replaced by their hash.
    stem = path.name if len(path.name.encode()) < 200 else hashlib.sha256(path.name.encode()).hexdigest()
    partial = path.with_name(f".{stem}.{os.getpid()}-{secrets.token_hex(4)}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = partial.open("xb")
    except OSError as error:
        _raise_unwritable(uri, error)
    try:
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if error.errno in _FULL:  # others may come from what the block reads
                _raise_unwritable(uri, error)
            raise
        try:
            partial.replace(path)
        except OSError as error:
            _raise_unwritable(uri, error)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _committed_object(uri: str) -> Iterator[BinaryIO]:
    _check_writable(uri)
    filesystem, path = locate(uri)
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        yield cast(BinaryIO, spool)
        spool.seek(0)
        try:
            with filesystem.open_output_stream(path) as upload:
                shutil.copyfileobj(spool, upload, SPOOL_BYTES)
        except BaseException:
            remove(uri)  # the stream has published what it had
            raise
