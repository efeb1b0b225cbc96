"""All cases of a side-by-side run, and how one is run: a process of its own, its result kept by all that it depends on."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers import judge
from peers.documents import LANGUAGES, PARTS, Documents
from peers.environments import OURS, NotInstalledError, interpreter, last_error, requirements

from pipeline.manifest import code_identity, file_identity, identity

PROGRAMS = Path(__file__).parent
REPEATS = 3
LONGEST_SECONDS = 300
SHINGLE, BANDS, ROWS, SIMILARITY = 5, 16, 8, 0.8
"""Our own defaults, which `same settings` gives to peers."""
_NUM_CORES = (1, 2)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One program on one set of documents with so many cores."""

    comparison: str
    who: str
    """Whose program, as the page names it; `ours` is ours."""
    program: str
    """A module of this package."""
    way: str
    language: str
    cores: int
    set: str = "text"
    """Which set of documents."""
    environment: str = OURS
    distribution: str | None = None
    """Whose version the result tells, where the program does not know."""
    variant: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For people."""
        return ", ".join(filter(None, (self.comparison, self.who, self.variant, self.language, f"cores: {self.cores}")))


def cases() -> list[Case]:
    """All of them, ours first in each comparison and language."""
    return [case for cores in _NUM_CORES for lang in LANGUAGES for case in _of_language(lang, cores)] + [
        Case(comparison="training", who=OURS, program="ours", way="training", language="", cores=cores, variant=f"{preset} {precision}",
             settings={"preset": preset, "precision": precision, "length": 256, "batch": 8, "repeats": 7})
        for cores in _NUM_CORES for preset, precision in (("nano", "fp32"), ("micro", "fp32"), ("micro", "bf16"))
    ]  # fmt: skip


def _of_language(lang: str, cores: int) -> Iterator[Case]:
    def case(comparison: str, who: str, program: str, way: str, **more: Any) -> Case:
        return Case(comparison=comparison, who=who, program=program, way=way, language=lang, cores=cores, **more)

    yield case("heuristics", OURS, "ours", "heuristics")
    yield case("heuristics", "datatrove", "by_datatrove", "heuristics", environment="datatrove")

    lanes = {"shingle": SHINGLE, "bands": BANDS, "rows": ROWS}
    yield case("signatures", OURS, "ours", "signatures", settings=lanes)
    yield case("signatures", "datasketch", "by_sketches", "datasketch", set="tokens", distribution="datasketch", settings=lanes)
    yield case("signatures", "rensa", "by_sketches", "rensa", set="tokens", distribution="rensa", environment="rensa", settings=lanes)
    yield case("signatures", "datatrove", "by_datatrove", "signatures", environment="datatrove", settings=lanes)

    same = {"similarity": SIMILARITY, "permutations": BANDS * ROWS} | lanes
    yield case("document dedup", OURS, "ours", "dedup", set="planted", variant="defaults")
    for who, program in (("text-dedup", "by_text_dedup"), ("data-juicer", "by_data_juicer"), ("datatrove", "by_datatrove")):
        for variant, settings in (("defaults", {}), ("same settings", same)):
            if cores == 1 or not settings:
                yield case("document dedup", who, program, "dedup", set="planted", environment=who, variant=variant, settings=settings)

    yield case("sentence dedup", OURS, "ours", "sentences", set="hosts")
    yield case("sentence dedup", "datatrove", "by_datatrove", "sentences", set="hosts", environment="datatrove")

    model = {"model": f"model-{lang}"}
    yield case("quality scores", OURS, "ours", "quality", settings=model)
    yield case("quality scores", "fastText", "by_libraries", "fasttext", set="spaced", distribution="fasttext", settings=model)

    model = {"model": "vocabulary.model"}
    yield case("encoding", OURS, "ours", "encode", settings=model)
    yield case("encoding", "SentencePiece", "by_libraries", "sentencepiece", distribution="sentencepiece", settings=model)
    model = {"model": "vocabulary.json"}
    yield case("encoding", "tokenizers", "by_libraries", "tokenizers", distribution="tokenizers", settings=model)
    model = {"model": "ranks.tiktoken"}
    yield case("encoding", "tiktoken", "by_libraries", "tiktoken", distribution="tiktoken", variant="Qwen's vocabulary", settings=model)


@dataclass(frozen=True)
class Runner:
    """Runs cases; results, environments and scratch are below `folder`."""

    folder: Path
    documents: Documents
    repeats: int = REPEATS
    fresh: bool = False

    def kept(self, case: Case) -> dict[str, Any] | None:
        """What is known of a case already."""
        path = self._result(case)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def run(self, case: Case) -> dict[str, Any]:
        """A case's result, measured now unless it is kept: `result`, `judged`, `load`, `measured`, or `failure`, which is not kept."""
        if not self.fresh and (found := self.kept(case)):
            return found
        found = {"measured": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "load": round(os.getloadavg()[0], 1)}
        begun = time.monotonic()
        try:
            found |= self._measure(case)
        except (NotInstalledError, CaseError) as error:
            return found | {"failure": str(error)}
        found["seconds"] = round(time.monotonic() - begun, 1)
        path = self._result(case)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1), encoding="utf-8")
        return found

    def _result(self, case: Case) -> Path:
        sources = [PROGRAMS / f"{case.program}.py", PROGRAMS / "timing.py", PROGRAMS / "judge.py"]
        sources += [requirements(case.environment)] if case.environment != OURS else []
        if case.who == OURS:  # beside what `code_identity` stands for
            sources += sorted(path for folder in ("model", "tokenizer") for path in (PROGRAMS.parents[1] / folder).rglob("*.py"))
        content = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sources]
        names = [f"{case.set}-{case.language}", *([case.settings["model"]] if "model" in case.settings else [])]
        patterns = [pattern for name in names for pattern in (name, f"{name}.*", f"{name}/*")]
        files = sorted(file for pattern in patterns for file in self.documents.folder.glob(pattern) if file.is_file())
        documents = [(file.name, file_identity(file)) for file in files]
        key = identity(repr(case), documents, self.repeats, content, code_identity() if case.who == OURS else "")
        return self.folder / "results" / f"{key}.json"

    def _documents(self, case: Case) -> Path:
        suffix = "" if case.set in ("planted", "hosts") else ".jsonl"
        return self.documents.folder / f"{case.set}-{case.language}{suffix}"

    def _measure(self, case: Case) -> dict[str, Any]:
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < case.cores:
            raise CaseError(f"only {len(allowed)} core may be used here")
        made = self.documents.folder
        model = {"model": str(made / case.settings["model"])} if "model" in case.settings else {}
        if model and not Path(model["model"]).exists():
            raise CaseError(f"no {case.settings['model']} among these documents")
        python = interpreter(case.environment, self.folder / "environments")
        scratch = self.folder / "scratch" / str(os.getpid())
        scratch.mkdir(parents=True)
        settings = {
            "way": case.way,
            "language": case.language,
            "cores": allowed[: case.cores],
            "repeats": self.repeats,
            "documents": str(self._documents(case)),
            "folder": str(scratch / "runs"),
            "kept": str(scratch / "kept.jsonl"),
        }
        (scratch / "case.json").write_text(json.dumps(settings | case.settings | model), encoding="utf-8")
        command = [str(python), "-m", f"peers.{case.program}", str(scratch / "case.json"), *filter(None, [case.distribution])]
        process = None
        try:
            with (scratch / "said.txt").open("w", encoding="utf-8") as said:
                process = subprocess.Popen(command, cwd=scratch, env=_environment(case, scratch), stdout=said, stderr=said,
                                           start_new_session=True)  # fmt: skip
                code = process.wait(LONGEST_SECONDS)
            if code:
                raise CaseError(last_error((scratch / "said.txt").read_text(encoding="utf-8", errors="replace")))
            result = json.loads((scratch / "case.result.json").read_text(encoding="utf-8"))
            return {"result": result, "judged": self._judged(case, scratch / "kept.jsonl")}
        except subprocess.TimeoutExpired:
            raise CaseError(f"not done after {LONGEST_SECONDS} s") from None
        finally:
            if process and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # its workers too
            shutil.rmtree(scratch, ignore_errors=True)

    def _judged(self, case: Case, kept: Path) -> dict[str, Any]:
        if case.set not in ("planted", "hosts"):
            return {}
        folder = self.documents.folder / f"{case.set}-{case.language}"
        truth = json.loads(folder.with_suffix(".truth.json").read_text(encoding="utf-8"))
        given, left = judge.read_rows(folder / f"part-{part}.jsonl" for part in range(PARTS)), judge.read_rows([kept])
        return judge.judge_pairs(truth, given, left) if case.set == "planted" else judge.judge_passages(truth, given, left)


class CaseError(Exception):
    """A case that could not be run; says why."""


def _environment(case: Case, scratch: Path) -> dict[str, str]:
    """One thread a process but for training, no network, caches in the scratch folder."""
    threads = str(case.cores if case.comparison == "training" else 1)
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), threads)
    caches = {name: str(scratch / "cache" / name.lower()) for name in ("HF_HOME", "HF_DATASETS_CACHE", "DATA_JUICER_CACHE_HOME")}
    return os.environ | one | caches | {
        "OMP_WAIT_POLICY": "PASSIVE",
        "RAYON_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
        "UV_OFFLINE": "1",  # data-juicer installs what it misses, while it runs
        "PYTHONPATH": str(PROGRAMS.parent),
        "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
