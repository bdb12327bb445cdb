"""The SVG: every value stands where it belongs."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftproviders.reports import Curve, Panel
from ftproviders.reports.chart import Frame, chart, thinned
from ftproviders.reports.ticks import axis

SVG = "{http://www.w3.org/2000/svg}"


def panel(*points: tuple[float, float], name: str = "train_loss") -> Panel:
    return Panel(title="Loss", unit="", place="step", curves=[Curve(name=name, points=points)])


def parsed(markup: str) -> ET.Element:
    return ET.fromstring(markup.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"'))


def dots(markup: str) -> list[tuple[float, float]]:
    found = parsed(markup).iter(f"{SVG}circle")
    return [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in found]


def marks(markup: str, anchor: str) -> dict[str, tuple[float, float]]:
    return {
        str(text.text): (float(text.attrib["x"]), float(text.attrib["y"]))
        for text in parsed(markup).iter(f"{SVG}text")
        if text.attrib["class"] == "mark" and text.attrib["text-anchor"] == anchor
    }


def test_points_stand_at_the_marks_with_their_values() -> None:
    drawn = chart(panel((0, 0.0), (10, 1.0), (20, 0.5)), width=500, height=300)
    across, down = marks(drawn, "middle"), marks(drawn, "end")
    text_below_line = 4  # a label is written this far below the line that it names

    assert dots(drawn) == [
        (across["0"][0], down["0"][1] - text_below_line),
        (across["10"][0], down["1.0"][1] - text_below_line),
        (across["20"][0], pytest.approx((down["0.4"][1] + down["0.6"][1]) / 2 - text_below_line)),
    ]


def test_the_line_goes_through_the_points() -> None:
    drawn = chart(panel((1, 3.0), (2, 2.0), (5, 1.0)))
    (path,) = parsed(drawn).iter(f"{SVG}path")
    numbers = [float(n) for n in re.findall(r"[\d.]+", path.attrib["d"])]

    assert list(zip(numbers[::2], numbers[1::2], strict=True)) == dots(drawn)


@given(st.lists(st.tuples(st.integers(0, 10**7), st.floats(-1e90, 1e90)), min_size=1, max_size=30))
def test_every_point_is_inside_and_higher_values_are_higher(
    points: list[tuple[int, float]],
) -> None:
    drawn = chart(panel(*sorted(points)), width=400, height=250)
    found = dots(drawn)

    assert len(found) == len(points)
    assert all(0 <= across <= 400 and 30 <= down <= 208 for across, down in found)
    by_value = sorted(zip(sorted(points), found, strict=True), key=lambda pair: pair[0][1])
    heights = [place[1] for _, place in by_value]
    assert heights == sorted(heights, reverse=True)


def test_one_point_is_a_dot_without_a_line() -> None:
    drawn = chart(panel((4, 1.5)))

    assert len(dots(drawn)) == 1
    assert not list(parsed(drawn).iter(f"{SVG}path"))


def test_nothing_to_draw_leaves_an_empty_picture() -> None:
    for nothing in (panel(), panel((1, math.nan)), panel((1, math.inf))):
        drawn = chart(nothing)
        assert dots(drawn) == []
        assert "no finite value" in drawn
        assert "nan" not in "".join(re.findall(r'"([^"]*)"', drawn))


def test_no_line_leads_across_what_is_no_number() -> None:
    drawn = chart(panel((1, 3.0), (2, 2.0), (3, math.nan), (4, 1.0), (5, math.inf), (6, 1.0)))

    (path,) = parsed(drawn).iter(f"{SVG}path")
    assert path.attrib["d"].count("L") == 1
    assert len(dots(drawn)) == 4


def test_names_are_escaped() -> None:
    drawn = chart(panel((1, 2.0), name='<script>"&'))

    assert "<script" not in drawn
    assert any("<script>" in str(title.text) for title in parsed(drawn).iter(f"{SVG}title"))


def test_long_curves_are_thinned_and_keep_their_peaks() -> None:
    points = [(float(step), 1.0 + (step % 7) / 100) for step in range(50_000)]
    points[31_337] = (31_337.0, 9.0)
    frame = Frame(left=0, top=0, width=600, height=200,
                  x=axis([0, 50_000], whole=True), y=axis([0, 9]))  # fmt: skip

    kept = thinned(points, frame)

    assert len(kept) <= 4 * 601
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert points[31_337] in kept
    assert list(kept) == sorted(kept)
    assert len(chart(panel(*points))) < 100_000
