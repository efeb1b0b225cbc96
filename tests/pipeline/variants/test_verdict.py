import numpy as np
import pytest

from pipeline.variants.verdict import ALPHA, LEAST_CLUSTERS, Comparison, HeldOut, bits_per_byte, compare, judge

RATES = (0.001, 0.003)


def held_out(rng: np.random.Generator, cells: int = 6, documents: int = 40, sets: tuple[str, ...] = ("raw", "curated")) -> HeldOut:
    names = [f"{['law', 'news', 'web'][i % 3]}/{'zh' if i < cells / 2 else 'en'}" for i in range(cells)]
    number = len(sets) * cells * documents
    return HeldOut(
        sets=np.repeat(sets, cells * documents),
        cells=np.tile(np.repeat(names, documents), len(sets)),
        clusters=np.arange(number) // 2,
        num_bytes=rng.integers(200, 4000, number),
    )


def trainings(documents: HeldOut, rng: np.random.Generator, effect: float = 0.0, seeds: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Nats of a base and a variant: documents differ, seeds are shared, and each training and document has noise of its own."""
    shape = (seeds, len(RATES), len(documents.cells))
    level = 1.2 * documents.num_bytes * rng.lognormal(0, 0.3, shape[-1]) * rng.lognormal(0, 0.03, (seeds, 1, 1))

    def one(effect: float) -> np.ndarray:
        groups, place = np.unique(documents.cells, return_inverse=True)
        own = rng.normal(0, 0.004, (seeds, 1, len(groups)))[..., place]
        return np.asarray(level * (1 + effect + own + rng.normal(0, 0.02, shape)))

    return one(0.0), one(effect)


def test_no_effect_is_inconclusive_and_p_is_below_alpha_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    documents, resamples = held_out(rng, documents=12), 400
    found = [compare(documents, RATES, *trainings(documents, rng), resamples=200) for _ in range(resamples)]
    share = np.mean([one.p < ALPHA for one in found])
    assert share == pytest.approx(ALPHA, abs=4 * np.sqrt(ALPHA * (1 - ALPHA) / resamples))
    false = np.mean([judge({"null": one})["null"].word != "inconclusive" for one in found])
    assert false <= share


@pytest.mark.parametrize(("effect", "word"), [(-0.02, "better"), (0.02, "worse")])
def test_a_planted_effect_of_two_percent_is_found_on_three_seeds(effect: float, word: str) -> None:
    rng = np.random.default_rng(4)
    documents = held_out(rng)
    found = [compare(documents, RATES, *trainings(documents, rng, effect), resamples=200) for _ in range(50)]
    words = [judge({"planted": one})["planted"].word for one in found]
    assert words.count(word) >= 45
    assert np.mean([one.change for one in found]) == pytest.approx(effect, abs=0.001)


def test_figures_of_two_documents_by_hand() -> None:
    documents = HeldOut(np.array(["raw", "curated"]), np.array(["law/zh", "news/en"]), np.array([0, 1]), np.array([100, 300]))
    base = np.array([[[50.0, 90.0]], [[100.0, 180.0]]])
    variant = base * np.array([[[1.10, 0.90]], [[1.30, 0.98]]])
    found = compare(documents, [0.001], base, variant)
    assert found.by_seed == pytest.approx((0.0, 0.14))
    assert found.change == pytest.approx(0.07)
    assert found.by_condition == pytest.approx({("curated", 0.001): -0.06, ("raw", 0.001): 0.2})
    assert found.by_cell == pytest.approx({("curated", "news/en"): -0.06, ("raw", "law/zh"): 0.2})
    assert found.by_language == pytest.approx({"en": -0.06, "zh": 0.2})
    assert found.interval == pytest.approx((0.07, 0.07))
    assert found.thin == ("news/en (curated) 1", "law/zh (raw) 1")
    bits = bits_per_byte(documents, base)
    assert bits["raw", "law/zh"][1, 0] == pytest.approx(100 / np.log(2) / 100)


def test_a_cell_counts_alike_however_many_documents_it_has() -> None:
    rng = np.random.default_rng(0)
    documents = HeldOut(np.full(11, "raw"), np.array(["web/en"] * 10 + ["law/zh"]), np.arange(11), np.full(11, 1000))
    base = rng.gamma(9, 1, (2, 1, 11))
    variant = base * np.where(documents.cells == "law/zh", 1.10, 1.0)
    assert compare(documents, [0.001], base, variant).change == pytest.approx(0.05)


@pytest.mark.parametrize(("clusters", "thin"), [(LEAST_CLUSTERS, ()), (LEAST_CLUSTERS - 1, ("law/zh (raw) 3",))])
def test_a_cell_of_few_clusters_is_named_however_many_documents_it_has(clusters: int, thin: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    documents = HeldOut(np.full(40, "raw"), np.full(40, "law/zh"), np.arange(40) % clusters, np.full(40, 1000))
    assert compare(documents, [0.001], rng.gamma(9, 1, (2, 1, 40)), rng.gamma(9, 1, (2, 1, 40))).thin == thin


def test_intervals_are_wider_when_documents_come_in_clusters() -> None:
    rng = np.random.default_rng(1)
    alone = held_out(rng, documents=60)
    hosts = HeldOut(alone.sets, alone.cells, np.arange(len(alone.cells)) // 12, alone.num_bytes)
    base = np.broadcast_to(1.2 * alone.num_bytes, (3, 2, len(alone.cells))).astype(float)
    variant = base * (1 + np.repeat(rng.normal(0, 0.05, len(alone.cells) // 12), 12))
    widths = [np.diff(compare(documents, RATES, base, variant).interval)[0] for documents in (alone, hosts)]
    assert widths[1] > 2 * widths[0]


def comparison(**changes: object) -> Comparison:
    settings: dict[str, object] = {
        "change": -0.02, "by_seed": (-0.02,) * 3, "p": 0.001, "interval": (-0.03, -0.01), "by_language": {}, "thin": (),
        "by_condition": {("raw", 0.001): -0.02, ("curated", 0.001): -0.02}, "by_cell": {("raw", "law/zh"): -0.02},
    }  # fmt: skip
    return Comparison(**(settings | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"p": 0.05}, "p 0.050 over seeds is not below 0.05"),
        ({"interval": (-0.03, 0.0)}, "other held-out documents could turn it"),
        ({"by_condition": {("raw", 0.001): -0.03, ("curated", 0.001): 0.001}}, "another sign on curated at 0.001"),
        ({"by_condition": {("raw", 0.001): -0.03, ("raw", 0.003): 0.0}}, "another sign on raw at 0.003"),
        ({"by_cell": {("raw", "law/zh"): 0.0101}}, "a domain is worse: law/zh (raw) +1.0%"),
        ({"thin": ("law/zh (raw) 3",)}, "too few hosts or texts, wanted 4: law/zh (raw) 3"),
    ],
)
def test_each_condition_alone_makes_it_inconclusive(changes: dict[str, object], missing: str) -> None:
    assert judge({"v": comparison()})["v"].word == "better"
    found = judge({"v": comparison(**changes)})["v"]
    assert (found.word, found.missing) == ("inconclusive", (missing,))


def test_a_domain_one_percent_worse_is_still_better() -> None:
    assert judge({"v": comparison(by_cell={("raw", "law/zh"): 0.01})})["v"].word == "better"


def test_a_rise_everywhere_is_worse_whatever_one_domain_gains() -> None:
    rise = {"change": 0.02, "by_seed": (0.02,) * 3, "interval": (0.01, 0.03), "by_condition": {("raw", 0.001): 0.02}}
    assert judge({"v": comparison(**rise, by_cell={("raw", "law/zh"): 0.3, ("raw", "web/en"): -0.1})})["v"].word == "worse"


def test_more_variants_need_smaller_p() -> None:
    assert judge({"a": comparison(p=0.03)})["a"].word == "better"
    found = judge({"a": comparison(p=0.03), "b": comparison(p=0.04)})
    assert [(v.word, v.p) for v in found.values()] == [("inconclusive", 0.06), ("inconclusive", 0.06)]
