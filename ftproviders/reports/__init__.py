"""What a job left behind, for people: curves, a page to keep, a plot in the terminal.

Reads values only; it asks no provider, opens no journal and knows no provider's name. What is
gathered for a page stands in ``content``; `render_page` writes it, `plot` draws in the terminal.
"""

from ftproviders.reports.content import DataFile, JobReport, SampleAnswer
from ftproviders.reports.curves import Curve, Panel, panels
from ftproviders.reports.page import render_page
from ftproviders.reports.terminal import plot

__all__ = [
    "Curve",
    "DataFile",
    "JobReport",
    "Panel",
    "SampleAnswer",
    "panels",
    "plot",
    "render_page",
]
