"""Statements as SQLite takes them fastest: `?` for `$1`, and the arguments in the order of their use.

SQLite would take `$1` as a name, which costs a lookup each; Python 3.12.0 to 3.12.3 take `?1` so, with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any

Pick = Callable[[tuple[Any, ...]], tuple[Any, ...]]


class _Statements(dict[str, tuple[str, Pick | None]]):
    """The positional form of each statement, and what puts its arguments in order where they are not so already."""

    def __missing__(self, sql: str) -> tuple[str, Pick | None]:
        order = [int(number) - 1 for number in re.findall(r"\$(\d+)", sql)]
        in_order = order == list(range(len(order)))
        form = self[sql] = re.sub(r"\$\d+", "?", sql), None if in_order else itemgetter(*order)
        return form


positional = _Statements()
