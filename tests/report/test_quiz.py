"""The quiz: what lies in the page, what it gives away and what not."""

import json
import re

import pytest
import torch

import simplebits as sb
from simplebits.report.quiz import quiz_html

CLASSES = ["cat <1>", "dog & co", "frog"]
DESCRIPTION = "What is this?"


def rounds(people=True):
    images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    human = sb.report.published("overinterpretation.humans.pixels5") if people else None
    return [
        sb.report.QuizRound("5% of the pixels", images[:2], torch.tensor([0, 2]), torch.tensor([0, 1]), human),
        sb.report.QuizRound("30% </script>", images[2:], torch.tensor([1, 1]), torch.tensor([1, 1])),
    ]


def data(page):
    return json.loads(re.search(r"const data = (.*);\n", page)[1])


def test_it_is_displayed_as_html_and_as_a_sentence(monkeypatch):
    found = []
    monkeypatch.setattr("IPython.display.display", found.append)
    sb.report.quiz(rounds(), CLASSES, DESCRIPTION)
    assert found[0]._repr_html_() == quiz_html(rounds(), CLASSES, DESCRIPTION)
    assert repr(found[0]) == "Quiz: What is this? (4 pictures, in the browser)"


def test_every_picture_is_in_the_page_and_nothing_is_fetched():
    page = quiz_html(rounds(), CLASSES, DESCRIPTION)
    pages = [question["page"] for question in data(page)["questions"]]
    assert len({re.search('src="([^"]+)"', one)[1] for one in pages}) == 4
    assert set(re.findall(r'(?:src|href)=\\?"([^":]*)', page)) == {"data"}
    assert "http" not in page


def test_no_text_gives_an_answer_away():
    questions = data(quiz_html(rounds(), CLASSES, DESCRIPTION))["questions"]
    alts = [re.search('alt="([^"]+)"', one["page"])[1] for one in questions]
    assert alts[0] == "Picture 1 of 4: 5% of the pixels."
    assert not any(word in alt for alt in alts for word in ("cat", "dog", "frog"))
    assert not any("figcaption" in one["page"] for one in questions)


def test_pixels_are_squares_on_one_scale():
    flat = torch.stack([torch.full((1, 4, 4), 0.5), torch.full((1, 4, 4), 0.25)])
    one = sb.report.QuizRound("grey", flat, torch.tensor([0, 1]), torch.tensor([0, 1]))
    page = quiz_html([one], CLASSES, DESCRIPTION)
    import base64
    import io

    from PIL import Image

    levels = []
    for question in data(page)["questions"]:
        assert "image-rendering:pixelated" in question["page"]
        content = base64.b64decode(re.search('base64,([^"]+)', question["page"])[1])
        levels.append(Image.open(io.BytesIO(content)).convert("L").getpixel((0, 0)))
    assert levels == [128, 64]


def test_labels_predictions_and_people_are_what_was_given():
    found = data(quiz_html(rounds(), CLASSES, DESCRIPTION))
    assert [(q["round"], q["label"], q["network"]) for q in found["questions"]] == [
        (0, 0, 0), (0, 2, 1), (1, 1, 1), (1, 1, 1)
    ]  # fmt: skip
    assert [one["people"] for one in found["rounds"]] == ["19.2 ± 4.8%", "–"]
    assert found["classes"] == CLASSES


def test_no_text_can_end_the_script_or_a_tag():
    page = quiz_html(rounds(), CLASSES, 'A "quoted" <b>question</b>')
    assert page.count("</script>") == 1
    assert "cat &lt;1&gt;</button>" in page
    assert "<b>" not in page
    assert 'aria-label="A &quot;quoted&quot; &lt;b&gt;' in page


def test_two_tests_on_a_page_keep_apart_and_one_has_the_same_name_every_time():
    first, again = (quiz_html(rounds(), CLASSES, DESCRIPTION) for _ in range(2))
    other = quiz_html(rounds(people=False), CLASSES, DESCRIPTION)
    assert first == again
    names = [re.search('id="([^"]+)"', page)[1] for page in (first, other)]
    assert names[0] != names[1]


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": " "}, "title is empty"),
        ({"images": torch.full((2, 1, 4, 4), 255.0)}, r"images: values must lie in \[0, 1\]"),
        ({"labels": torch.tensor([0])}, "labels: expected int64"),
        ({"predictions": torch.tensor([0.0, 1.0])}, "predictions: expected int64"),
    ],
)
def test_a_wrong_round_is_named(change, message):
    good = {"title": "a", "images": torch.zeros(2, 1, 4, 4), "labels": torch.tensor([0, 1])}
    good |= {"predictions": torch.tensor([0, 1])}
    with pytest.raises(ValueError, match=message):
        sb.report.QuizRound(**(good | change))
    with pytest.raises(TypeError, match="title: expected a text, got NoneType"):
        sb.report.QuizRound(**(good | {"title": None}))


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], CLASSES, DESCRIPTION), "at least one QuizRound"),
        ((rounds(), ["one"], DESCRIPTION), "at least two answers"),
        ((rounds(), CLASSES[:2], DESCRIPTION), "labels of '5% of the pixels': must lie in 0 .. 1, got 0 .. 2"),
        ((rounds(), CLASSES, ""), "description is empty"),
    ],
)
def test_wrong_use_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        sb.report.quiz(*arguments)
