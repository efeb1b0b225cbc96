"""Make `quality/`: bad documents for the bundled quality model, drawn like the sample's faults but with other seeds.

    python data/make_quality_faults.py            writes data/quality/
    python data/make_quality_faults.py --check    compares it with what it would write; 1 if something differs

A file for each language and kind of fault, so that a kind can be held out. Nothing but the texts in this folder decides the content.
"""

import argparse
import json
import random
import sys
from pathlib import Path

import documents
from documents import Recipe, labelled
from texts import FOLDER, Workshop

QUALITY = FOLDER / "quality"
SEEDS = range(100, 104)
KINDS: dict[str, tuple[Recipe, ...]] = {
    "menus": (documents.navigation,),
    "spam": (documents.seo_spam,),
    "listings": (documents.listing,),
    "damage": (documents.mojibake, documents.replacement_characters, documents.symbol_noise),
    "padding": (documents.too_repetitive, documents.lorem_ipsum),
}


def build() -> dict[str, bytes]:
    """All files by name."""
    built = {}
    for lang in ("zh", "en"):
        for kind, recipes in KINDS.items():
            rows = [
                {"id": f"{lang}-{kind}-{seed}-{recipe.__name__}-{number}", "text": document.text}
                for seed in SEEDS
                for recipe in recipes
                for number, document in enumerate(labelled(recipe, Workshop(lang, seed), random.Random(f"{seed}/{lang}/{kind}")), 1)
            ]
            built[f"{lang}_{kind}.jsonl"] = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    return built


def differences(built: dict[str, bytes], folder: Path) -> list[str]:
    """Names of files that are missing, differ, or are not made here."""
    present = {path.name: path.read_bytes() for path in folder.glob("*")}
    return sorted(name for name in {*built, *present} if built.get(name) != present.get(name))


def main() -> int:
    """Write or compare; the exit status is 1 if a comparison found differences."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if parser.parse_args().check:
        found = differences(build(), QUALITY)
        print("\n".join(f"{name}: differs" for name in found) or "data/quality is what this program makes")
        return bool(found)
    QUALITY.mkdir(exist_ok=True)
    for name, content in build().items():
        (QUALITY / name).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
