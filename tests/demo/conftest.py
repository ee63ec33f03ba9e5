from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.demo.demo_client import Demo


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    running = Demo()
    await running.open()
    yield running
    await running.close()
