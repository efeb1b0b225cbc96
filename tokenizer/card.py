"""The card of a tokenizer: what it is, what it learnt from, and how to use it, for people who find the folder."""

from collections.abc import Mapping
from typing import Any


def card(facts: Mapping[str, Any]) -> str:
    """`README.md` from what `training.json` holds."""
    recipe, texts = facts["recipe"], facts["texts"]
    share, split = facts["config"]["held_out"], facts["config"]["held_out_seed"]
    held_out = [f"Held out, to be measured on: a share of {share:g} of the texts, by hash of the id, split {split}.", ""] if share else []
    lines = [
        f"# Tokenizer of {recipe['vocab_size']:,} ids, preset {facts['preset']}",
        "",
        f"SentencePiece {facts['sentencepiece']} BPE, learnt by baichuan-corpus from {texts['taken']:,} of {texts['read']:,} texts "
        f"({texts['bytes_taken']:,} of {texts['bytes_read']:,} bytes): {facts['words']:,} different words. Digits one by one, bytes for "
        f"rare characters, text unchanged; {'a' if recipe['dummy_prefix'] else 'no'} space before each text.",
        "",
        *held_out,
        "| ids | number |",
        "|---|---:|",
        "| `<unk>` (also padding), `<s>`, `</s>` | 3 |",
        f"| defined symbols | {len(recipe['defined'])} |",
        f"| reserved symbols | {recipe['reserved']} |",
        "| bytes | 256 |",
        f"| merges | {facts['merges']:,} |",
        f"| characters | {facts['characters']:,} |",
        "",
        f"Characters: a coverage of {recipe['character_coverage']} of {facts['different_characters']:,} different ones. The last "
        f"merge that was logged stood {facts['last_frequency']:,} times. The trainer's peak memory was "
        f"{facts['peak_memory_bytes'] / 1e9:.2f} GB.",
        "",
        "## Texts",
        "",
        "| language | domain | texts | bytes | taken | bytes taken, with repeats |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for group in facts["groups"]:
        numbers = " | ".join(f"{group[key]:,}" for key in ("texts", "bytes", "taken", "bytes_taken"))
        lines.append(f"| {group['lang'] or '-'} | {group['domain'] or '-'} | {numbers} |")
    lines += [
        "",
        f"Data identity (SHA-256 of the table of words): `{facts['data_identity']}`. All options are in `training.json`.",
        "",
        "## Use",
        "",
        "```python",
        "from tokenizer.codec import Tokenizer          # fast, exact: offsets, ids = t.encode_arrow(column)",
        "t = Tokenizer.load('.')",
        "import sentencepiece                            # tokenizer.model is a plain SentencePiece model",
        "s = sentencepiece.SentencePieceProcessor(model_file='tokenizer.model')",
        "import transformers                             # tokenizer.json",
        "h = transformers.AutoTokenizer.from_pretrained('.')",
        "```",
        "",
        "A literal U+2581 (▁) in a text is kept by the first, as its three bytes; the other two make it a space.",
        "",
    ]
    return "\n".join(lines)
