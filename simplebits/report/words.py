"""Numbers and texts as readers and Markdown tables want them."""

from __future__ import annotations

import math
import re


def pretty(mean: float | int, sd: float | int | None = None) -> str:
    """Write a number for readers: two digits of its spread, or four of itself.

    >>> pretty(91.7234, 0.53), pretty(0.98712), pretty(23080.0), pretty(1.0)
    ('91.72 ± 0.53', '0.9871', '23080', '1')
    """
    if not math.isfinite(mean) or (mean and not 1e-3 <= abs(mean) < 1e7):
        return f"{mean:.3g}" + (f" ± {sd:.2g}" if sd is not None else "")
    if sd is None:
        decimals = 3 - math.floor(math.log10(abs(mean))) if mean else 0
        text = f"{mean:.{max(0, decimals)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    decimals = min(6, max(0, 1 - math.floor(math.log10(sd)))) if sd else 2
    return f"{mean:.{decimals}f} ± {sd:.{decimals}f}"


def amount(number: str, unit: str) -> str:
    """Write a number with its unit."""
    return f"{number}{unit}" if unit == "%" else f"{number} {unit}".strip()


def escape(text: str) -> str:
    r"""Write text so that Markdown, and a cell of a Markdown table, shows it as it is: no markup, HTML or template.

    >>> escape("<b>{{ 7 * 7 }}</b> a_b")
    '&lt;b>&#123;&#123; 7 \\* 7 &#125;&#125;&lt;/b> a\\_b'
    """
    for sign in "\\*_|$[]":
        text = text.replace(sign, f"\\{sign}")
    for sign, entity in {"<": "&lt;", "{": "&#123;", "}": "&#125;"}.items():
        text = text.replace(sign, entity)
    return " ".join(text.splitlines())


def code(text: str) -> str:
    """Write a name, which a file holds, as code: what would end the code, or a cell of a table, is left out.

    >>> code("mlp"), code("a`b|c")
    ('`mlp`', '`abc`')
    """
    return f"`{re.sub('[`|{}<>]', '', ' '.join(text.splitlines()))}`"
