"""The page that `aiida-dnpmelt report` writes, as it writes it."""

from __future__ import annotations

from functools import lru_cache

from aiida import orm
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from aiida_dnpmelt.browse.parameters import is_final, node_of, parameters_of
from aiida_dnpmelt.browse.policies import REPORT
from aiida_dnpmelt.report.page import write_html

_KEPT = 16
"""Pages that are kept in memory, each of some 0.5 MB."""


def view(request: Request) -> Response:
    """Return the page; that of a process that has ended is made once."""
    parameters_of(request)
    node = node_of(request)
    try:
        text = _written(str(node.uuid)) if is_final(node) else write_html(node)
    except ValueError as error:
        raise HTTPException(404, str(error)) from error
    return HTMLResponse(text, headers={"Content-Security-Policy": REPORT})


@lru_cache(maxsize=_KEPT)
def _written(uuid: str) -> str:
    return write_html(orm.load_node(uuid=uuid))
