"""AI_NOTICE: the sentence that WeChat's review asks for, beside every answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api, Start

NOTICE = "\u5185\u5bb9\u7531 AI \u751f\u6210"


@pytest.fixture
async def noted(start: Start) -> Api:
    return await start(AI_NOTICE=NOTICE)


async def test_a_chat_its_stream_and_its_turn_bear_the_notice(noted: Api):
    done = await noted.chat()
    events = await noted.stream()
    turn = await noted.data(f"/api/turns/{done['turn_id']}")
    resumed = await noted.resume(done["turn_id"])
    for answer in (done, events[-1].data, turn, resumed[-1].data):
        assert answer["notice"] == NOTICE


async def test_a_picture_bears_the_notice(noted: Api):
    drawn = await noted.data("/api/image", {"openid": "ann", "prompt": "a cat"})
    assert drawn["notice"] == NOTICE
    assert (await noted.data(f"/api/turns/{drawn['turn_id']}"))["notice"] == NOTICE


async def test_an_answer_that_is_not_finished_bears_the_notice(noted: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stream("a part", asyncio.Event()), Answer.stall())
    running = await noted.chat(wait=1)
    assert (running["status"], running["notice"]) == ("running", NOTICE)
    assert (await noted.data(f"/api/turns/{running['turn_id']}/stop", {}))["notice"] == NOTICE
    drawing: Any = await noted.data("/api/image", {"openid": "ann", "prompt": "a cat", "async": True})
    assert (drawing["status"], drawing["notice"]) == ("running", NOTICE)


async def test_it_stands_beside_what_else_is_to_be_said(start: Start, upstream: FakeUpstream, tmp_path: Path):
    (tmp_path / "words").write_text("forbidden")
    api = await start(AI_NOTICE=NOTICE, CONTENT_CHECK="words", CONTENT_WORDS_FILE=f"{tmp_path}/words")
    upstream.answer_with(Answer.completion("forbidden"))
    recalled, notice = (await api.chat())["notice"].split("\n")
    assert notice == NOTICE
    assert "content check" in recalled


async def test_without_the_setting_there_is_none(api: Api):
    assert "notice" not in await api.chat()
