"""Which files and names there are: a file, a folder with all below it, or a glob."""

import difflib
import errno
import heapq
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow.fs as arrow_fs

from configs.errors import InputError
from pipeline.storage.paths import is_utf8, locate, scheme_of, user_of
from pipeline.storage.reading import input_errors
from pipeline.storage.writing import PARTIAL

_MARKERS = ("_SUCCESS", "_metadata", "_common_metadata", "_committed_", "_started_", "_temporary", "_delta_log")


@dataclass(frozen=True)
class FileInfo:
    """A file of a source. `relative` is its path below the folder or the fixed part of the glob; a single file's name."""

    uri: str
    relative: str
    size: int
    """Bytes as stored."""
    fingerprint: str
    """Changes when the file does: its size with the modification time in ns, or the ETag or hash where the store gives one."""


def list_files(path: str) -> list[FileInfo]:
    """The files that `path` names: one file, a folder with all below it, or a glob (`*`, `?`, `[ab]`, `**` for any depth).

    Sorted by relative path. Links to files and folders are followed, but each local folder is listed once, under its own name before
    that of a link, so loops of links end. Skipped are dotfiles and, in folders, the markers of other systems (`_SUCCESS`, ...). A
    path that exists is taken literally, also with glob characters in its name; http(s) URLs always are. Raises `InputError` with
    the nearest existing name if nothing matches, and for a name that is not UTF-8.
    """
    with input_errors(path):
        filesystem, inner = locate(path)
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
            if not is_utf8(entry.path):
                raise _name_not_utf8(entry.path)
        return sorted((_file_info(path, filesystem, entry, relative) for entry, relative in found), key=lambda file: file.relative)


def list_names(folder: str) -> set[str]:
    """Names of the files and folders right in `folder`, without unfinished ones; empty if there is no such folder."""
    with input_errors(folder):
        return {name for name in _names(*locate(folder)) if not name.endswith(PARTIAL)}


def _file_info(asked: str, filesystem: Any, info: Any, relative: str) -> FileInfo:
    scheme = scheme_of(asked)
    uri = info.path if scheme in ("file", "http", "https") else f"{scheme}://{user_of(asked)}{info.path}"
    tag = str(info.mtime_ns)
    if isinstance(filesystem, arrow_fs.PyFileSystem):
        details = filesystem.handler.fs.info(info.path)
        known = [details[key] for key in ("ETag", "etag", "sha256", "blob_id", "Content-MD5", "Last-Modified") if details.get(key)]
        tag = str(known[0]) if known else "unknown"
    if info.size is None:
        raise InputError(f"{uri}: the server does not tell the file's size; download the file and name the local copy")
    return FileInfo(uri, relative, info.size, f"{info.size}-{tag}")


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
            names = [other for other in _names(filesystem, folder) if is_utf8(other)]
        except NotADirectoryError:
            return f"'{folder}' is a file, wanted a folder; check the path"
        if names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            return f"nothing matches; '{folder}' has no '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")
    return "no such file or folder; check the path"


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
