"""Where a lesson opens with a click: the one list of services, from which every page's links are made."""

from __future__ import annotations

import re
from urllib.parse import quote

BRANCH = "main"
# {slug}: OWNER/REPO; {path}: of the notebook; {file}: its address on GitHub, as part of another address.
SERVICES = {
    "Colab": "https://colab.research.google.com/github/{slug}/blob/{branch}/{path}",
    "Kaggle": "https://www.kaggle.com/kernels/welcome?src=https://github.com/{slug}/blob/{branch}/{path}",
    "Lightning": "https://lightning.ai/new?repo_url={file}",
    "Binder": "https://mybinder.org/v2/gh/{slug}/{branch}?urlpath=lab/tree/{path}",
}
_BADGE = re.compile(
    r"\[!\[Open in Colab\]\([^)]*\)\]\(https://colab\.research\.google\.com/github/(?P<slug>[^/]+/[^/]+)/blob/[^/]+/(?P<path>[^)]+)\)"
)


def links(slug: str, path: str) -> str:
    """Write links that open a notebook, in HTML, which no summary of the page takes for its first sentence.

    >>> links("someone/book", "notebooks/01_a.ipynb").split(" · ")[0]
    '<p>Open in <a href="https://colab.research.google.com/github/someone/book/blob/main/notebooks/01_a.ipynb">Colab</a>'
    """
    file = quote(f"https://github.com/{slug}/blob/{BRANCH}/{path}", safe="")
    parts = {"slug": slug, "branch": BRANCH, "path": path, "file": file}
    anchors = [f'<a href="{url.format(**parts)}">{name}</a>' for name, url in SERVICES.items()]
    return f"<p>Open in {' · '.join(anchors)}</p>"


def in_place_of_badges(text: str) -> str:
    """Replace each Colab badge in a text, a picture from another host, by links to all services."""
    return _BADGE.sub(lambda badge: links(badge["slug"], badge["path"]), text)
