"""Small runs for tests: documents as dictionaries in, a finished run's folder out."""

import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline import cli
from pipeline.storage import paths

RunFolder = Path


def prose(seed: int, num_sentences: int = 12) -> str:
    """Distinct English-like sentences; two seeds share no five words in a row but by chance."""
    rng = random.Random(seed)
    words = ("the", "of", "and", "to", "that", "with", "river", "market", "engine", "harbour", "signal", "meadow", "copper", "letter",
             "winter", "bridge", "garden", "station", "captain", "village", "paper", "silver", "mountain", "teacher")  # fmt: skip
    return " ".join(" ".join(rng.choice(words) for _ in range(12)).capitalize() + "." for _ in range(num_sentences))


def zh_prose(seed: int, num_sentences: int = 12) -> str:
    """The same in Chinese."""
    rng = random.Random(seed)
    characters = (
        "的一是在了和有大这主中人上为们地个用工时要动国产以我到他会作来分生对于学下级就年阶义发成部民可出能方进同行面说种过命度革"
        "而多子后自社加小机也经力线本电高量长党得实家定深法表着水理化争现所二起政三好十战无农使性前等反体合斗路图把结第里正新开论"
        "之物从当两些还天资事队批如应形想制心样干都向变关点育重其思与间内去因件日利相由压员气业代全组数果期导平各基或月毛然问比展"
        "那它最及外没看治提五解系林者米群头意只明四道马认次文通但条较克又公孔领军流入接席位情运器并飞原油放立题质指建区验活众很教"
        "决特此常石强极土少已根共直团统式转别造切九你取西持总料连任志观调七么山程百报更见必真保热委手改管处己将修支识病象几先老光"
        "专什六型具示复安带每东增则完风回南广劳轮科北打积车计给节做务被整联步类集号列温装即毫知轴研单色坚据速防史拉世设达尔场织历"
        "花受求传口断况采精金界品判参层止边清至万确究书"
    )
    return "".join("".join(rng.choice(characters) for _ in range(18)) + "。" for _ in range(num_sentences))


def chain(num: int) -> list[dict[str, Any]]:
    """Stretches of one text, each moved by 15 of 204 words: neighbours share 185 of 215 shingles (.860), the next 170 of 230 (.739)."""
    words = prose(7, 60).replace(".", "").lower().split()
    return [{"id": f"{n:02}", "text": " ".join(words[15 * n : 15 * n + 204]), "url": f"https://h{n}.org/"} for n in range(num)]


@pytest.fixture
def make_config(tmp_path: Path) -> Callable[..., Path]:
    """Write sources as JSON-lines files and a YAML for them; keyword arguments replace top-level settings."""

    def make(sources: dict[str, list[Any]], name: str = "run", **settings: Any) -> Path:
        described = []
        for source, rows in sources.items():
            path = tmp_path / f"{source}.jsonl"
            lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
            path.write_bytes(b"\n".join(lines) + b"\n" if lines else b"")
            described.append({"name": source, "path": str(path), "domain": "web"})
        config = {
            "name": name,
            "output": str(tmp_path / "out" / name),
            "sources": described,
            "stages": [{"normalize": {}}, {"exact_dedup": {}}, {"document_dedup": {}}, {"select": {}}],
            "engine": {"executor": "inprocess", "split_bytes": 4096, "memory_per_worker": "2GB"},
        } | settings
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        return path

    return make


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An empty bucket of an S3 service in this process."""
    boto3 = pytest.importorskip("boto3", reason="needs moto[server,s3]")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        settings = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        }
        for name, value in settings.items():
            environment.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="corpus")
        yield "s3://corpus"
        client.close()
        paths._filesystem.cache_clear()
        server.stop()


@pytest.fixture
def browser() -> Iterator[Any]:
    """Chromium, which Debian ships; skipped where it or playwright is absent."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install playwright)")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs Chromium (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


def heard(page: Any) -> tuple[list[str], list[str]]:
    """What a page complains of, and the addresses that it asks for, from now on."""
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    return said, asked


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of `corpus` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["corpus", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def ledger(folder: str | Path) -> dict[str, dict[str, Any]]:
    """The ledger by id."""
    return {row["id"]: row for row in read_parts(folder, "ledger").to_pylist()}


def read_parts(folder: str | Path, part: str) -> pa.Table:
    """All files of corpus, rejected or ledger, in order."""
    return pa.concat_tables([pq.read_table(path) for path in sorted((Path(folder) / part).glob("*.parquet"))])


def output_bytes(folder: str | Path) -> dict[str, bytes]:
    """The bytes of every corpus, rejected, ledger, edits and heldout file, by name."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for part in ("corpus", "rejected", "ledger", "edits", "heldout")
        for p in (Path(folder) / part).glob("*")
    }
