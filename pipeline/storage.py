"""Every path is a URI: local paths, `s3://`, `gs://` through Arrow; `hf://`, `http(s)://` (input only) through fsspec.

Credentials and endpoints come from where the clouds' own tools take them: the AWS and Google chains, `AWS_ENDPOINT_URL` for another
S3 service, `gs://anonymous@bucket/` for public buckets, the Hugging Face token file.

Outputs are committed: `committed` shows a file under its name when it is complete, never before. Locally that is a temporary name,
fsync and rename. An object is written to a spool first (memory up to 32 MiB, then a temporary file) and uploaded in one go: Arrow's
S3 stream has no abort in Python, and closes, that is publishes, what was written when a block fails (measured with pyarrow 26).
"""

import difflib
import hashlib
import os
import posixpath
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as arrow_fs

from configs.errors import ConfigError, InputError

SPOOL_BYTES = 32 << 20
"""An output for an object store waits in memory up to this size, beyond it in a temporary file."""

_PARTIAL = ".partial"
_MARKERS = ("_SUCCESS", "_metadata", "_common_metadata", "_committed_", "_started_", "_temporary", "_delta_log")
_EXTRAS = {"hf": ("huggingface_hub", "hf"), "http": ("aiohttp", "http"), "https": ("aiohttp", "http")}
_OBJECT_STORES = ("s3", "gs")


@dataclass(frozen=True)
class FileInfo:
    """A file of a source. `relative` is its path below the folder or the fixed part of the glob; a single file's name."""

    uri: str
    relative: str
    size: int
    """Bytes as stored."""
    fingerprint: str
    """Changes when the file does: its size with the modification time in ns, or the ETag or hash where the store gives one."""


def join(folder: str, *parts: str) -> str:
    """`join('s3://bucket/a/', 'b', 'c')` is `s3://bucket/a/b/c`."""
    return posixpath.join(folder, *parts)


def local_path(uri: str) -> str:
    """The absolute path of a local URI: a path, `~/...`, or `file://...`."""
    return _local(uri)


def is_local(uri: str) -> bool:
    """Whether the URI names a file on this machine."""
    return _scheme(uri) == "file"


def filesystem(uri: str) -> tuple[Any, str]:
    """The Arrow file system of a URI and the path in it, for `pyarrow.dataset`."""
    return _locate(uri)


def open_input(uri: str) -> pa.NativeFile:
    """Open for random access. Raises `InputError` if the file is missing or may not be read."""
    with input_errors(uri):
        filesystem, path = _locate(uri)
        if _scheme(uri) in ("http", "https") and filesystem.handler.fs.info(path).get("partial") is False:
            raise InputError(f"{uri}: the server does not serve byte ranges; download the file and name the local copy")
        return filesystem.open_input_file(path)


def exists(uri: str) -> bool:
    """Whether there is a file or a folder of this name."""
    with input_errors(uri):
        filesystem, path = _locate(uri)
        return bool(filesystem.get_file_info(path).type != arrow_fs.FileType.NotFound)


def list_files(path: str) -> list[FileInfo]:
    """The files that `path` names: one file, a folder with all below it, or a glob (`*`, `?`, `[ab]`, `**` for any depth).

    Sorted by relative path. Skipped are dotfiles and, in folders, the markers of other systems (`_SUCCESS`, `_metadata`, ...). A
    path that exists is taken literally, also with glob characters in its name; http(s) URLs always are. Raises `InputError` with
    the nearest existing name if nothing matches.
    """
    with input_errors(path):
        filesystem, inner = _locate(path)
        info = filesystem.get_file_info(inner)
        if info.type == arrow_fs.FileType.File:
            return [_file_info(path, filesystem, info, posixpath.basename(inner))]
        if info.type == arrow_fs.FileType.Directory:
            found = [(entry, entry.path[len(inner.rstrip("/")) + 1 :]) for entry in _below(filesystem, inner, recursive=True)]
            found = [(entry, relative) for entry, relative in found if not _is_marker(relative)]
        else:
            found = _matches(filesystem, inner) if _has_glob(path, inner) else []
        if not found:
            raise InputError(f"{path}: {_why_nothing(filesystem, inner, info.type)}")
        return sorted((_file_info(path, filesystem, entry, relative) for entry, relative in found), key=lambda file: file.relative)


def list_names(folder: str) -> set[str]:
    """Names of the files and folders right in `folder`, without unfinished ones; empty if there is no such folder."""
    with input_errors(folder):
        filesystem, path = _locate(folder)
        selector = arrow_fs.FileSelector(path, recursive=False, allow_not_found=True)
        return {info.base_name for info in filesystem.get_file_info(selector) if not info.base_name.endswith(_PARTIAL)}


@contextmanager
def committed(uri: str) -> Iterator[BinaryIO]:
    """A writable binary file that appears under its name when the block succeeds, and leaves nothing when it fails."""
    writer = _committed_local(uri) if is_local(uri) else _committed_object(uri)
    with writer as file:
        yield file


def read_bytes(uri: str) -> bytes:
    """The whole file. Raises `InputError` if it cannot be read."""
    with open_input(uri) as file, input_errors(uri):
        return cast(bytes, file.read())


def write_bytes(uri: str, data: bytes) -> None:
    """Write a file in one go; see `committed`."""
    with committed(uri) as file:
        file.write(data)


def make_folder(uri: str) -> None:
    """Make a local folder with its parents; object stores have none to make."""
    if is_local(uri):
        Path(_local(uri)).mkdir(parents=True, exist_ok=True)
    else:
        _check_writable(uri)


def remove(uri: str) -> None:
    """Delete a file, or a folder with all in it; no error if there is none."""
    _check_writable(uri)
    filesystem, path = _locate(uri)
    kind = filesystem.get_file_info(path).type
    if kind == arrow_fs.FileType.Directory:
        filesystem.delete_dir(path)
    elif kind != arrow_fs.FileType.NotFound:
        filesystem.delete_file(path)


def sweep(folder: str) -> int:
    """Delete what killed processes left unfinished in and below a local `folder`; returns how many files.

    To be called while no other process writes there. Object stores have nothing to sweep: see `committed`.
    """
    left = list(Path(_local(folder)).rglob(f".*{_PARTIAL}")) if is_local(folder) else []
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


@contextmanager
def input_errors(uri: str) -> Iterator[None]:
    """Turn what file systems, Arrow and HTTP clients raise into an `InputError` that names the file."""
    failures: tuple[type[Exception], ...] = (OSError, EOFError, pa.ArrowException)
    if _scheme(uri) in ("http", "https") and find_spec("aiohttp"):
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


def _scheme(uri: str) -> str:
    scheme, separator, _ = uri.partition("://")
    return scheme.lower() if separator else "file"


def _local(uri: str) -> str:
    return os.path.abspath(unquote(uri[len("file://") :]) if uri.startswith("file://") else os.path.expanduser(uri))


def _locate(uri: str) -> tuple[Any, str]:
    """The Arrow file system of a URI, and the path in it."""
    scheme = _scheme(uri)
    if scheme == "file":
        return _filesystem(scheme, ""), _local(uri)
    rest = uri.partition("://")[2]
    if scheme in _OBJECT_STORES:
        authority, _, key = rest.partition("/")
        bucket = authority.rpartition("@")[2]
        return _filesystem(scheme, authority), f"{bucket}/{key}".rstrip("/")
    return _filesystem(scheme, ""), uri if scheme.startswith("http") else rest.rstrip("/")


@lru_cache(maxsize=64)
def _filesystem(scheme: str, authority: str) -> Any:
    if scheme == "file":
        return arrow_fs.LocalFileSystem()
    if scheme in _OBJECT_STORES:
        return arrow_fs.FileSystem.from_uri(f"{scheme}://{authority}")[0]
    if scheme not in _EXTRAS:
        raise ConfigError(f"{scheme}://: not a known kind of path; known are local paths, s3://, gs://, hf://, http://, https://")
    package, extra = _EXTRAS[scheme]
    if find_spec(package) is None:
        raise ConfigError(f"{scheme}:// needs the package '{package}'; install it with: pip install 'baichuan-corpus[{extra}]'")
    import fsspec

    return arrow_fs.PyFileSystem(arrow_fs.FSSpecHandler(fsspec.filesystem(scheme)))


def _file_info(asked: str, filesystem: Any, info: Any, relative: str) -> FileInfo:
    scheme = _scheme(asked)
    uri = info.path if scheme in ("file", "http", "https") else f"{scheme}://{_user(asked)}{info.path}"
    tag = str(info.mtime_ns)
    if isinstance(filesystem, arrow_fs.PyFileSystem):
        details = filesystem.handler.fs.info(info.path)
        known = [details[key] for key in ("ETag", "etag", "sha256", "blob_id", "Content-MD5", "Last-Modified") if details.get(key)]
        tag = str(known[0]) if known else "unknown"
    if info.size is None:
        raise InputError(f"{uri}: the server does not tell the file's size; download the file and name the local copy")
    return FileInfo(uri, relative, info.size, f"{info.size}-{tag}")


def _user(uri: str) -> str:
    """`anonymous@` of a gs:// URI, else nothing."""
    user, separator, _ = uri.partition("://")[2].partition("/")[0].rpartition("@")
    return f"{user}{separator}"


def _below(filesystem: Any, folder: str, *, recursive: bool) -> list[Any]:
    entries = filesystem.get_file_info(arrow_fs.FileSelector(folder, recursive=recursive, allow_not_found=True))
    skip = len(folder.rstrip("/"))
    return [entry for entry in entries if entry.type == arrow_fs.FileType.File and "/." not in entry.path[skip:]]


def _is_marker(relative: str) -> bool:
    return any(part.startswith(_MARKERS) for part in relative.split("/"))


def _has_glob(asked: str, inner: str) -> bool:
    return not asked.startswith("http") and any(character in inner for character in "*?[")


def _matches(filesystem: Any, pattern: str) -> list[tuple[Any, str]]:
    """Files that a glob names, with their paths below the last folder before the first glob character."""
    first = next(index for index, character in enumerate(pattern) if character in "*?[")
    base = pattern[:first].rpartition("/")[0] or "/"
    rest = pattern[len(base.rstrip("/")) + 1 :]
    wanted = _glob_pattern(rest)
    entries = [(e, e.path[len(base.rstrip("/")) + 1 :]) for e in _below(filesystem, base, recursive="/" in rest or "**" in rest)]
    return [(entry, relative) for entry, relative in entries if wanted.fullmatch(relative)]


def _glob_pattern(glob: str) -> re.Pattern[str]:
    """As the shell has it; `**/` is any number of folders, and `**` at the end is everything below."""
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[[^]/]+\]|.", glob, flags=re.DOTALL)
    meaning = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = []
    for token in tokens:
        if len(token) > 1 and token[0] == "[":
            inside = token[1:-1].replace("\\", "\\\\")
            parts.append(f"[^{inside[1:]}]" if inside[0] == "!" else f"[{inside}]")
        else:
            parts.append(meaning.get(token) or re.escape(token))
    return re.compile("".join(parts), flags=re.DOTALL)


def _why_nothing(filesystem: Any, path: str, kind: Any) -> str:
    """What to say when nothing is there: the nearest name in the deepest folder that exists."""
    if kind == arrow_fs.FileType.Directory:
        return "the folder holds no files; check the path"
    if path.startswith("http"):
        return "the server did not give the file; check the address and the connection"
    folder, name = path, ""
    while "/" in folder.strip("/"):
        folder, _, name = folder.rpartition("/")
        folder = folder or "/"
        entries = filesystem.get_file_info(arrow_fs.FileSelector(folder, recursive=False, allow_not_found=True))
        if entries:
            near = difflib.get_close_matches(name, [entry.base_name for entry in entries], n=1, cutoff=0.5)
            return f"nothing matches; '{folder}' has no '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")
    return "no such file or folder; check the path"


def _check_writable(uri: str) -> None:
    if _scheme(uri) not in ("file", *_OBJECT_STORES):
        raise ConfigError(f"{uri}: outputs go to a local folder, s3:// or gs://; {_scheme(uri)}:// can only be read")


@contextmanager
def _committed_local(uri: str) -> Iterator[BinaryIO]:
    path = Path(_local(uri))
    path.parent.mkdir(parents=True, exist_ok=True)
    # A file name has at most 255 bytes: long names are replaced by their hash.
    stem = path.name if len(path.name.encode()) < 200 else hashlib.sha256(path.name.encode()).hexdigest()
    partial = path.with_name(f".{stem}.{os.getpid()}-{secrets.token_hex(4)}{_PARTIAL}")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _committed_object(uri: str) -> Iterator[BinaryIO]:
    _check_writable(uri)
    filesystem, path = _locate(uri)
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        yield cast(BinaryIO, spool)
        spool.seek(0)
        try:
            with filesystem.open_output_stream(path) as upload:
                shutil.copyfileobj(spool, upload, SPOOL_BYTES)
        except BaseException:
            remove(uri)  # the stream has published what it had
            raise
