"""Schemathesis over the whole service: whatever is sent, the answer is one that the OpenAPI document tells of.

Source: https://schemathesis.readthedocs.io/
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.fakes.upstream import FakeUpstream
from tests.fakes.wechat import FakeWeChat
from tests.web.conftest import Start

CONFIGURATION = """
[checks]
# Which models there are, and what an openid may hold, no schema can tell.
positive_data_acceptance.enabled = false

[[operations]]
include-path = "/api/files"
# Everything in a form is text: there is no type that an openid could fail to have.
checks.negative_data_rejection.enabled = false
"""


async def test_no_request_is_answered_with_a_5xx_or_with_anything_undocumented(
    start: Start, upstream: FakeUpstream, tmp_path: Path
):
    async with FakeWeChat() as wechat:
        api = await start(RATE_LIMIT="0", IP_RATE_LIMIT="0", **wechat.variables)
        status, report = await run_schemathesis(str(api.client.make_url("/openapi.json")), tmp_path)
    assert status == 0, report
    assert "❌" not in report


async def run_schemathesis(url: str, folder: Path) -> tuple[int, str]:
    """Run it as a process of its own, against a service in this one. Shape: exit status, report."""
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", url),
        *("--phases", "examples,coverage,fuzzing"),
        *("--max-examples", "10", "--seed", "1", "--no-color", "--continue-on-failure"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode("utf-8", "replace")
