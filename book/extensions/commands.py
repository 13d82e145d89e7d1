"""A Sphinx extension: the directive `{commands}`, a table of the commands of `simplebits`."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from simplebits.run.cli import main


class Commands(SphinxDirective):
    """Each command with the first sentence of its help."""

    def run(self) -> list[nodes.Node]:
        """Sphinx calls this."""
        rows = [
            f"| `simplebits {name}` | {main.commands[name].get_short_help_str(200)} |" for name in sorted(main.commands)
        ]
        lines = ["| command | what it does |", "|---|---|", *rows]
        table = nodes.container()
        self.state.nested_parse(StringList(lines, source=""), self.content_offset, table)
        return table.children


def setup(app: Any) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
