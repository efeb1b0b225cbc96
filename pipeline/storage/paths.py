"""What a URI names: a scheme, an Arrow file system, and a path in it."""

import os
import posixpath
from functools import lru_cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote

import pyarrow.fs as arrow_fs

from configs.errors import ConfigError

OBJECT_STORES = ("s3", "gs")

_EXTRAS = {"hf": ("huggingface_hub", "hf"), "http": ("aiohttp", "http"), "https": ("aiohttp", "http")}


def join(folder: str, *parts: str) -> str:
    """`join('s3://bucket/a/', 'b', 'c')` is `s3://bucket/a/b/c`; `join('file:///a%20b', 'c%20d')` is `/a b/c%20d`."""
    return posixpath.join(local_path(folder) if _is_file_uri(folder) else folder, *parts)


def is_local(uri: str) -> bool:
    """Whether the URI names a file on this machine."""
    return scheme_of(uri) == "file"


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
    if not is_utf8(path):
        raise ConfigError(f"{os.fsencode(path)!r}: the path is not UTF-8; rename it, as with convmv -f gbk -t utf-8")
    return os.path.abspath(path)


def locate(uri: str) -> tuple[Any, str]:
    """The Arrow file system of a URI, and the path in it, as for `pyarrow.dataset`."""
    scheme = scheme_of(uri)
    if scheme == "file":
        return _filesystem(scheme, ""), local_path(uri)
    rest = uri.partition("://")[2]
    if scheme in OBJECT_STORES:
        authority, _, key = rest.partition("/")
        bucket = authority.rpartition("@")[2]
        return _filesystem(scheme, authority), f"{bucket}/{key}".rstrip("/")
    return _filesystem(scheme, ""), uri if scheme.startswith("http") else rest.rstrip("/")


def scheme_of(uri: str) -> str:
    """`s3` of `s3://bucket`, in small letters; `file` of a plain path."""
    scheme, separator, _ = uri.partition("://")
    return scheme.lower() if separator and "/" not in scheme else "file"


def is_utf8(path: str) -> bool:
    """False for what Python holds as surrogates: bytes of a name that are no UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def user_of(uri: str) -> str:
    """`anonymous@` of a gs:// URI, else nothing."""
    user, separator, _ = uri.partition("://")[2].partition("/")[0].rpartition("@")
    return f"{user}{separator}"


def _is_file_uri(uri: str) -> bool:
    return uri[: len("file://")].lower() == "file://"


@lru_cache(maxsize=64)
def _filesystem(scheme: str, authority: str) -> Any:
    if scheme == "file":
        return arrow_fs.LocalFileSystem()
    if scheme in OBJECT_STORES:
        return arrow_fs.FileSystem.from_uri(f"{scheme}://{authority}")[0]
    if scheme not in _EXTRAS:
        raise ConfigError(f"{scheme}://: not a known kind of path; known are local paths, s3://, gs://, hf://, http://, https://")
    package, extra = _EXTRAS[scheme]
    if find_spec(package) is None:
        raise ConfigError(f"{scheme}:// needs the package '{package}'; install it with: pip install 'baichuan-corpus[{extra}]'")
    import fsspec

    return arrow_fs.PyFileSystem(arrow_fs.FSSpecHandler(fsspec.filesystem(scheme)))
