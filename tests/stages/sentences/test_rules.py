"""What each rule proposes, both sides of its bounds, and what holds for every rule."""

import inspect
from pathlib import Path

import pytest

from configs.errors import ConfigError
from stages.sentences import EDGE_LINES, rules
from stages.sentences.boilerplate import compile_files
from tests.stages.sentences.proposing import proposed

ZH = "春天的河边有许多人在散步，他们谈论着今年的收成。" * 5
EN = "The river rose in the night and the bridge was closed to carts. " * 5


@pytest.mark.parametrize("name", rules())
def test_rule_is_documented(name: str) -> None:
    assert "Source:" in str(inspect.getdoc(rules()[name]))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"首页 > 新闻中心 > 正文\n{ZH}\n责任编辑：沈小舟", ["首页 > 新闻中心 > 正文", "责任编辑：沈小舟"]),
        (f"{ZH}\n版权所有 © 某某网 保留一切权利\n上一篇 下一篇 返回列表", ["版权所有 © 某某网 保留一切权利", "上一篇 下一篇 返回列表"]),
        (f"{ZH}（责任编辑：沈小舟）\n{ZH}", ["（责任编辑：沈小舟）"]),
        (f"{ZH}更多精彩请关注我们的频道。\n{ZH}", ["更多精彩请关注我们的频道。"]),
        (f"{ZH}\n阅读全文\n{ZH}", ["阅读全文"]),
        (f"{ZH}\n他请我阅读全文\n{ZH}", []),
        (f"{ZH}\n## 推荐阅读\n{ZH}", []),
        (f"Home | News | Business | Weather\n{EN}", ["Home | News | Business | Weather"]),
        (f"Home news was business as usual.\n{EN}", []),
        (f"{EN}\nSign up for our newsletter and never miss a story.", ["Sign up for our newsletter and never miss a story."]),
        (f"{EN}\nRead more", ["Read more"]),
        (f"{EN}\nRead more books", []),
        (f"{EN}\nsave 300 10", []),
        (f"{EN}\nsee /home/news/business", []),
        (f"• Home\n• News\n• Business\n• Obituaries\n• Contact us\n{EN}",
         ["• Home", "• News", "• Business", "• Obituaries", "• Contact us"]),
        (f"• Home\n• News\n• Business\n• Contact us\n{EN}", ["• Home", "• Contact us"]),
        ("Copyright © 2019 A.", ["Copyright © 2019 A."]),
    ],
)  # fmt: skip
def test_boilerplate(text: str, parts: list[str]) -> None:
    assert proposed("boilerplate", text) == parts


@pytest.mark.parametrize(("above", "hit"), [(EDGE_LINES - 1, True), (EDGE_LINES, False)])
def test_an_opening_counts_at_the_edges_only(above: int, hit: bool) -> None:
    text = "\n".join([*[ZH] * above, "责任编辑：沈小舟", *[ZH] * 20])
    assert bool(proposed("boilerplate", text)) == hit


@pytest.mark.parametrize(("more", "hit"), [(75, True), (76, False)])
def test_a_line_of_more_than_240_bytes_is_no_boilerplate(more: int, hit: bool) -> None:
    line = "转载请注明" + "字" * more
    assert bool(proposed("boilerplate", f"{ZH}\n{line}")) == hit


def test_of_a_short_line_that_is_mostly_text_one_sentence_goes() -> None:
    line = "我们在河边住了三十年，每到春天水都会漫上台阶。这里的桥修过两次。欢迎关注我们。"
    assert proposed("boilerplate", f"{line}\n{ZH}") == ["欢迎关注我们。"]
    assert proposed("boilerplate", f"好。转载请注明来自本站的网址。\n{ZH}") == ["好。转载请注明来自本站的网址。"]


@pytest.mark.parametrize(
    ("rule", "line", "hit"),
    [
        ("url_line", "https://example.com/a?b=c", True),
        ("url_line", "来源：http://www.example.cn", True),
        ("url_line", "[via: http://www.example.com/x]", True),
        ("url_line", "官网地址：<https://example.com>", False),
        ("url_line", "see http://www.example.com for more", False),
        ("markup", "<div class='x'>", True),
        ("markup", '{{< copyable "sql" >}}', True),
        ("markup", "<!-- INFO END -->", True),
        ("markup", "&nbsp;<br/>", True),
        ("markup", "<b>text</b>", False),
        ("markup", "<The Palace: Jang Noksu>", False),
        ("symbol_run", "★☆★☆★◆◆◇●○", True),
        ("symbol_run", "★☆★☆★◆◆◇○", False),
        ("symbol_run", "★☆★☆★☆★◆热卖◇○", False),
        ("symbol_run", "==========", False),
        ("symbol_run", "□□□□□，□□□□□。", False),
        ("digit_run", "(更新时间戳: 1664109102894)", True),
        ("digit_run", "2019-11-25 10:37", True),
        ("digit_run", "2019-11-25 1:37", False),
        ("digit_run", "prips 192.168.32.0 192.168.32.255", False),
        ("fragment", "The report goes on to say that [...]", True),
        ("fragment", "报告接着又说到了水位…全文", True),
        ("fragment", "The report goes on to say that the river...", True),
        ("fragment", "报告接着又说到了水位和桥梁的情况……", False),
        ("fragment", "Well...", False),
    ],
)
def test_lines(rule: str, line: str, hit: bool) -> None:
    assert proposed(rule, f"{ZH}\n\n{line}") == ([line] if hit else [])


def test_an_ellipsis_in_the_middle_of_a_document_is_prose() -> None:
    assert proposed("fragment", f"The report goes on to say that the river...\n\n{EN}") == []


def test_three_tags_or_numbers_in_a_row_are_code_or_a_table() -> None:
    assert proposed("markup", f"{EN}\n<div>\n<p>\n</div>") == []
    assert proposed("digit_run", f"{EN}\n\n111111111111\n222222222222\n333333333333") == []


def test_flagged_words_are_a_users_own(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("# mine\nGrape\n葡萄\n", encoding="utf-8")
    text = f"{EN}\n\nA grape fell. Grapes did not. They ate one grape. They saw grape.example too.\n\n他吃了葡萄干。她没有。"
    assert proposed("flagged", text, flagged=str(tmp_path / "words.txt")) == ["A grape fell.", "They ate one grape.", "他吃了葡萄干。"]
    assert proposed("flagged", text) == []


def test_an_empty_phrase_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("anywhere: ['']\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"p\.yaml.*an empty phrase would be found in every line"):
        compile_files((str(tmp_path / "p.yaml"),))
