"""A panel as SVG: no script, no font and no file from elsewhere; colours come from the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ftproviders.reports.curves import Curve, Panel, drawable
from ftproviders.reports.markup import Markup, joined, tag
from ftproviders.reports.ticks import Axis, axis, short

__all__ = ["COLOURS", "Frame", "chart", "thinned"]

COLOURS = 6
"""How many curves have a colour of their own; the seventh has the first one's."""

_CHARACTER = 7.2
"""Width of a digit at the size of the labels, in pixels."""
_MOST_DOTS = 40
_DENSE_POINTS = 200
"""A curve with more points is drawn finer, so that those over it can be seen."""
_POINTS_PER_PIXEL = 2.0

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where in the picture the values stand, in pixels from the upper left corner."""

    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis

    def at(self, point: Point) -> Point:
        """Return where a point with these values is drawn."""
        across = self.left + self.width * self.x.share(point[0])
        down = self.top + self.height * (1 - self.y.share(point[1]))
        return round(across, 2), round(down, 2)


def chart(panel: Panel, *, width: int = 720, height: int = 300, kind: str = "") -> Markup:
    """Draw a panel.

    Args:
        panel: What to draw.
        width: Of the picture, in pixels of its own.
        height: Likewise.
        kind: Class of the picture, which the page shows or hides by the width of the screen.
    """
    frame = _frame(panel, width, height)
    values = f"{panel.title} over {panel.place}: " + "; ".join(_summary(c) for c in panel.curves)
    return tag(
        "svg",
        tag("title", values),
        _grid(frame),
        *(_curve(frame, curve, index) for index, curve in enumerate(panel.curves)),
        tag("text", _y_title(panel), x=4, y=14, class_="name"),
        tag(
            "text",
            panel.place,
            x=frame.left + frame.width / 2,
            y=height - 4,
            class_="name",
            text_anchor="middle",
        ),
        viewBox=f"0 0 {width} {height}",
        class_=f"chart {kind}".strip(),
        role="img",
    )


def _frame(panel: Panel, width: int, height: int) -> Frame:
    points = [point for curve in panel.curves for point in curve.drawn]
    y = axis([value for _, value in points], most=5)
    x = axis([place for place, _ in points], most=max(3, width // 70), whole=True)
    left = 14 + _CHARACTER * max(len(label) for label in y.labels)
    top, right, bottom = 30.0, 18.0, 42.0
    return Frame(
        left=left, top=top, width=width - left - right, height=height - top - bottom, x=x, y=y
    )


def _y_title(panel: Panel) -> str:
    name = panel.title.lower()
    return f"{name} ({panel.unit})" if panel.unit else name


def _summary(curve: Curve) -> str:
    drawn = curve.drawn
    if not drawn:
        return f"{curve.title} has no finite value"
    (first, before), (last, after) = drawn[0], drawn[-1]
    return f"{curve.title} {short(before)} at {first:g}, {short(after)} at {last:g}"


def _grid(frame: Frame) -> Markup:
    bottom = frame.top + frame.height
    pieces: list[Markup] = []
    for mark, label in zip(frame.y.marks, frame.y.labels, strict=True):
        _, down = frame.at((frame.x.low, mark))
        right = round(frame.left + frame.width, 2)
        pieces += [
            tag("line", x1=frame.left, x2=right, y1=down, y2=down, class_="grid"),
            tag("text", label, x=frame.left - 8, y=down + 4, text_anchor="end", class_="mark"),
        ]
    for mark, label in zip(frame.x.marks, frame.x.labels, strict=True):
        across, _ = frame.at((mark, frame.y.low))
        pieces += [
            tag("line", x1=across, x2=across, y1=bottom, y2=bottom + 5, class_="axis"),
            tag("text", label, x=across, y=bottom + 19, text_anchor="middle", class_="mark"),
        ]
    line = {"x1": frame.left, "x2": frame.left + frame.width, "y1": bottom, "y2": bottom}
    return joined([*pieces, tag("line", **line, class_="axis")])


def _curve(frame: Frame, curve: Curve, index: int) -> Markup:
    few = len(curve.drawn) <= _MOST_DOTS
    pieces: list[Markup] = []
    for part in _unbroken(curve.points):
        places = [frame.at(point) for point in thinned(part, frame)]
        if len(places) > 1:
            steps = " ".join(f"{across:g},{down:g}" for across, down in places)
            pieces.append(tag("path", d=f"M{steps.replace(' ', ' L')}"))
        if few or len(part) == 1:
            pieces += [_dot(frame, curve, point) for point in part]
    dense = " dense" if len(curve.drawn) > _DENSE_POINTS else ""
    return tag("g", *pieces, class_=f"curve c{index % COLOURS}{dense}")


def _dot(frame: Frame, curve: Curve, point: Point) -> Markup:
    across, down = frame.at(point)
    words = f"{curve.title}: {short(point[1])} at {point[0]:g}"
    return tag("circle", tag("title", words), cx=f"{across:g}", cy=f"{down:g}", r=3)


def _unbroken(points: Sequence[Point]) -> Iterator[Sequence[Point]]:
    """Yield the stretches between values that are no numbers: no line leads across a gap."""
    part: list[Point] = []
    for point in points:
        if drawable(point[1]):
            part.append(point)
        elif part:
            yield part
            part = []
    if part:
        yield part


def thinned(points: Sequence[Point], frame: Frame) -> Sequence[Point]:
    """Leave out points that no eye could tell apart.

    Of the points that fall on one column of pixels, the first, the last, the lowest and the
    highest stay, so that no peak is lost.
    """
    if len(points) <= frame.width * _POINTS_PER_PIXEL:
        return points
    columns: dict[int, list[Point]] = {}
    for point in points:
        columns.setdefault(int(frame.at(point)[0]), []).append(point)
    kept: list[Point] = []
    for column in columns.values():
        ends = {0, len(column) - 1}
        values = [value for _, value in column]
        ends |= {values.index(min(values)), values.index(max(values))}
        kept += [column[index] for index in sorted(ends)]
    return kept
