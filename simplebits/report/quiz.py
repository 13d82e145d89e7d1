"""The reader's own test: classify pictures by clicking, and see the score beside a network's and other people's."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

from jaxtyping import Float, Int64
from torch import Tensor

from simplebits import _check
from simplebits._door import door
from simplebits.report.picture import picture
from simplebits.report.published import Published


@dataclass(frozen=True, eq=False)
class QuizRound:
    """Pictures of one kind, all shown before those of the next.

    Attributes:
        title: what is special about them, `5% of the pixels`; it stands above each.
        images: `[n, c, h, w]` in [0, 1], as they are shown.
        labels: `[n]`, the right answers.
        predictions: `[n]`, what the network says of the same pictures.
        people: what other people reached, as published, if someone measured it.

    Raises:
        TypeError: images is no tensor, or title no text.
        ValueError: images out of range, labels or predictions that do not fit them, or an empty title.
    """

    title: str
    images: Float[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]
    predictions: Int64[Tensor, " n"]
    people: Published | None = None

    def __post_init__(self) -> None:
        import torch

        _check.image_batch("images", self.images)
        if not isinstance(self.title, str):
            raise TypeError(f"title: expected a text, got {type(self.title).__name__}")
        if not self.title.strip():
            raise ValueError("title is empty: say what is special about the pictures of the round")
        for name in ("labels", "predictions"):
            value = getattr(self, name)
            if not isinstance(value, torch.Tensor) or value.dtype != torch.int64 or value.shape != (len(self.images),):
                got = f"{value.dtype} {list(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
                raise ValueError(f"{name}: expected int64 [{len(self.images)}], one for each image, got {got}")


@door
def quiz(rounds: Sequence[QuizRound], classes: Sequence[str], description: str) -> None:
    """Display a test that the reader takes in the browser, with no kernel and no network.

    One picture is shown at a time, with a button for each class; nothing says whether an answer was right until all are
    given. Then a table has the reader's score of each round beside the network's on the same pictures and the
    published one of other people, and the pictures come back with their right answers. All pictures travel inside the
    page: keep them small and at most about 60.

    Args:
        rounds: the kinds of pictures, in the order in which they are shown; mix the classes within a round.
        classes: what the buttons say.
        description: what the reader is asked, `What is this?` for example; the name of the test for screen readers.

    Raises:
        ValueError: no round, fewer than two classes, a label that no class has, or an empty description.
    """
    from IPython.display import display

    display(_Shown(quiz_html(rounds, classes, description), sum(len(one.images) for one in rounds), description))


def quiz_html(rounds: Sequence[QuizRound], classes: Sequence[str], description: str) -> str:
    """Write the HTML that `quiz` displays; arguments and errors as there."""
    if not rounds:
        raise ValueError("rounds: give at least one QuizRound")
    if len(classes) < 2:
        raise ValueError(f"classes={classes!r}: a test needs at least two answers to choose from")
    if not description.strip():
        raise ValueError("description is empty: say what the reader is asked")
    for one in rounds:
        for name in ("labels", "predictions"):
            low, high = (int(v) for v in getattr(one, name).aminmax())
            if low < 0 or high >= len(classes):
                raise ValueError(f"{name} of {one.title!r}: must lie in 0 .. {len(classes) - 1}, got {low} .. {high}")
    total = sum(len(one.images) for one in rounds)
    questions: list[dict[str, object]] = []
    for index, one in enumerate(rounds):
        for image, label, said in zip(one.images, one.labels.tolist(), one.predictions.tolist(), strict=True):
            shown = picture(image, f"Picture {len(questions) + 1} of {total}: {one.title}.")
            questions.append({"round": index, "label": label, "network": said, "page": shown})
    data = {
        "classes": list(classes),
        "questions": questions,
        "rounds": [{"title": one.title, "people": str(one.people or "–")} for one in rounds],
    }
    # "<" is written as \u003c, so that no text can end the script.
    content = json.dumps(data).replace("<", "\\u003c")
    name = "sb-quiz-" + hashlib.sha256(content.encode()).hexdigest()[:12]
    buttons = "".join(
        f'<button type="button" data-answer="{i}">{html.escape(label)}</button>' for i, label in enumerate(classes)
    )
    return _PAGE.substitute(
        name=name, description=html.escape(description), buttons=buttons, first=questions[0]["page"], data=content
    )


class _Shown:
    """The test where HTML is, a sentence everywhere else."""

    def __init__(self, content: str, count: int, description: str) -> None:
        self._content, self._count, self._description = content, count, description

    def _repr_html_(self) -> str:
        return self._content

    def __repr__(self) -> str:
        return f"Quiz: {self._description} ({self._count} pictures, in the browser)"


# Colours are the page's own, so that it reads in every theme. Styles and script stand here because Jupyter and Colab
# have no sheet of ours. The class sb-figure of the pictures keeps the theme from laying a white ground below them.
_PAGE = Template("""\
<section id="$name" class="sb-quiz" aria-label="$description">
<style>
#$name { max-width: 34rem; }
#$name img { height: auto; }
#$name .sb-quiz-stage img { width: min(256px, 100%); }
#$name .sb-quiz-answers { display: flex; flex-wrap: wrap; gap: .4rem; margin: .6rem 0; }
#$name button {
  background: transparent; border: 1px solid currentcolor; border-radius: .4rem; color: inherit; cursor: pointer;
  font: inherit; min-height: 2.4rem; min-width: 2.4rem; padding: .2rem .7rem;
}
#$name button:hover { text-decoration: underline; }
#$name button:focus-visible { outline: 3px solid currentcolor; outline-offset: 2px; }
#$name .sb-quiz-table { overflow-x: auto; }
#$name .sb-quiz-table:focus { outline: none; }
#$name table { border-collapse: collapse; color: inherit; }
#$name th, #$name td {
  background: none; border-bottom: 1px solid currentcolor; color: inherit; padding: .25rem .6rem; text-align: left;
}
#$name .sb-quiz-review { display: flex; flex-wrap: wrap; gap: .6rem; }
#$name .sb-quiz-review > div { font-size: .85rem; width: 6.5rem; }
#$name .sb-quiz-review figure { margin: 0; }
#$name .sb-quiz-review img { width: 64px; }
#$name [hidden] { display: none; }
</style>
<p><strong>$description</strong> <span class="sb-quiz-where" aria-live="polite"></span></p>
<div class="sb-quiz-ask">
<div class="sb-quiz-stage">$first</div>
<div class="sb-quiz-answers" role="group" aria-label="Your answer">$buttons</div>
</div>
<div class="sb-quiz-end" hidden>
<div class="sb-quiz-table" tabindex="-1"></div>
<details><summary>The pictures and their answers</summary><div class="sb-quiz-review"></div></details>
<p><button type="button" class="sb-quiz-again">Start again</button></p>
</div>
<noscript><p>This test needs JavaScript.</p></noscript>
<script>
(() => {
  const data = $data;
  const quiz = document.getElementById("$name");
  const part = (name) => quiz.querySelector(".sb-quiz-" + name);
  const add = (parent, tag, text) => {
    const child = parent.appendChild(document.createElement(tag));
    if (text !== undefined) child.textContent = text;
    return child;
  };
  let answers = [];

  const ask = () => {
    const question = data.questions[answers.length];
    part("where").textContent =
      `Picture $${answers.length + 1} of $${data.questions.length}, $${data.rounds[question.round].title}`;
    part("stage").innerHTML = question.page;
  };

  const score = (rows, right) => {
    const hits = rows.filter(right).length;
    return `$${hits} of $${rows.length} ($${Math.round(100 * hits / rows.length)}%)`;
  };

  const finish = () => {
    part("where").textContent = "All pictures answered.";
    const given = data.questions.map((question, i) => ({ ...question, answer: answers[i] }));
    part("table").replaceChildren();
    const table = add(part("table"), "table");
    const head = add(add(table, "thead"), "tr");
    for (const title of ["Pictures", "You", "The network, same pictures", "People, published"]) {
      add(head, "th", title).scope = "col";
    }
    const body = add(table, "tbody");
    data.rounds.forEach((round, index) => {
      const rows = given.filter((one) => one.round === index), row = add(body, "tr");
      add(row, "th", round.title).scope = "row";
      add(row, "td", score(rows, (one) => one.answer === one.label));
      add(row, "td", score(rows, (one) => one.network === one.label));
      add(row, "td", round.people);
    });
    part("review").replaceChildren();
    for (const one of given) {
      const cell = add(part("review"), "div");
      cell.innerHTML = one.page;
      const [truth, answer] = [data.classes[one.label], data.classes[one.answer]];
      cell.querySelector("img").alt += ` It is: $${truth}.`;
      add(cell, "div", one.answer === one.label ? `✓ $${truth}` : `✗ $${truth}, you: $${answer}`);
    }
    turn(true);
    part("table").focus();
  };

  const turn = (ended) => {
    part("ask").hidden = ended;
    part("end").hidden = !ended;
  };

  const begin = () => {
    answers = [];
    turn(false);
    ask();
  };

  part("answers").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    answers.push(Number(button.dataset.answer));
    if (answers.length < data.questions.length) ask(); else finish();
  });
  part("answers").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const buttons = [...part("answers").children], at = buttons.indexOf(document.activeElement);
    if (step && at >= 0) buttons[(at + step + buttons.length) % buttons.length].focus();
  });
  part("again").addEventListener("click", () => {
    begin();
    part("answers").firstElementChild.focus();
  });
  begin();
})();
</script>
</section>""")
