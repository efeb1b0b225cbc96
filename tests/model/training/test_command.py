"""`torchrun -m model.train` on a pack, without what only the pipeline needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from model import Baichuan
from pipeline.cli import app
from pipeline.config import Engine
from pipeline.packing.pack_config import PackConfig
from pipeline.packing.packer import pack

ROOT = Path(__file__).parents[3]
WITHOUT = """
import sys
for name in ("ray", "pyarrow", "numba", "pydantic", "sentencepiece", "transformers", "orjson", "rich", "typer", "regex", "matplotlib"):
    sys.modules[name] = None
from model.train import main
status = main(sys.argv[1:])
assert not {"stages", "pipeline"} & set(sys.modules)
sys.exit(status)
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    texts = [f"Document {number} counts: {', '.join(str(number + i) for i in range(40))}." for number in range(60)]
    pq.write_table(pa.table({"id": [f"d{i}" for i in range(60)], "text": pa.array(texts, pa.large_string())}), folder / "texts.parquet")
    engine = Engine(executor="inprocess")
    pack(PackConfig(input=(str(folder / "texts.parquet"),), tokenizer="bytes", output=str(folder / "pack"), engine=engine), quiet=True)
    file = folder / "train.yaml"
    file.write_text(
        f"data: {folder}/pack\nheldout: {folder}/pack\noutput: {folder}/plain\nlength: 64\nbatch: 4\ntokens: 7_680\n"
        "model: {preset: nano, hidden_size: 16, num_attention_heads: 2, intermediate_size: 32, num_hidden_layers: 1}\n"
        "step: {precision: fp32, compile: false, optimizer: {learning_rate: 1e-2}}\nthreads: 1\ndevice: cpu\n"
    )
    return file


def run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)


def test_it_needs_torch_numpy_safetensors_and_yaml_only(config: Path) -> None:
    done = run(sys.executable, "-c", WITHOUT, str(config))
    assert done.returncode == 0, done.stderr
    folder = config.parent / "plain"
    assert "step 30/30   loss" in done.stderr
    assert "no loss.png: matplotlib is not installed" in done.stderr
    assert done.stdout.startswith(f"{folder}/model: loss ")
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 30
    assert Baichuan.from_pretrained(folder / "model").config.vocab_size == 320


def test_torchrun_learns_what_one_process_learns(config: Path) -> None:
    output = config.parent / "many"
    done = run(
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "model.train"),
        *(str(config), "--set", f"output={output}"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("/model: loss") == 1
    curves = [
        [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (config.parent / "plain", output)
    ]
    np.testing.assert_allclose(curves[1], curves[0], atol=1e-4)


def test_errors_are_one_line_and_status_two(config: Path) -> None:
    done = run(sys.executable, "-m", "model.train", str(config), "--set", "tokens=1")
    assert done.returncode == 2
    assert done.stderr == f"error: {config}:6: tokens: got 1, which is less than one step: batch 4 x length 64 = 256\n"


def test_corpus_train_says_what_came_of_it(config: Path) -> None:
    done = CliRunner().invoke(app, ["train", str(config), "--set", f"output={config.parent}/corpus", "--set", "tokens=1024"])
    assert done.exit_code == 0, done.output
    assert "trained  1,024 tokens in 4 steps" in done.output
    assert "held out " in done.output
    assert (config.parent / "corpus" / "loss.png").read_bytes().startswith(b"\x89PNG")
