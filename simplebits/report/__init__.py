"""Pictures with a text for those who cannot see them, the ledger of results, and the scoreboard against the papers."""

# Functions share their names with modules here (`published`, `scoreboard`, `slider`). All are imported at once, since a
# module imported later would take the function's place. None imports matplotlib before something is drawn.
from simplebits import _here
from simplebits.report import ledger
from simplebits.report.checkpoint import checkpoint
from simplebits.report.cost import measured_cost
from simplebits.report.equal import on_curve
from simplebits.report.figures import COLOURS, image_grid, painted, show, style
from simplebits.report.published import Published, published
from simplebits.report.quiz import QuizRound, quiz
from simplebits.report.ranks import RankCorrelation, rank_correlation, rank_interval
from simplebits.report.recording import record
from simplebits.report.scoreboard import scoreboard, scoreboard_markdown
from simplebits.report.slider import slider
from simplebits.report.studied import measured_in, studied
from simplebits.report.study import (
    artefact,
    beside,
    fingerprint,
    judge,
    judge_claim,
    judge_correlation,
    once,
    table_beside,
)
from simplebits.report.trend import Trend, ahead_of, at_least, at_most, increasing, level_with
from simplebits.report.verdict import Record

__all__ = [
    "COLOURS",
    "Published",
    "QuizRound",
    "RankCorrelation",
    "Record",
    "Trend",
    "ahead_of",
    "artefact",
    "at_least",
    "at_most",
    "beside",
    "checkpoint",
    "fingerprint",
    "image_grid",
    "increasing",
    "judge",
    "judge_claim",
    "judge_correlation",
    "ledger",
    "level_with",
    "measured_cost",
    "measured_in",
    "on_curve",
    "once",
    "painted",
    "published",
    "quiz",
    "rank_correlation",
    "rank_interval",
    "record",
    "scoreboard",
    "scoreboard_markdown",
    "show",
    "slider",
    "studied",
    "style",
    "table_beside",
]

_here.require_book("simplebits.report, which makes figures and keeps the ledger,")
