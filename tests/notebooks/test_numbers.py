"""Sentences hold numbers, not marks: Colab shows text, the website the number of the run that it shows."""

import re

import pytest
from lessons import ROOT, stems

from simplebits.run import numbers


@pytest.mark.parametrize("stem", stems())
def test_every_number_in_the_text_is_that_of_the_ledger(stem: str) -> None:
    values = numbers.measured(stem, ROOT)
    for ending in (".py", ".ipynb"):
        text = (ROOT / "notebooks" / f"{stem}{ending}").read_text(encoding="utf-8")
        assert "{glue" not in text
        assert text.count("<!--=") == len(numbers.MARK.findall(text)), "each mark follows a number"
        assert numbers.filled(text, values) == text, f"simplebits numbers {stem}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**15.1%<!--=a.b:.1%-->** of", "**99.9%<!--=a.b:.1%-->** of"),
        ("(-3<!--=a.b:+.0f-->)", "(+1<!--=a.b:+.0f-->)"),
        ("1e-06<!--=a.b:.1g-->, 23,080<!--=a.c:,.0f-->", "1<!--=a.b:.1g-->, 1,500<!--=a.c:,.0f-->"),
        ("no mark, 12 %<!-- a remark -->", "no mark, 12 %<!-- a remark -->"),
    ],
)
def test_numbers_of_all_forms_are_replaced(text: str, shown: str) -> None:
    assert numbers.filled(text, {"a.b": 0.999, "a.c": 1500.0}) == shown
    assert "<!--=" not in numbers.live(text)
    assert len(re.findall("glue:text", numbers.live(text))) == text.count("<!--=")


def test_a_mark_without_a_record_is_named() -> None:
    with pytest.raises(ValueError, match="names 'a.d', which no record"):
        numbers.filled("3<!--=a.d:.0f-->", {"a.b": 1.0})
