"""Draws the demo's pictures: a landscape over a lake as a PNG, made from a seed with zlib and struct alone.

Knows nothing of HTTP or prompts. A pixel is one byte, an index into a palette of 256 colours, so that whole rows are
made with bytes and integer operations: a picture of 1024x1024 takes a few hundredths of a second.
"""

from __future__ import annotations

import math
import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Colour = tuple[int, int, int]

_SKY = 96  # palette: 96 shades of sky, 4 x 8 of mountains, and all 128 once more, darker, for the lake
_SHADES = 8
_LAYERS = 4
_DARKER = bytes(index | 128 for index in range(256))


@dataclass(frozen=True, slots=True)
class Theme:
    """Shape: `sky` from the zenith over the horizon to the light itself, `ground` the nearest mountain."""

    sky: tuple[Colour, ...]
    ground: Colour
    stars: int = 0


_THEMES = (
    Theme(((38, 26, 89), (138, 58, 130), (240, 110, 92), (255, 190, 112), (255, 246, 214)), (30, 18, 52)),
    Theme(((28, 88, 156), (86, 156, 204), (190, 220, 224), (255, 226, 176), (255, 252, 236)), (20, 58, 66)),
    Theme(((8, 10, 34), (20, 30, 78), (52, 70, 130), (140, 156, 200), (248, 248, 255)), (6, 10, 26), stars=160),
    Theme(((94, 84, 160), (176, 128, 190), (246, 178, 196), (255, 220, 204), (255, 250, 240)), (70, 44, 88)),
    Theme(((12, 70, 82), (34, 130, 122), (126, 194, 150), (236, 226, 156), (255, 253, 224)), (10, 44, 44)),
    Theme(((50, 20, 40), (150, 40, 50), (232, 92, 48), (252, 170, 60), (255, 240, 190)), (40, 12, 24)),
)


def draw(seed: str, width: int, height: int) -> bytes:
    """Draw the picture of a seed. Shape: a PNG of `width` x `height`, always the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - a picture, not a secret
    theme = dice.choice(_THEMES)
    horizon = max(1, height * dice.randint(66, 76) // 100)
    rows = _sky(dice, theme, width, horizon)
    for layer in range(_LAYERS):
        _raise_mountains(dice, rows, width, layer)
    rows += _mirror(rows, height - horizon)
    return _png(rows, width, height, _palette(theme))


def _sky(dice: random.Random, theme: Theme, width: int, horizon: int) -> list[bytes]:
    centre = width * dice.randint(20, 80) // 100
    light = horizon * dice.randint(22, 62) // 100
    unit = max(width, horizon) / 256  # distances in 256 steps, so that one byte holds them
    across = bytes(min(255, int(abs(x - centre) / unit)) for x in range(width))
    radius = dice.randint(11, 20)
    glow = [30 * math.exp(-max(0, distance - radius) / 42) for distance in range(512)]
    rows = []
    for y in range(horizon):
        down = abs(y - light) / unit
        # The half step on every other row is a dither: it hides the bands between two shades.
        base = 62 * y / horizon + (y & 1) / 2
        row = across.translate(bytes(int(base + glow[int(math.hypot(x, down))]) for x in range(256)))
        rows.append(_with_light(row, centre, math.sqrt(max(0, radius**2 - down**2)) * unit))
    return _with_stars(dice, rows, width, theme.stars)


def _with_light(row: bytes, centre: int, half: float) -> bytes:
    """Put the sun or moon into a row, where it is `half` to each side of the centre."""
    left, right = max(0, round(centre - half)), min(len(row), round(centre + half))
    return row[:left] + bytes([_SKY - 1]) * (right - left) + row[right:]


def _with_stars(dice: random.Random, rows: list[bytes], width: int, count: int) -> list[bytes]:
    for _ in range(count):
        y = int(len(rows) * 0.8 * dice.random() ** 1.5)
        x = dice.randrange(width)
        row = bytearray(rows[y])
        row[x] = max(row[x], dice.randint(56, _SKY - 1))
        rows[y] = bytes(row)
    return rows


def _raise_mountains(dice: random.Random, rows: list[bytes], width: int, layer: int) -> None:
    """Lay one range of mountains over the rows, the farthest first."""
    horizon = len(rows)
    foot = horizon * (0.72 + 0.09 * layer)
    relief = horizon * (0.26 - 0.04 * layer)
    ridge = _ridge(dice, width, waves=3 + layer)
    ones = int.from_bytes(b"\1" * width)
    top = max(0, int(foot - relief))
    for y in range(top, horizon):
        level = min(255, int((y - top) / relief * 256))
        mask = int.from_bytes(ridge.translate(b"\xff" * (level + 1) + bytes(255 - level)))
        shade = _SKY + layer * _SHADES + min(_SHADES - 1, (y - top) * _SHADES // (horizon - top))
        row = int.from_bytes(rows[y])
        rows[y] = (row ^ ((row ^ ones * shade) & mask)).to_bytes(width)


def _ridge(dice: random.Random, width: int, waves: int) -> bytes:
    """The height of a skyline over the width. Units: 0 is the highest peak, 255 the lowest valley."""
    terms = [(dice.uniform(0.6, 1.4) * waves * 2**n, dice.uniform(0, math.tau), 0.55**n) for n in range(5)]
    turns = (x / width for x in range(width))
    heights = [sum(weight * math.sin(phase + frequency * turn) for frequency, phase, weight in terms) for turn in turns]
    low, high = min(heights), max(heights)
    return bytes(int(255 * (h - low) / (high - low or 1)) for h in heights)


def _mirror(rows: Sequence[bytes], depth: int) -> list[bytes]:
    """The lake: the rows above it upside down, darker, and moved by ripples that grow towards us."""
    lake = []
    for y in range(depth):
        row = rows[len(rows) - 1 - y * (len(rows) - 1) // max(1, depth)]
        ripple = round((1 + y / 16) * math.sin(y * 0.9))
        start = abs(ripple) + ripple
        wide = row[:1] * abs(ripple) + row + row[-1:] * abs(ripple)
        lake.append(wide[start : start + len(row)].translate(_DARKER))
    return lake


def _palette(theme: Theme) -> bytes:
    colours = [_blend(theme.sky, index / (_SKY - 1)) for index in range(_SKY)]
    haze = colours[_SKY * 2 // 3]
    for layer in range(_LAYERS):
        near = _mix(haze, theme.ground, 0.3 + 0.7 * layer / (_LAYERS - 1))
        colours += [_mix(near, haze, 0.32 * shade / _SHADES * (1 - layer / _LAYERS)) for shade in range(_SHADES)]
    colours += [_mix(colour, theme.ground, 0.38) for colour in colours]
    return b"".join(bytes(colour) for colour in colours)


def _blend(stops: Sequence[Colour], position: float) -> Colour:
    """The colour at a position of 0..1 along the stops."""
    place = position * (len(stops) - 1)
    left, right = list(pairwise(stops))[min(int(place), len(stops) - 2)]
    return _mix(left, right, place - min(int(place), len(stops) - 2))


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _png(rows: Sequence[bytes], width: int, height: int, palette: bytes) -> bytes:
    """Pack rows of palette indices. Source: https://www.w3.org/TR/png-3/ (colour type 3, no filter)."""
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 3)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
