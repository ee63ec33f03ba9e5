"""aioresponses 0.7.9 on aiohttp 3.14: its responses lack `stream_writer`, of which only `output_size` is ever read.

    with aioresponses() as mocked:
        mocked.get(url, body=body, response_class=MockedResponse)

Source: https://github.com/pnuckowski/aioresponses/issues/289. To go once a release has the fix.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import aiohttp


class MockedResponse(aiohttp.ClientResponse):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, stream_writer=SimpleNamespace(output_size=0), **named)  # type: ignore[arg-type]
