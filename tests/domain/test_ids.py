"""Ids of turns: they sort by the time they were made, whatever the clock does."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from service.domain.ids import IdMaker

NOW_MS = 1_795_382_906_822


@given(st.lists(st.integers(-5, 5), max_size=100))
def test_each_id_sorts_after_the_one_before(steps: list[int]) -> None:
    ids = IdMaker()
    made = [ids.make(NOW_MS + step) for step in steps]
    assert made == sorted(set(made))


def test_more_ids_in_one_ms_than_it_counts_go_on_into_the_next() -> None:
    ids = IdMaker()
    made = [ids.make(NOW_MS)[:16] for _ in range(0x10001)]
    assert made[0] == f"{NOW_MS:012x}0000"
    assert made[-1] == f"{NOW_MS + 1:012x}0000"


def test_an_id_is_32_hex_digits_at_any_time() -> None:
    assert all(re.fullmatch(r"[0-9a-f]{32}", IdMaker().make(now_ms)) for now_ms in (0, 1, NOW_MS, 1 << 47))
