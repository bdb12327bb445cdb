"""Curves in the terminal, drawn by plotext, which an extra brings."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from ftproviders.errors import MissingDependencyError
from ftproviders.reports.curves import Curve, Panel
from ftproviders.reports.ticks import Axis, axis

__all__ = ["plot"]

_MARKERS = ("braille", "o", "x", "+", "#", "@")
_PLAIN_MARKERS = ("*", "o", "x", "+", "#", "@")
_LINES = str.maketrans("─│┌┐└┘┤├┬┴┼", "-|++++++++|")
_SMALLEST = (30, 8)


def plot(
    panels: Sequence[Panel],
    *,
    width: int = 80,
    height: int = 18,
    color: bool = False,
    encoding: str = "utf-8",
) -> str:
    """Draw panels below each other.

    Args:
        panels: What to draw.
        width: Columns of the terminal; at least 30 are used.
        height: Lines of the first panel; the others are half as high.
        color: Whether the text may hold colours (escape sequences).
        encoding: Of the output; without Unicode the lines are drawn with ``-|+*``.

    Raises:
        MissingDependencyError: plotext is not installed.
    """
    if find_spec("plotext") is None:
        raise MissingDependencyError(
            "Plots in the terminal need plotext, which is not installed.",
            operation="plot",
            hint="pip install 'ftproviders[plot]'",
        )
    unicode = encoding.lower().replace("-", "").startswith("utf")
    width, height = max(width, _SMALLEST[0]), max(height, _SMALLEST[1])
    drawn = [
        _panel(
            panel,
            size=(width, height if index == 0 else max(height // 2, _SMALLEST[1])),
            color=color,
            markers=_MARKERS if unicode else _PLAIN_MARKERS,
        )
        for index, panel in enumerate(panels)
    ]
    text = "\n\n".join(drawn)
    return text if unicode else text.translate(_LINES)


def _panel(panel: Panel, *, size: tuple[int, int], color: bool, markers: Sequence[str]) -> str:
    unit = _printable(f" ({panel.unit})") if panel.unit else ""
    title = f"{_printable(panel.title)}{unit}"
    points = [point for curve in panel.curves for point in curve.drawn]
    if not points:
        return f"{title}: no finite value"
    y = axis([value for _, value in points], most=4)
    x = axis([place for place, _ in points], most=max(2, size[0] // 16), whole=True)
    figure = _figure(size, x=x, y=y, color=color)
    names: list[str] = []
    for index, curve in enumerate(panel.curves):
        marker = markers[index % len(markers)]
        _draw(figure, curve, x=x, y=y, marker=marker, line=index == 0)
        sign = "⠒" if marker == "braille" else marker
        names.append(f"{sign} {_printable(curve.name)}{_lost(curve)}")
    body = figure.build().string(not color).rstrip("\n")
    lines = [title, "   ".join(names), *body.split("\n"), panel.place.center(size[0])]
    return "\n".join(line.rstrip() for line in lines)


def _figure(size: tuple[int, int], *, x: Axis, y: Axis, color: bool) -> Any:
    import plotext

    figure = plotext.figure
    figure.clear()
    figure.theme("simple" if color else "colorless")
    figure.plot_size(*size)
    for name, scale in (("x", x), ("y", y)):
        # Everything is drawn between 0 and 1: what plotext does with numbers of any other size,
        # with equal ones for instance, is then of no concern here.
        figure.ruler(name).lim(0.0, 1.0)
        figure.ruler(name).ticks([scale.share(mark) for mark in scale.marks], list(scale.labels))
    return figure


def _draw(figure: Any, curve: Curve, *, x: Axis, y: Axis, marker: str, line: bool) -> None:
    # Only finite numbers may reach plotext: at any other its native part ends the whole process.
    drawn = curve.drawn
    if not drawn:
        return
    across = [x.share(place) for place, _ in drawn]
    signal = figure.signal(across, [y.share(value) for _, value in drawn], marker=marker)
    if line and len(drawn) > 1:
        signal.lines()
    figure.draw(signal)


def _printable(text: str) -> str:
    """Drop control characters: names are a provider's, and must not steer the terminal."""
    return "".join(character for character in text if character.isprintable())


def _lost(curve: Curve) -> str:
    return f" ({len(curve.lost)} not finite)" if curve.lost else ""
