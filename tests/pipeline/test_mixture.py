"""The mixture through runs: held-out documents, weights, repeats, files, and selecting again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from configs.errors import ConfigError, RunError
from pipeline.cli import app
from pipeline.config import load_run
from pipeline.plan import describe, make_plan
from pipeline.reselect import select
from pipeline.run import run
from tests.pipeline.conftest import chain, ledger, output_bytes, prose, read_parts, zh_prose

Mixed = Callable[..., Path]


@pytest.fixture
def mixed(make_config: Mixed, tmp_path: Path) -> Mixed:
    """Three domains: 60 documents of law (zh), 30 of news (zh and en), 10 of web, each text in two near-copies on two hosts."""
    law = [{"id": f"law-{i}", "text": zh_prose(i, 20)} for i in range(60)]
    news = [{"id": f"news-{i}", "text": (prose if i % 2 else zh_prose)(100 + i, 20)} for i in range(30)]
    web = [
        {"id": f"web-{i}-{n}", "text": prose(200 + i, 40) + f" Copy {n}.", "url": f"https://h{n}-{i}.org/"}
        for i in range(5)
        for n in (0, 1)
    ]

    def make(name: str = "run", stages: list[Any] | None = None, **settings: Any) -> Path:
        default = [{"normalize": {}}, {"exact_dedup": {}}, {"document_dedup": {}}, {"mixture": settings}]
        path = make_config({"law": law, "news": news, "web": web}, name=name, stages=stages or default)
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        for source in config["sources"]:
            source["domain"] = source["name"]
        path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        return path

    return make


def mixture_of(folder: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))["mixture"]
    return found


def test_every_input_document_is_kept_or_rejected_and_heldout_holds_those_that_are_set_apart(mixed: Mixed) -> None:
    summary = run(load_run(mixed(held_out={"share": 0.2, "max_share": 0.3})), quiet=True)
    book = ledger(summary["output"])
    assert len(book) == 100
    apart = {name for name, row in book.items() if "held_out" in row["reasons"]}
    heldout = read_parts(summary["output"], "heldout")
    assert set(heldout["id"].to_pylist()) == apart <= set(read_parts(summary["output"], "rejected")["id"].to_pylist())
    assert {row["fate"] for name, row in book.items() if name in apart} == {"rejected"}
    by_domain = {domain: sum(name.startswith(domain) for name in apart) for domain in ("law", "news", "web")}
    assert by_domain["law"] == 18  # 30 % of 60
    assert by_domain["news"] == 9
    assert summary["mixture"]["held_out"]["law"] == {
        "documents": 18,
        "bytes": sum(row["num_bytes"] for row in heldout.to_pylist() if row["domain"] == "law"),
        "clean_documents": 18,
        "clean_bytes": sum(row["num_bytes"] for row in heldout.to_pylist() if row["domain"] == "law"),
    }
    assert summary["reasons"]["held_out"][0] == len(apart)


def test_near_duplicates_of_a_held_out_document_are_held_out_with_it(mixed: Mixed) -> None:
    summary = run(load_run(mixed(held_out={"share": 0.2, "max_share": 0.3})), quiet=True)
    book = ledger(summary["output"])
    heldout = {row["id"]: row for row in read_parts(summary["output"], "heldout").to_pylist()}
    drawn = [name for name, row in heldout.items() if name.startswith("web") and row["drawn"]]
    assert drawn
    for name in drawn:
        twin = f"{name[:-1]}{1 - int(name[-1])}"
        assert book[twin]["reasons"] == ["held_out"]
        assert book[twin]["duplicate_of"] is None
    assert any(not row["drawn"] for row in heldout.values())
    kept = {name.rpartition("-")[0] for name, row in book.items() if name.startswith("web") and row["fate"] == "kept"}
    assert kept.isdisjoint(name.rpartition("-")[0] for name in heldout)


def test_a_drawn_document_takes_what_resembles_it_and_not_the_chain_that_hangs_on_it(make_config: Mixed) -> None:
    apart = {"share": 0.001, "min_documents": 1, "min_bytes": 0}
    config = make_config({"web": chain(26)}, stages=[{"document_dedup": {}}, {"mixture": {"held_out": apart}}])
    summary = run(load_run(config), quiet=True)
    book = ledger(summary["output"])
    (drawn,) = (int(row["id"]) for row in read_parts(summary["output"], "heldout").to_pylist() if row["drawn"])
    held = {int(name) for name, row in book.items() if "held_out" in row["reasons"]}
    assert held == {drawn - 1, drawn, drawn + 1} & set(range(26))
    kept = {int(name) for name, row in book.items() if row["fate"] == "kept"}
    for name, row in book.items():
        if int(name) not in held | kept:
            assert row["reasons"] == ["near_duplicate"]
            assert int(row["duplicate_of"]) in kept & {int(name) - 1, int(name) + 1}
    assert len(kept) >= 8
    assert [alarm["kind"] for alarm in summary["alarms"]] == ["source"]  # the chain loses more than half to what is kept of it


def test_of_a_template_that_is_not_compared_pair_by_pair_nothing_like_the_drawn_document_stays(make_config: Mixed) -> None:
    words = prose(1, 17).replace(".", "").lower().split()
    pages = [" ".join([*words[:n], f"word{n}", *words[n + 1 :]]) for n in range(200)]  # two of them share 190 or more of 210 shingles
    rows = [{"id": f"page-{n}", "text": text, "url": f"https://h{n}.org/"} for n, text in enumerate(pages)]
    apart = {"share": 0.001, "min_documents": 1, "min_bytes": 0}
    stages = [{"document_dedup": {"bucket_limit": 8}}, {"mixture": {"held_out": apart}}]
    output = run(load_run(make_config({"web": rows}, stages=stages)), quiet=True)["output"]
    assert read_parts(output, "heldout")["drawn"].to_pylist().count(True) == 1
    assert read_parts(output, "heldout").num_rows == 200


def test_a_domain_that_loses_more_than_may_be_drawn_raises_an_alarm(make_config: Mixed) -> None:
    pages = [{"id": f"page-{n}", "text": f"{prose(1, 20)} Page {n}.", "url": f"https://h{n}.org/"} for n in range(8)]
    others = [{"id": f"other-{n}", "text": prose(100 + n), "url": f"https://same.org/{n}"} for n in range(12)]  # too many to be drawn
    stages = [{"document_dedup": {}}, {"mixture": {"held_out": {"share": 0.001, "min_documents": 1, "min_bytes": 0}}}]
    config = load_run(make_config({"pages": pages + others}, stages=stages))
    summary = run(config, quiet=True)
    assert summary["mixture"]["held_out"]["web"]["documents"] == 1
    look = f"corpus inspect {config.output}"
    assert summary["alarms"] == [{"kind": "held_out", "name": "web", "share": 0.4, "limit": 0.2, "look": look}]
    assert "domain 'web': 40.0 % of the documents are held out, drawn ones and what resembles them" in (
        Path(config.output) / "README.md"
    ).read_text(encoding="utf-8")
    assert "are held out, drawn ones" in (Path(config.output) / "report/index.html").read_text(encoding="utf-8")


def test_what_an_earlier_run_held_out_stays_out_of_the_training(make_config: Mixed) -> None:
    first = [{"id": f"first-{n}", "text": prose(n, 20), "url": f"https://h{n}.org/"} for n in range(40)]
    stages = [{"normalize": {}}, {"exact_dedup": {}}, {"document_dedup": {}}]
    apart = {"held_out": {"share": 0.2, "min_documents": 8, "min_bytes": 0, "max_share": 0.5}}
    one = load_run(make_config({"one": first}, "one", stages=[*stages, {"mixture": apart}]))
    run(one, quiet=True)
    held = sorted(read_parts(one.output, "heldout")["id"].to_pylist())
    assert 8 <= len(held) <= 20
    texts = {row["id"]: (row["text"], row["url"]) for row in first}
    new = [{"id": f"copy-{name}", "text": texts[name][0], "url": f"https://copy-{name}.org/"} for name in texts]
    new += [{"id": f"near-{name}", "text": texts[name][0][:-40]} for name in texts]
    new += [{"id": f"host-{name}", "text": prose(100 + n), "url": texts[name][1] + "new"} for n, name in enumerate(texts)]
    new += [{"id": name, "text": prose(200 + n)} for n, name in enumerate(held)]  # their ids are free
    less = {"held_out": {"share": 0.001, "min_documents": 1, "min_bytes": 0, "max_share": 0.5}}
    two = load_run(make_config({"two": new}, "two", stages=[*stages, {"mixture": less}], earlier=[one.output]))
    plan = make_plan(two)
    assert f"{len(held)} were held out there: what equals or resembles them is held out here too; its hosts are drawn" in "\n".join(
        describe(plan)
    )
    run(two, quiet=True)
    book = ledger(two.output)
    drawn = {row["id"]: row["drawn"] for row in read_parts(two.output, "heldout").to_pylist()}
    for name in texts:
        for kind, reason in (("copy", "exact_duplicate"), ("near", "near_duplicate")):
            row = book[f"{kind}-{name}"]
            if name in held:
                assert (row["reasons"], row["duplicate_of"]) == (["held_out"], None), row
            elif "held_out" not in row["reasons"]:  # drawn by its own hash
                assert (row["reasons"], row["duplicate_of"]) == ([reason], name)
        assert name not in held or drawn[f"host-{name}"]
    assert any(not drawn[f"copy-{name}"] for name in held)
    assert set(held) <= {row["id"] for row in book.values()}
    assert sum(row["fate"] == "kept" for row in book.values()) > 20
    again = select(two.output, f"{two.output}-again", (), quiet=True)
    assert output_bytes(again["output"]) == output_bytes(two.output)

    bare = load_run(make_config({"two": new}, "bare", stages=stages, earlier=[one.output]))
    assert "WARNING: this run has no mixture" in "\n".join(describe(make_plan(bare)))
    run(bare, quiet=True)
    assert {ledger(bare.output)[f"copy-{name}"]["fate"] for name in held} == {"kept"}


def test_weights_give_domains_their_shares_and_repeats_are_within_one_of_them(mixed: Mixed) -> None:
    summary = run(load_run(mixed(method="manual", shares={"law": 0.5, "news": 0.2, "web": 0.3}, budget=200_000)), quiet=True)
    corpus = read_parts(summary["output"], "corpus").to_pylist()
    total = sum(row["weight"] * row["sampling_weight"] * row["num_bytes"] for row in corpus)
    for domain, share in (("law", 0.5), ("news", 0.2)):
        own = sum(row["weight"] * row["num_bytes"] for row in corpus if row["domain"] == domain)
        assert own / total >= share  # web reaches its cap, and the others take what it leaves
    web = sum(row["weight"] * row["num_bytes"] for row in corpus if row["domain"] == "web")
    assert web == pytest.approx(4 * sum(row["num_bytes"] for row in corpus if row["domain"] == "web"))
    assert total == pytest.approx(200_000)
    for row in corpus:
        assert row["repeats"] - row["weight"] * row["sampling_weight"] == pytest.approx(0, abs=1 - 1e-12)
    report = summary["mixture"]["by_domain"]["web"]
    assert report["epochs"] == pytest.approx(4)
    assert report["capped"]
    assert report["bytes_with_repeats"] == sum(row["repeats"] * row["num_bytes"] for row in corpus if row["domain"] == "web")


def test_a_natural_mixture_weighs_every_document_one(mixed: Mixed) -> None:
    summary = run(load_run(mixed(method="natural")), quiet=True)
    corpus = read_parts(summary["output"], "corpus")
    assert set(corpus["weight"].to_pylist()) == {1.0}
    assert set(corpus["repeats"].to_pylist()) == {1}


def test_same_bytes_for_any_batch_and_order_of_sources_and_the_same_weights_for_any_cut(mixed: Mixed, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"method": "temperature", "languages": {"zh": 0.4, "en": 0.6}}
    first = run(load_run(mixed(**settings)), quiet=True)["output"]
    path = mixed("other", **settings)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["sources"].reverse()
    config["name"] = "run"
    config["engine"]["batch_rows"] = 7
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    second = run(load_run(path), quiet=True)["output"]
    assert output_bytes(first) == output_bytes(second)
    assert any(name.startswith("heldout") for name in output_bytes(first))
    third = run(load_run(path, (f"output={tmp_path / 'cut'}", "engine.split_bytes=20000")), quiet=True)["output"]
    weights = [{row["id"]: (row["weight"], row["repeats"]) for row in read_parts(out, "corpus").to_pylist()} for out in (first, third)]
    assert weights[0] == weights[1]
    assert mixture_of(first) == mixture_of(third)


def test_a_frozen_mixture_gives_the_same_corpus(mixed: Mixed, tmp_path: Path) -> None:
    first = run(load_run(mixed(method="temperature", temperature=3)), quiet=True)["output"]
    frozen = Path(first) / "mixture.yaml"
    assert sum(yaml.safe_load(frozen.read_text(encoding="utf-8"))["shares"].values()) == pytest.approx(1)
    again = run(load_run(mixed("frozen", method="manual", file=str(frozen))), quiet=True)["output"]
    assert [read_parts(out, "corpus").to_pylist() for out in (first,)] == [read_parts(again, "corpus").to_pylist()]


def test_selecting_again_mixes_again_without_running_earlier_stages(mixed: Mixed, tmp_path: Path) -> None:
    first = run(load_run(mixed(method="unimax")), quiet=True)["output"]
    out = str(tmp_path / "natural")
    summary = select(first, out, ("stages.mixture.method=natural", "stages.mixture.held_out.share=0"), quiet=True)
    assert "annotate" not in summary["phases"]
    assert summary["mixture"]["held_out"] == {}
    assert set(read_parts(out, "corpus")["weight"].to_pylist()) == {1.0}
    assert read_parts(out, "heldout").num_rows == 0
    with pytest.raises(ConfigError, match="no source has the domain 'lew'; did you mean 'law'"):
        select(first, str(tmp_path / "bad"), ("stages.mixture.method=manual", "stages.mixture.shares={lew: 1.0}"), quiet=True)


def test_a_run_that_was_killed_while_weighing_is_completed(mixed: Mixed, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_run(mixed())
    whole = output_bytes(run(config, quiet=True)["output"])
    from pipeline.mixture import weigh as module

    original, calls = module.write_parquet, []

    def dies(uri: str, table: Any) -> None:
        calls.append(uri)
        if len(calls) == 2:
            raise KeyboardInterrupt
        original(uri, table)

    path = mixed("killed")
    killed = load_run(path, ("name=run",))
    monkeypatch.setattr(module, "write_parquet", dies)
    with pytest.raises(KeyboardInterrupt):
        run(killed, quiet=True)
    monkeypatch.setattr(module, "write_parquet", original)
    assert output_bytes(run(killed, quiet=True)["output"]) == whole
    (Path(killed.output) / "corpus/part-000001.parquet").unlink()
    assert output_bytes(run(killed, quiet=True)["output"]) == whole


def test_a_mixture_stands_last_and_its_shares_are_checked_before_anything_starts(mixed: Mixed) -> None:
    with pytest.raises(ConfigError, match=r"stages\[0\]\.mixture: other stages stand after it"):
        make_plan(load_run(mixed(stages=[{"mixture": {}}, {"exact_dedup": {}}])))
    with pytest.raises(ConfigError, match=r"stages\[3\]\.mixture\.shares: no share for web"):
        make_plan(load_run(mixed(method="manual", shares={"law": 0.5, "news": 0.5})))
    text = "\n".join(describe(make_plan(load_run(mixed(method="manual", shares={"law": 0.5, "news": 0.5, "web": 0})))))
    assert "mixture: manual (law 0.5, news 0.5, web 0), at most 4 epochs" in text
    assert "last pass: select > write > weigh" in text
    assert "heldout/part-*.parquet" in text


def test_a_corpus_of_which_nothing_is_kept_is_no_error_and_a_mixture_of_nothing_is(mixed: Mixed) -> None:
    stages = [{"normalize": {}}, {"select": {"languages": ["fr"]}}, {"mixture": {}}]
    summary = run(load_run(mixed("none", stages=stages)), quiet=True)
    assert summary["documents"]["kept"] == 0
    with pytest.raises(RunError, match="no kept text in 'fr' has a share"):
        run(load_run(mixed("french", languages={"fr": 1.0})), quiet=True)


def test_the_terminal_shows_epochs_by_domain(mixed: Mixed) -> None:
    result = CliRunner().invoke(app, ["run", str(mixed(method="manual", shares={"law": 0.2, "news": 0.2, "web": 0.6}))])
    assert result.exit_code == 0, result.output
    assert "mixture by domain: manual" in result.output
    assert "4.00 (cap)" in result.output


TINY = {"proxy": {"tokens": 2048, "held_out_tokens": 1024, "hidden_size": 16, "intermediate_size": 32, "heads": 2, "layers": 1}}


def test_a_learned_mixture_is_written_shown_cached_and_can_be_frozen(mixed: Mixed, tmp_path: Path) -> None:
    learn = {"bootstrap": 5, "min_rank_correlation": -1}
    apart = {"share": 0.2, "max_share": 0.3}
    first = run(load_run(mixed(method="learned", learn=learn, held_out=apart, **TINY)), quiet=True)
    report = first["mixture"]["learned"]
    assert (report["proxies"], report["abstained"]) == (12, False)
    frozen = Path(first["output"]) / "mixture.yaml"
    shares = yaml.safe_load(frozen.read_text(encoding="utf-8"))["shares"]
    assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
    assert all(round(share, 3) == share for share in shares.values())
    figures = json.loads((Path(first["output"]) / "mixture/learned.json").read_text(encoding="utf-8"))
    assert set(figures["targets"]) == {"law/zh", "news/en", "news/zh", "web/en"}
    assert [len(proxy["losses"]) for proxy in figures["proxies"]] == [4] * 12
    for picture in ("predicted.svg", "weights.svg"):
        assert (Path(first["output"]) / "mixture" / picture).read_text(encoding="utf-8").startswith("<svg")

    again = select(first["output"], str(tmp_path / "again"), ("stages.mixture.learn.kl=0.02",), quiet=True)
    assert again["phases"]["proxies"]["units"] == 12
    kept = sorted(path.name for path in (Path(first["output"]) / "work").glob("proxies-*/*.json"))
    assert len(kept) == 12  # the selection found them and trained no other
    manual = run(load_run(mixed("frozen", method="manual", file=str(frozen), held_out=apart)), quiet=True)
    assert read_parts(manual["output"], "corpus").to_pylist() == read_parts(first["output"], "corpus").to_pylist()


def test_proxies_that_rank_nothing_leave_unimax_and_the_run_says_so(mixed: Mixed) -> None:
    settings: dict[str, Any] = {"learn": {"bootstrap": 2, "min_rank_correlation": 1}, "held_out": {"share": 0.2, "max_share": 0.3}}
    result = CliRunner().invoke(app, ["run", str(mixed(method="learned", **settings, **TINY))])
    assert result.exit_code == 0, result.output
    assert "mixture: ABSTAINED: 12 proxies" in result.output
    assert "mixture by domain: learned, abstained to UniMax, " in result.output
    unimax = run(load_run(mixed("unimax", method="unimax", held_out=settings["held_out"])), quiet=True)
    shares = {name: face["share"] for name, face in unimax["mixture"]["by_domain"].items()}
    learned = json.loads((Path(unimax["output"]).parent / "run/summary.json").read_text(encoding="utf-8"))["mixture"]
    assert learned["learned"]["abstained"]
    frozen = (Path(unimax["output"]).parent / "run/mixture.yaml").read_text(encoding="utf-8")
    assert frozen.startswith("# Shares of domains in 'run', method learned, abstained to UniMax. ")
    assert {name: face["share"] for name, face in learned["by_domain"].items()} == pytest.approx(shares, abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"held_out": {"share": 0}}, r"stages\[3\]\.mixture\.held_out\.share: got 0; a mixture is learned by what models say"),
        ({"learn": {"targets": ["low"]}}, r"learn\.targets: no source has the domain 'low'; there are: law, news, web"),
        ({"proxy": {"tokens": 255}}, "proxy.tokens: got 255, less than one batch of 4 x 64 = 256"),
        ({"proxy": {"heads": 3}}, "proxy.heads: got 3, wanted a number that divides hidden_size, 64"),
    ],
)
def test_what_cannot_be_learned_is_said_before_anything_starts(mixed: Mixed, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_plan(load_run(mixed(method="learned", **settings)))


def test_copies_of_held_out_text_that_stay_are_told_of_and_nothing_is_learned_beside_them(mixed: Mixed) -> None:
    told = "no stage compares documents, so copies of held-out text on other hosts stay in the corpus; add exact_dedup or document_dedup"
    path = mixed("alone", stages=[{"normalize": {}}, {"mixture": {}}])
    assert f"  mixture: {told}" in describe(make_plan(load_run(path)))
    result = CliRunner().invoke(app, ["run", str(path)])
    assert f"mixture: {told}" in " ".join(result.output.split())
    assert f"  mixture: {told}" not in describe(make_plan(load_run(mixed("beside"))))
    assert f"  mixture: {told}" not in describe(make_plan(load_run(path, ("stages.mixture.held_out={share: 0}",))))
    with pytest.raises(ConfigError, match=r"stages\[1\]\.mixture: a mixture is learned .* no stage compares documents: .* add exact_dedup"):
        make_plan(load_run(path, ("stages.mixture.method=learned",)))


def test_one_domain_has_nothing_to_learn(make_config: Mixed) -> None:
    config = make_config({"a": [{"text": prose(1)}]}, stages=[{"mixture": {"method": "learned"}}])
    with pytest.raises(ConfigError, match=r"stages\[0\]\.mixture: a mixture of 'web' alone has nothing to learn"):
        make_plan(load_run(config))


def test_a_domain_without_held_out_text_and_too_little_text_are_errors_before_training(
    mixed: Mixed, make_config: Mixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    import model.proxy

    def never(*_: Any) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr(model.proxy, "train_proxy", never)
    one_host = [{"id": f"a-{i}", "text": prose(i), "url": f"https://one.org/{i}"} for i in range(9)]
    stages = [{"exact_dedup": {}}, {"mixture": {"method": "learned"}}]
    config = make_config({"a": one_host, "b": [{"text": prose(50 + i)} for i in range(9)]}, stages=stages)
    with pytest.raises(RunError, match=r"no held-out text of web that a filter would have kept.*raise mixture.held_out.share or max_share"):
        run(load_run(config, ("sources.b.domain=other",)), quiet=True)
    with pytest.raises(
        RunError, match=r"4 passes over all kept text are [0-9,]+ tokens, and a proxy trains on 4,000,000; lower mixture.proxy"
    ):
        run(load_run(mixed("large", method="learned", held_out={"share": 0.3, "max_share": 0.3}, proxy={"tokens": 4_000_000})), quiet=True)
