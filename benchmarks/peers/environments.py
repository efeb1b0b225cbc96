"""A virtual environment for each peer that is no dependency of ours, made from PyPI with every version pinned (`requirements/*.txt`)."""

import hashlib
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements")
OURS = "ours"
"""Peers that this project depends on anyway (datasketch, fastText, SentencePiece, tokenizers, tiktoken, transformers) run in its own."""


class NotInstalledError(Exception):
    """A peer that cannot be installed; says what pip said."""


def requirements(name: str) -> Path:
    """The file of an environment."""
    return REQUIREMENTS / f"{name}.txt"


def interpreter(name: str, folder: Path) -> Path:
    """The interpreter of an environment below a folder, which is made if it is not there or has other versions.

    Raises `NotInstalledError`.
    """
    if name == OURS:
        return Path(sys.executable)
    environment = folder / name
    python, installed = environment / "bin/python", environment / "installed.sha256"
    wanted = hashlib.sha256(requirements(name).read_bytes()).hexdigest()
    if installed.exists() and installed.read_text(encoding="utf-8") == wanted:
        return python
    print(f"making {environment} from PyPI", flush=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements(name))]
    for command in ([sys.executable, "-m", "venv", "--clear", str(environment)], install):
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise NotInstalledError(last_error(done.stdout))
    installed.write_text(wanted, encoding="utf-8")
    return python


def last_error(output: str) -> str:
    """The last line of an output that names an error, or the last one at all."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    named = [line for line in lines if "error" in line.lower()]
    return (named or lines or ["it said nothing"])[-1][:300]
