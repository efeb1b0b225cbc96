import errno
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError, InputError, RunError
from pipeline import storage
from pipeline.storage import paths
from pipeline.storage.listing import _glob_pattern
from tests.pipeline.readers.reading import brief, read_all, source_of


def filled(folder: Path, *names: str) -> str:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return str(folder)


def write_and_fail(uri: str) -> None:
    with storage.committed(uri) as file:
        file.write(b"new")
        raise KeyError


def relatives(path: str) -> list[str]:
    return [file.relative for file in storage.list_files(path)]


def test_join_keeps_the_scheme() -> None:
    assert storage.join("s3://b/a/", "x", "y.json") == "s3://b/a/x/y.json"
    assert storage.join("out", "x") == "out/x"
    assert storage.join("/", "x") == "/x"


def test_is_local() -> None:
    assert [storage.is_local(uri) for uri in ("a", "/a", "file:///a", "s3://a", "https://a/b")] == [True, True, True, False, False]


def test_a_file_is_listed_with_its_size_and_a_fingerprint_that_changes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a b%20中.txt"
    path.write_bytes(b"123")
    (before,) = storage.list_files(str(path))
    assert (before.uri, before.relative, before.size) == (str(path), "a b%20中.txt", 3)
    assert storage.list_files(path.as_uri()) == [before]
    os.utime(path, ns=(1, 1))
    (after,) = storage.list_files(str(path))
    assert after.fingerprint == "3-1" != before.fingerprint


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(filled(tmp_path, "d/a.txt"))
    (file,) = storage.list_files("d")
    assert (file.uri, file.relative) == (str(tmp_path / "d/a.txt"), "a.txt")


def test_a_folder_gives_all_below_without_dotfiles_and_markers(tmp_path: Path) -> None:
    names = ("b/2.txt", "a.txt", "b/c/1.txt", ".hidden", ".git/x.txt", "_SUCCESS", "b/_metadata", "_temporary/0/x", "_intro.txt")
    assert relatives(filled(tmp_path, *names)) == ["_intro.txt", "a.txt", "b/2.txt", "b/c/1.txt"]


@pytest.mark.parametrize(
    ("glob", "wanted"),
    [
        ("*.txt", ["a.txt", "ab.txt"]),
        ("a?.txt", ["ab.txt"]),
        ("[!b]*.txt", ["a.txt", "ab.txt"]),
        ("[b-d]/*", ["b/1.txt", "c/2.md"]),
        ("*/*.txt", ["b/1.txt"]),
        ("**/*.txt", ["a.txt", "ab.txt", "b/1.txt", "b/c/3.txt"]),
        ("b/**", ["1.txt", "c/3.txt"]),
        ("b/**/3.txt", ["c/3.txt"]),
    ],
)
def test_globs(tmp_path: Path, glob: str, wanted: list[str]) -> None:
    folder = filled(tmp_path, "a.txt", "ab.txt", "b/1.txt", "b/c/3.txt", "c/2.md", ".h.txt", "b/.h/4.txt")
    assert relatives(f"{folder}/{glob}") == wanted


def test_a_name_with_glob_characters_that_exists_is_taken_literally(tmp_path: Path) -> None:
    folder = filled(tmp_path, "a[1].txt", "a1.txt")
    assert relatives(f"{folder}/a[1].txt") == ["a[1].txt"]


@given(name=st.text(st.characters(exclude_characters="/*?[", exclude_categories=("Cs",)), min_size=1))
def test_a_glob_without_special_characters_matches_itself_alone(name: str) -> None:
    pattern = _glob_pattern(name)
    assert pattern.fullmatch(name)
    assert not pattern.fullmatch(name + "x")


def test_what_matches_nothing_names_the_nearest(tmp_path: Path) -> None:
    folder = filled(tmp_path, "law_zh.jsonl.zst", "sub/x")
    with pytest.raises(InputError, match=r"'law_zn\.jsonl\.zst'; did you mean 'law_zh\.jsonl\.zst'\?"):
        storage.list_files(f"{folder}/law_zn.jsonl.zst")
    with pytest.raises(InputError, match=r"has no 'sup'; did you mean 'sub'\?"):
        storage.list_files(f"{folder}/sup/deeper/y")
    with pytest.raises(InputError, match=r"nothing matches; '.*' has no '\*\.parquet'"):
        storage.list_files(f"{folder}/*.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no files"):
        storage.list_files(f"{folder}/empty")


def test_list_names_is_empty_for_a_missing_folder_and_leaves_out_unfinished_files(tmp_path: Path) -> None:
    assert storage.list_names(str(tmp_path / "none")) == set()
    with storage.committed(str(tmp_path / "a")):
        assert storage.list_names(str(tmp_path)) == set()
    filled(tmp_path, "d/b")
    assert storage.list_names(str(tmp_path)) == {"a", "d"}


def test_a_committed_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    uri = str(tmp_path / "new" / "a.bin")
    with storage.committed(uri) as file:
        file.write(b"1")
        assert not storage.exists(uri)
    assert storage.read_bytes(uri) == b"1"


def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    uri = str(tmp_path / "a.bin")
    storage.write_bytes(uri, b"old")
    with pytest.raises(KeyError):
        write_and_fail(uri)
    assert storage.read_bytes(uri) == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_name_of_255_bytes_can_be_committed(tmp_path: Path) -> None:
    uri = str(tmp_path / ("中" * 85))
    storage.write_bytes(uri, b"1")
    assert storage.exists(uri)


def test_sweep_deletes_what_a_killed_process_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    block = storage.committed(str(tmp_path / "d" / "a.bin"))
    block.__enter__().close()  # as if killed: the block never ends
    filled(tmp_path, "d/b.partial", ".c")
    assert len(os.listdir(tmp_path / "d")) == 2
    assert storage.sweep(str(tmp_path)) == 1
    assert sorted(os.listdir(tmp_path / "d")) == ["b.partial"]
    assert storage.sweep(str(tmp_path / "none")) == 0


def test_remove_takes_files_and_folders_and_does_not_mind_their_absence(tmp_path: Path) -> None:
    folder = filled(tmp_path / "d", "a", "b/c")
    storage.remove(f"{folder}/a")
    assert storage.list_names(folder) == {"b"}
    storage.remove(folder)
    storage.remove(folder)
    assert not storage.exists(folder)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        storage.open_input(str(tmp_path / "none"))


def test_an_unknown_scheme_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="ftp://: not a known kind of path"):
        storage.list_files("ftp://host/a")


def test_a_missing_package_is_a_config_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"hf:// needs the package 'huggingface_hub'; install it with: pip install 'baichuan-corpus\[hf\]'"
    ):
        storage.list_files("hf://datasets/a/b")


def test_fsspec_sources_cannot_be_written() -> None:
    with pytest.raises(ConfigError, match="https:// can only be read"):
        storage.write_bytes("https://host/a", b"")


def test_s3_lists_files_folders_and_globs(bucket: str) -> None:
    for name in ("in/b/2.jsonl", "in/a 中%20.jsonl", "in/_SUCCESS", "in/.x", "in/b/c/3.txt"):
        storage.write_bytes(storage.join(bucket, name), name.encode())
    assert relatives(f"{bucket}/in/") == ["a 中%20.jsonl", "b/2.jsonl", "b/c/3.txt"]
    assert relatives(f"{bucket}/in/**/*.jsonl") == ["a 中%20.jsonl", "b/2.jsonl"]
    assert relatives(f"{bucket}/in/*.jsonl") == ["a 中%20.jsonl"]
    (file,) = storage.list_files(f"{bucket}/in/b/2.jsonl")
    assert (file.uri, file.relative, file.size) == (f"{bucket}/in/b/2.jsonl", "2.jsonl", 12)
    assert file.fingerprint.startswith("12-")
    assert storage.list_names(f"{bucket}/in") == {"a 中%20.jsonl", "b", "_SUCCESS", ".x"}
    assert storage.list_names(f"{bucket}/none") == set()
    with pytest.raises(InputError, match=r"did you mean '2\.jsonl'\?"):
        storage.list_files(f"{bucket}/in/b/3.jsonl")


def test_s3_objects_appear_when_the_block_ends_and_never_after_a_failure(bucket: str) -> None:
    uri = f"{bucket}/out/a.bin"
    with storage.committed(uri) as file:
        file.write(b"1" * (6 << 20))
        assert not storage.exists(uri)
    assert len(storage.read_bytes(uri)) == 6 << 20
    with pytest.raises(KeyError):
        write_and_fail(uri)
    assert len(storage.read_bytes(uri)) == 6 << 20
    storage.make_folder(f"{bucket}/out")
    storage.remove(uri)
    storage.remove(uri)
    assert not storage.exists(uri)


def test_s3_json_lines_are_read_by_ranges(bucket: str) -> None:
    uri = f"{bucket}/read/a.jsonl"
    storage.write_bytes(uri, b"".join(b'{"text":"%d"}\n' % number for number in range(200)))
    assert brief(read_all(source_of(uri), target_bytes=500)) == [(number + 1, str(number)) for number in range(200)]


def test_s3_parquet_is_written_and_read_by_ranges(bucket: str) -> None:
    uri = f"{bucket}/read/a.parquet"
    with storage.committed(uri) as file:
        pq.write_table(pa.table({"text": [str(number) for number in range(100)]}), file, row_group_size=10)
    assert brief(read_all(source_of(uri), target_bytes=100)) == [(number + 1, str(number)) for number in range(100)]


class _Ranges(http.server.BaseHTTPRequestHandler):
    """Serves byte ranges of files in memory, as real file servers do; `/whole.jsonl` refuses ranges, `/broken` fails."""

    files: ClassVar[dict[str, bytes]] = {"/a.jsonl": b'{"text":"one"}\n{"text":"two"}\n' * 100, "/whole.jsonl": b'{"text":"one"}\n'}

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        data = self.files.get(self.path)
        if data is None:
            self.send_error(500 if self.path == "/broken" else 404)
            return
        start, end, status = 0, len(data) - 1, 200
        if "Range" in self.headers and self.path != "/whole.jsonl":
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(int(last or end), end), 206
        self.send_response(status)
        self.send_header("Accept-Ranges", "none" if self.path == "/whole.jsonl" else "bytes")
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", str(end - start + 1))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
        self.end_headers()
        if with_body:
            self.wfile.write(data[start : end + 1])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    pytest.importorskip("aiohttp", reason="needs the http extra")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Ranges) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_http_files_are_read_by_ranges(web: str) -> None:
    (file,) = storage.list_files(f"{web}/a.jsonl")
    assert (file.uri, file.relative, file.size, file.fingerprint) == (f"{web}/a.jsonl", "a.jsonl", 3000, '3000-"v1"')
    rows = brief(read_all(source_of(f"{web}/a.jsonl"), target_bytes=700))
    assert rows == [(number + 1, ("one", "two")[number % 2]) for number in range(200)]


def test_http_failures_are_input_errors(web: str) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl: "):
        storage.list_files(f"{web}/none.jsonl")
    with pytest.raises(InputError, match="broken: "):
        storage.list_files(f"{web}/broken")
    with pytest.raises(InputError, match="does not serve byte ranges; download the file"):
        storage.open_input(f"{web}/whole.jsonl")
    with pytest.raises(InputError, match="check the address and the connection"):
        storage.list_files("http://127.0.0.1:9/a.jsonl")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch(mode=0)
    with pytest.raises(InputError, match="may not be read"):
        storage.open_input(str(path))


def test_file_uris_and_home_folders_name_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", filled(tmp_path, "a b/x%20y.txt"))
    names = ["~/a b", f"{tmp_path}/a b", f"file://{tmp_path}/a%20b", f"file://localhost{tmp_path}/a%20b", f"FILE://{tmp_path}/a%20b"]
    assert {storage.local_path(name) for name in names} == {f"{tmp_path}/a b"}
    assert all(storage.is_local(name) and relatives(name) == ["x%20y.txt"] for name in names)
    assert {storage.local_path(storage.join(name, "x%20y.txt")) for name in names} == {f"{tmp_path}/a b/x%20y.txt"}
    storage.make_folder("~/out")
    storage.write_bytes("~/out/z", b"1")
    assert (tmp_path / "out/z").read_bytes() == b"1"


def test_a_file_uri_with_two_slashes_is_told_so() -> None:
    with pytest.raises(ConfigError, match=r"names the host 'data'; wanted file:///a\.txt, with three slashes"):
        storage.list_files("file://data/a.txt")


@pytest.mark.parametrize("path", ["", " ", "a\0b", "a\udcff"])
def test_an_impossible_path_is_an_error_for_inputs_and_outputs(path: str) -> None:
    for function in (storage.list_files, storage.exists):
        with pytest.raises(ConfigError, match="the path"):
            function(path)
    with pytest.raises(RunError, match="the path"):
        storage.make_folder(path)
    with pytest.raises(RunError, match="the path"):
        storage.write_bytes(path, b"")


def test_a_name_that_is_not_utf8_is_named_unless_a_glob_leaves_it_out(tmp_path: Path) -> None:
    filled(tmp_path, "a.jsonl")
    (tmp_path / os.fsdecode("中文.txt".encode("gbk"))).write_text("x")
    for path in (str(tmp_path), f"{tmp_path}/*.txt", f"{tmp_path}/**"):
        with pytest.raises(InputError, match=r"the file name b'\\xd6\\xd0\\xce\\xc4\.txt' is not UTF-8, which is '中文\.txt' in gb18030"):
            storage.list_files(path)
    assert relatives(f"{tmp_path}/*.jsonl") == ["a.jsonl"]
    assert len(storage.list_names(str(tmp_path))) == 2
    with pytest.raises(InputError, match=r"did you mean 'a\.jsonl'"):
        storage.list_files(f"{tmp_path}/b.jsonl")


@pytest.mark.parametrize("glob", ["*[z-a]*", "[!]"])
def test_a_broken_glob_is_an_input_error(tmp_path: Path, glob: str) -> None:
    with pytest.raises(InputError, match="not a glob"):
        storage.list_files(f"{filled(tmp_path, 'a')}/{glob}")


def test_linked_folders_are_listed_once_under_their_own_name_first(tmp_path: Path) -> None:
    filled(tmp_path, "d/z/a.txt", "d/z/y/b.txt", "other/c.txt", "other/e/f.txt")
    folder = tmp_path / "d"
    (folder / "loop").symlink_to(".")
    (folder / "z/up").symlink_to("..")
    (folder / "again").symlink_to("z")
    (folder / "in").symlink_to(tmp_path / "other")
    (folder / "in2").symlink_to(tmp_path / "other")
    (folder / "self").symlink_to("self")
    (folder / "gone").symlink_to("nothing")
    (folder / "file.txt").symlink_to("z/a.txt")
    assert relatives(str(folder)) == ["file.txt", "in/c.txt", "in/e/f.txt", "z/a.txt", "z/y/b.txt"]
    assert relatives(f"{folder}/**/*.txt") == relatives(str(folder))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x" * 300, "the name is too long for the file system"),
        ("file/below", "a part of the path is a file, wanted a folder|there is a file of this name"),
        ("folder", "there is a folder of this name, wanted a file"),
    ],
)
def test_what_cannot_be_written_is_a_run_error_with_the_path(tmp_path: Path, name: str, message: str) -> None:
    filled(tmp_path, "file", "folder/in")
    with pytest.raises(RunError, match=f"^{tmp_path}/{name}: ({message})"):
        storage.write_bytes(f"{tmp_path}/{name}", b"x")
    assert storage.list_names(str(tmp_path)) == {"file", "folder"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_that_cannot_be_made_is_a_run_error(tmp_path: Path) -> None:
    filled(tmp_path, "file")
    for name in ("file", "file/below", "x" * 300):
        with pytest.raises(RunError, match=f"^{tmp_path}/{name}: "):
            storage.make_folder(f"{tmp_path}/{name}")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk is full; what is done is kept: free some space"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the disk is mounted read-only"),
        (errno.EACCES, "may not be written; check the permissions"),
    ],
)
def test_a_disk_that_refuses_is_a_run_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refused)
    for write in (storage.make_folder, lambda uri: storage.write_bytes(uri, b"x")):
        with pytest.raises(RunError, match=f"^{tmp_path}/a: {message}"):
            write(f"{tmp_path}/a")


def test_a_disk_that_fills_up_while_a_file_is_written_is_a_run_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the disk is full"), storage.committed(f"{tmp_path}/a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(PermissionError), storage.committed(f"{tmp_path}/a"):
        raise PermissionError(errno.EACCES, "of what the block reads")
    assert not list(tmp_path.iterdir())
