"""What the benchmark makes of its figures: ratios of one round, floors reached and missed."""

from bench.figures import CHAT_RATE, PICTURES_MIB, Figures
from bench.report import markdown
from bench.subjects import BARE, SERVICE


def test_the_ratio_is_that_of_the_same_round_so_that_a_slow_round_slows_both() -> None:
    figures = Figures([BARE, SERVICE])
    for bare, service in ((1000, 900), (500, 450), (2000, 1800)):
        figures.add(CHAT_RATE, BARE, bare)
        figures.add(CHAT_RATE, SERVICE, service)

    text = markdown(figures, ["a machine"], ["nginx: not there"])

    assert "| 900 (450..1,800) · 0.90 x |" in text
    assert "at least 0.80 x bare | 0.90 x | reached |" in text
    assert "Skipped: nginx: not there" in text


def test_a_missed_floor_is_told_as_missed() -> None:
    figures = Figures([BARE, SERVICE])
    figures.add(CHAT_RATE, BARE, 1000)
    figures.add(CHAT_RATE, SERVICE, 700)

    assert "at least 0.80 x bare | 0.70 x | **missed** |" in markdown(figures, [], [])


def test_memory_beyond_its_floor_is_told_as_missed() -> None:
    figures = Figures([SERVICE])
    figures.add(PICTURES_MIB, SERVICE, 144)

    assert "at most 150 MB over idle | 144 MiB | **missed** |" in markdown(figures, [], [])
