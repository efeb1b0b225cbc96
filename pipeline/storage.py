"""Every path is a URI: local paths, `s3://`, `gs://` through Arrow; `hf://`, `http(s)://` (input only) through fsspec.

Credentials and endpoints come from where the clouds' own tools take them: the AWS and Google chains, `AWS_ENDPOINT_URL` for another
S3 service, `gs://anonymous@bucket/` for public buckets, the Hugging Face token file.

Outputs are committed: `committed` shows a file under its name when it is complete, never before. Locally that is a temporary name,
fsync and rename. An object is written to a spool first (memory up to 32 MiB, then a temporary file) and uploaded in one go: Arrow's
S3 stream has no abort in Python, and closes, that is publishes, what was written when a block fails (measured with pyarrow 26).
"""

import difflib
import errno
import hashlib
import heapq
import os
import posixpath
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn, cast
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as arrow_fs

from configs.errors import ConfigError, InputError, RunError

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
    """`join('s3://bucket/a/', 'b', 'c')` is `s3://bucket/a/b/c`; `join('file:///a%20b', 'c%20d')` is `/a b/c%20d`."""
    return posixpath.join(local_path(folder) if _is_file_uri(folder) else folder, *parts)


def is_local(uri: str) -> bool:
    """Whether the URI names a file on this machine."""
    return _scheme(uri) == "file"


def local_path(uri: str) -> str:
    """The absolute path of a local file: `file://` URIs are decoded, `~` and `~user` at the start are the home folders.

    Raises `ConfigError` for an empty path, and for one with a NUL character or bytes that are not UTF-8.
    """
    path = uri
    if _is_file_uri(uri):
        path = unquote(uri[len("file://") :], errors="surrogateescape")
        path = path[len("localhost") :] if path.startswith("localhost/") else path
        if path and not path.startswith("/"):
            host, _, rest = path.partition("/")
            raise ConfigError(f"{uri}: names the host '{host}'; wanted file:///{rest or host}, with three slashes, or a plain path")
    elif uri.startswith("~"):
        path = os.path.expanduser(uri)
    if not path.strip():
        raise ConfigError(f"{uri!r}: the path is empty; name a file or a folder ('.' is the working directory)")
    if "\0" in path:
        raise ConfigError(f"{uri!r}: the path holds a NUL character; check how it was written")
    if not _is_utf8(path):
        raise ConfigError(f"{os.fsencode(path)!r}: the path is not UTF-8; rename it, as with convmv -f gbk -t utf-8")
    return os.path.abspath(path)


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

    Sorted by relative path. Links to files and folders are followed, but each local folder is listed once, under its own name before
    that of a link, so loops of links end. Skipped are dotfiles and, in folders, the markers of other systems (`_SUCCESS`, ...). A
    path that exists is taken literally, also with glob characters in its name; http(s) URLs always are. Raises `InputError` with
    the nearest existing name if nothing matches, and for a name that is not UTF-8.
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
            found = _matches(path, filesystem, inner) if _has_glob(path, inner) else []
        if not found:
            raise InputError(f"{path}: {_why_nothing(filesystem, inner, info.type)}")
        for entry, _ in found:
            if not _is_utf8(entry.path):
                raise _name_not_utf8(entry.path)
        return sorted((_file_info(path, filesystem, entry, relative) for entry, relative in found), key=lambda file: file.relative)


def list_names(folder: str) -> set[str]:
    """Names of the files and folders right in `folder`, without unfinished ones; empty if there is no such folder."""
    with input_errors(folder):
        return {name for name in _names(*_locate(folder)) if not name.endswith(_PARTIAL)}


@contextmanager
def committed(uri: str) -> Iterator[BinaryIO]:
    """A writable binary file that appears under its name when the block succeeds, and leaves nothing when it fails.

    Raises `RunError` where nothing can be written: a full or read-only disk, a missing permission, an impossible name.
    """
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
    left = list(Path(local_path(folder)).rglob(f".*{_PARTIAL}")) if is_local(folder) else []
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
    return scheme.lower() if separator and "/" not in scheme else "file"


def _is_file_uri(uri: str) -> bool:
    return uri[: len("file://")].lower() == "file://"


def _is_utf8(path: str) -> bool:
    """False for what Python holds as surrogates: bytes of a name that are no UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name_not_utf8(path: str) -> InputError:
    folder, name = os.fsencode(path).rsplit(b"/", 1)
    near = next((f", which is '{name.decode(codec)}' in {codec}" for codec in ("gb18030",) if _decodes(name, codec)), "")
    return InputError(
        f"{folder.decode(errors='backslashreplace')}: the file name {name!r} is not UTF-8{near}; "
        "rename it, as with convmv -f gbk -t utf-8, or leave it out with a glob"
    )


def _decodes(name: bytes, codec: str) -> bool:
    try:
        return name.decode(codec).isprintable()
    except UnicodeDecodeError:
        return False


def _locate(uri: str) -> tuple[Any, str]:
    """The Arrow file system of a URI, and the path in it."""
    scheme = _scheme(uri)
    if scheme == "file":
        return _filesystem(scheme, ""), local_path(uri)
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
    if isinstance(filesystem, arrow_fs.LocalFileSystem):
        return list(_below_local(folder, recursive=recursive))
    entries = filesystem.get_file_info(arrow_fs.FileSelector(folder, recursive=recursive, allow_not_found=True))
    skip = len(folder.rstrip("/"))
    return [entry for entry in entries if entry.type == arrow_fs.FileType.File and "/." not in entry.path[skip:]]


class _LocalFile(NamedTuple):
    """What `_file_info` wants of an `arrow_fs.FileInfo`, which cannot hold a name that is not UTF-8."""

    path: str
    size: int
    mtime_ns: int


def _below_local(folder: str, *, recursive: bool) -> Iterator[_LocalFile]:
    """The files of a folder without dotfiles. Linked folders come last, so that what is listed once has its own name."""
    folders, links = [folder], list[str]()
    seen: set[tuple[int, int]] = set()
    while folders or links:
        here = folders.pop() if folders else heapq.heappop(links)
        try:
            status = os.stat(here)
            if (status.st_dev, status.st_ino) in seen:
                continue
            with os.scandir(here) as entries:
                below = [entry for entry in entries if not entry.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in below:
            try:
                status = entry.stat()
            except OSError as error:
                if entry.is_symlink() and error.errno in (errno.ENOENT, errno.ELOOP):
                    continue  # a link to nothing, or to itself
                raise
            if stat.S_ISREG(status.st_mode):
                yield _LocalFile(entry.path, status.st_size, status.st_mtime_ns)
            elif stat.S_ISDIR(status.st_mode) and recursive:
                if entry.is_symlink():
                    heapq.heappush(links, entry.path)
                else:
                    folders.append(entry.path)


def _names(filesystem: Any, folder: str) -> list[str]:
    """Names of all in a folder; none if there is no such folder."""
    if isinstance(filesystem, arrow_fs.LocalFileSystem):
        try:
            return os.listdir(folder)
        except FileNotFoundError:
            return []
    entries = filesystem.get_file_info(arrow_fs.FileSelector(folder, recursive=False, allow_not_found=True))
    return [str(entry.base_name) for entry in entries]


def _is_marker(relative: str) -> bool:
    return any(part.startswith(_MARKERS) for part in relative.split("/"))


def _has_glob(asked: str, inner: str) -> bool:
    return not asked.startswith("http") and any(character in inner for character in "*?[")


def _matches(asked: str, filesystem: Any, pattern: str) -> list[tuple[Any, str]]:
    """Files that a glob names, with their paths below the last folder before the first glob character."""
    first = next(index for index, character in enumerate(pattern) if character in "*?[")
    base = pattern[:first].rpartition("/")[0] or "/"
    rest = pattern[len(base.rstrip("/")) + 1 :]
    try:
        wanted = _glob_pattern(rest)
    except re.error as error:
        raise InputError(f"{asked}: not a glob: {error}; check what stands in [ ]") from None
    entries = [(e, e.path[len(base.rstrip("/")) + 1 :]) for e in _below(filesystem, base, recursive="/" in rest or "**" in rest)]
    return [(entry, relative) for entry, relative in entries if wanted.fullmatch(relative)]


def _glob_pattern(glob: str) -> re.Pattern[str]:
    """As the shell has it; `**/` is any number of folders, and `**` at the end is everything below."""
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[[^]/]+\]|.", glob, flags=re.DOTALL)
    meaning = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = []
    for token in tokens:
        if len(token) > 1 and token[0] == "[":
            inside = re.sub(r"([\\\[&|~])", r"\\\1", token[1:-1])
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
        try:
            names = [other for other in _names(filesystem, folder) if _is_utf8(other)]
        except NotADirectoryError:
            return f"'{folder}' is a file, wanted a folder; check the path"
        if names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            return f"nothing matches; '{folder}' has no '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")
    return "no such file or folder; check the path"


def _check_writable(uri: str) -> None:
    if _scheme(uri) not in ("file", *_OBJECT_STORES):
        raise ConfigError(f"{uri}: outputs go to a local folder, s3:// or gs://; {_scheme(uri)}:// can only be read")


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
    partial = path.with_name(f".{stem}.{os.getpid()}-{secrets.token_hex(4)}{_PARTIAL}")
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
