"""The inspector: searches, thresholds, labels and diffs are right, strangers are refused, and no document can act in the page."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.errors import InputError
from pipeline import storage
from pipeline.config import load_run
from pipeline.inspector.labels import Labels
from pipeline.run import run
from tests.pipeline.conftest import output_bytes, prose, zh_prose

duckdb = pytest.importorskip("duckdb", reason="needs the extra 'inspect'")
pytest.importorskip("starlette", reason="needs the extra 'inspect'")

from starlette.testclient import TestClient  # noqa: E402

from pipeline.inspector import server  # noqa: E402
from pipeline.inspector.server import application  # noqa: E402

EVIL = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
LOCAL = "http://127.0.0.1:8765"


@pytest.fixture
def finished(make_config: Any) -> str:
    """Prose of 144 words each, a near-copy, documents of 10 to 40 words, one of markup, one with a mail address."""
    rows = [{"id": f"p{n}", "text": prose(n)} for n in range(5)]
    rows += [{"id": "near copy", "text": prose(0) + " One more sentence."}, {"id": "evil", "text": f"{prose(7)} {EVIL}"}]
    rows += [{"id": f"short{n}", "text": prose(20 + n, n)} for n in range(1, 4)]
    rows += [{"id": "mail", "text": prose(8) + " Write to li@riverbank.cn, please."}]
    rules = {"overrides": {name: {"min": 0} for name in ("distinct_word_share", "num_english_stop_words")}}
    stages = [{"normalize": {}}, {"heuristics": rules}, {"document_dedup": {}}, {"pii": {}}, {"select": {}}]
    settings = load_run(make_config({"web": rows, "zh": [{"id": "z", "text": zh_prose(3)}]}, stages=stages))
    run(settings, quiet=True)
    return settings.output


@pytest.fixture
def client(finished: str, tmp_path: Path) -> TestClient:
    return TestClient(application(finished, str(tmp_path / "labels")), LOCAL)


def found_ids(client: TestClient, **asked: Any) -> list[str]:
    answer = client.get("/search", params=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["count"] == len(answer.json()["rows"])
    return [row["id"] for row in answer.json()["rows"]]


def test_searches_narrow_by_text_reason_signal_and_cluster(client: TestClient) -> None:
    assert found_ids(client, text="onerror") == ["evil"]
    assert found_ids(client, fate="rejected", reason="num_words") == ["short1", "short2", "short3"]
    assert found_ids(client, signal="num_words", most=30, descending="true") == ["short2", "short1"]
    assert found_ids(client, source="zh") == ["z"]
    assert found_ids(client, cluster="near copy") == ["near copy", "p0"]  # the longer one stayed
    assert found_ids(client, text="' or 1=1 --") == []


def test_facets_count_the_ledger(client: TestClient) -> None:
    facets = client.get("/facets").json()
    assert dict(facets["fate"]) == {"kept": 7, "rejected": 5}
    assert dict(facets["source"]) == {"web": 11, "zh": 1}
    assert dict(facets["reason"]) == {"num_words": 3, "near_duplicate": 1, "terminal_line_share": 1}


def test_a_histogram_counts_every_document_once(client: TestClient) -> None:
    found = client.get("/histogram", params={"signal": "num_words"}).json()
    assert (sum(found["kept"]), sum(found["dropped"]), len(found["edges"])) == (7, 5, 41)


def test_a_threshold_says_who_would_go_and_who_would_come(client: TestClient) -> None:
    asked = {"signal": "num_words", "side": "min", "lang": "en"}
    stricter = client.get("/threshold", params=asked | {"value": 146}).json()
    kept = {row["id"]: row["signal"] for row in client.get("/search", params={"signal": "num_words", "fate": "kept"}).json()["rows"]}
    assert set(stricter["drops"]["ids"]) == {i for i, words in kept.items() if words < 146} - {"z"}
    looser = client.get("/threshold", params=asked | {"value": 20}).json()
    assert looser["drops"]["count"] == 0
    assert looser["spares"] == {"count": 2, "ids": ["short2", "short3"]}


def test_a_duplicate_stands_beside_the_document_that_was_kept(client: TestClient) -> None:
    found = client.get("/document", params={"id": "p0"}).json()
    assert found["facts"]["duplicate_of"] == "near copy"
    (pair,) = found["diff"]
    assert "".join(text for text, style in pair[1] if style == "green") == " One more sentence."
    assert all(style != "red" for _, style in pair[0])


def test_masks_hide_personal_data_and_show_their_rule(client: TestClient) -> None:
    found = client.get("/document", params={"id": "mail"}).json()
    assert [(s["text"], s["rule"]) for s in found["text"] if s["kind"] == "mask"] == [("<EMAIL>", "pii_email")]
    assert "riverbank" not in json.dumps(found)


def test_labels_are_files_that_a_training_reads_and_the_run_stays_untouched(client: TestClient, finished: str, tmp_path: Path) -> None:
    before = output_bytes(finished)
    assert client.post("/label", json={"id": "p1", "label": "keep"}).json() == {"p1": "keep"}
    assert client.post("/label", json={"id": "short1", "label": "drop"}).json() == {"p1": "keep", "short1": "drop"}
    nothing, kind = '{"id": "p1", "label": null}', {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/label", content=nothing, headers=kind).json() == {"short1": "drop"}
    (row,) = [json.loads(line) for line in (tmp_path / "labels" / "drop.jsonl").read_bytes().splitlines()]
    assert row == {"id": "short1", "text": prose(21, 1), "lang": "en", "domain": "web"}
    assert (tmp_path / "labels" / "keep.jsonl").read_bytes() == b""
    assert output_bytes(finished) == before
    again = TestClient(application(finished, str(tmp_path / "labels")), LOCAL)
    assert again.get("/facets").json()["labels"] == {"short1": "drop"}


def test_two_inspectors_on_one_folder_keep_each_others_labels(tmp_path: Path) -> None:
    one, other = Labels(str(tmp_path / "labels")), Labels(str(tmp_path / "labels"))
    ids = [f"d{n}" for n in range(40)]

    def give(labels: Labels, own: list[str]) -> None:
        for document_id in own:
            labels.give("keep", {"id": document_id, "text": "t", "lang": "en", "domain": "web"})

    threads = [threading.Thread(target=give, args=found) for found in ((one, ids[::2]), (other, ids[1::2]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.give("drop", {"id": "d0", "text": "t", "lang": "en", "domain": "web"})
    assert one.given() == other.given() == dict.fromkeys(ids, "keep") | {"d0": "drop"}


def test_a_run_in_an_object_store_is_inspected_and_labelled_there(finished: str, bucket: str) -> None:
    folder = storage.join(bucket, "inspected")
    for path in Path(finished).rglob("*.*"):
        if path.is_file() and "work" not in path.parts:
            storage.write_bytes(storage.join(folder, str(path.relative_to(finished))), path.read_bytes())
    client = TestClient(application(folder, f"{folder}-labels"), LOCAL)
    assert found_ids(client, text="onerror") == ["evil"]
    assert found_ids(client, fate="rejected", reason="num_words") == ["short1", "short2", "short3"]
    assert client.get("/threshold?signal=num_words&side=min&value=20&lang=en").json()["spares"]["ids"] == ["short2", "short3"]
    assert client.get("/document", params={"id": "p0"}).json()["facts"]["duplicate_of"] == "near copy"
    assert client.post("/label", json={"id": "p1", "label": "keep"}).json() == {"p1": "keep"}
    assert json.loads(storage.read_bytes(f"{folder}-labels/keep.jsonl"))["id"] == "p1"


@pytest.mark.parametrize("line", ['{"text": "no id"}', '{"id": 7}', '["id"]', "7", "{"])
def test_a_line_that_is_no_label_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "keep.jsonl").write_text(f'{{"id": "d", "text": "t"}}\n{line}\n')
    with pytest.raises(InputError, match=r"keep\.jsonl: line 2: wanted an object with `id`"):
        Labels(str(tmp_path))


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/search?signal=num_word", "did you mean 'num_words'"),
        ("/search?least=many&signal=num_words", "least: got 'many', wanted a number"),
        ("/document?id=nobody", "no document 'nobody'"),
        ("/document", "missing: 'id'"),
        ("/threshold?signal=num_words&side=up&value=1", "side: got 'up'"),
        ("/page.html", "missing: '.html'"),
        ("/threshold?signal=num_words&side=min&value=", "value: got '', wanted a number"),
        ("/threshold?signal=num_words&side=min&value=inf", "value: got 'inf', wanted a number"),
        ("/threshold?signal=num_words&side=min", "missing: 'value'"),
        ("/search?offset=inf", "offset: got 'inf', wanted a number"),
        ("/search?offset=nan", "offset: got 'nan', wanted a number"),
    ],
)
def test_what_cannot_be_answered_says_why(client: TestClient, path: str, told: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert told in answer.text


def test_a_page_beyond_the_last_is_empty(client: TestClient) -> None:
    answer = client.get("/search", params={"offset": "1e300"})
    assert (answer.status_code, answer.json()["rows"]) == (200, [])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('["p1"]', "a label: got ['p1'], wanted an object"),
        ('{"id": 7, "label": "keep"}', "a label: got {'id': 7, 'label': 'keep'}, wanted an object"),
        ('{"label": "keep"}', "missing: 'id'"),
        ('{"id": "p1"}', "missing: 'label'"),
        ('{"id": "p1", "label": ["keep"]}', "label: got '['keep']', wanted keep or drop"),
        ("{", "Expecting property name"),
    ],
)
def test_a_body_that_is_no_label_is_refused_with_a_line(client: TestClient, body: str, told: str) -> None:
    answer = client.post("/label", content=body, headers={"Content-Type": "application/json; charset=utf-8"})
    assert answer.status_code == 400
    assert told in answer.text


def test_strangers_are_refused(client: TestClient, finished: str, tmp_path: Path) -> None:
    assert client.get("/facets", headers={"Host": "evil.example"}).status_code == 421
    assert client.post("/label", content='{"id": "p1", "label": "keep"}', headers={"Content-Type": "text/plain"}).status_code == 415
    guarded = TestClient(application(finished, str(tmp_path / "labels"), ("192.0.2.7",), "secret"), "http://192.0.2.7:8765")
    assert guarded.get("/facets").status_code == 403
    assert guarded.get("/facets?token=guess").status_code == 403
    assert guarded.get("/?token=secret").status_code == 200
    assert guarded.get("/facets").status_code == 200  # the cookie
    assert "default-src 'none'" in guarded.get("/facets").headers["Content-Security-Policy"]


def test_on_all_addresses_any_name_is_answered_with_the_token_and_none_without(finished: str, tmp_path: Path) -> None:
    app = application(finished, str(tmp_path / "labels"), server.hosts_of("0.0.0.0"), "secret")
    client = TestClient(app, "http://Box.local:8765")
    assert client.get("/facets").status_code == 403
    assert client.get("/facets?token=secret").status_code == 200
    with pytest.raises(AssertionError, match="without a token"):
        application(finished, str(tmp_path / "labels"), hosts=None)


def test_a_name_with_capitals_is_this_servers_name(finished: str, tmp_path: Path) -> None:
    client = TestClient(application(finished, str(tmp_path / "labels"), server.hosts_of("BigBox"), "secret"), "http://BigBox:8765")
    assert client.get("/facets?token=secret").status_code == 200
    assert client.get("/facets?token=secret", headers={"Host": "otherbox"}).status_code == 421


def test_the_address_that_is_printed_can_be_opened() -> None:
    assert server.address("127.0.0.1", 80, None) == "http://127.0.0.1:80/"
    assert server.address("fd00::7", 80, "t") == "http://[fd00::7]:80/?token=t"
    for every in ("0.0.0.0", "::", ""):
        assert server.address(every, 8765, "t") == f"http://{socket.gethostname()}:8765/?token=t"


@pytest.fixture
def address(finished: str, tmp_path: Path) -> Iterator[str]:
    """A real server, for a real browser."""
    uvicorn = pytest.importorskip("uvicorn", reason="needs the extra 'inspect'")
    config = uvicorn.Config(application(finished, str(tmp_path / "labels")), host="127.0.0.1", port=0, log_level="error")
    server = uvicorn.Server(config)
    sockets = [config.bind_socket()]
    thread = threading.Thread(target=server.run, args=(sockets,))
    thread.start()
    yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join()


def test_in_a_browser_search_threshold_and_diff_work_and_markup_is_text(address: str, browser: Any) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.get_by_role("button", name="evil").click()
    page.locator("#text", has_text="onerror").wait_for()
    assert page.title() == "run · Inspector"  # no script of the document has run
    assert page.locator("#text img, #text script").count() == 0
    page.locator("[name=reason]").select_option("near_duplicate")
    page.get_by_role("button", name="p0", exact=True).click()
    page.locator("#diff .green").first.wait_for()
    page.locator("[name=reason]").select_option("")
    page.locator("[name=signal]").select_option("num_words")
    page.locator("#effect", has_text="0 kept documents would be dropped").wait_for()
    page.locator("#bound").fill("1000")
    page.locator("#effect strong", has_text="6").first.wait_for()  # all but the longest
    page.locator("[name=signal]").select_option("digit_share")  # has a greatest value only: starts there, with all within
    page.locator("#effect", has_text="0 kept documents would be dropped").wait_for()
    assert page.locator("#side").input_value() == "max"
    page.get_by_role("button", name="Label: drop").click()
    page.locator("#label", has_text="labelled drop").wait_for()
    assert said == []


def test_a_screen_reader_finds_no_obstacle_in_the_inspector(address: str, browser: Any) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="needs axe-core-python")
    page = browser.new_context(bypass_csp=True).new_page()
    page.goto(address)
    page.get_by_role("button", name="p0", exact=True).click()
    page.locator("#diff .green").first.wait_for()
    found = axe.Axe().run(page)["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
