"""The demo: tune a small model, ask it the same questions before and after, count.

What lives here: the demo's data, its questions and its score. What does not: how it is shown
(``cli``), and how a model is tuned or asked (the client).
"""

from ftproviders.demo.walk import (
    Answer,
    DemoResult,
    Listener,
    Question,
    fresh_home,
    questions,
    run_demo,
)

__all__ = ["Answer", "DemoResult", "Listener", "Question", "fresh_home", "questions", "run_demo"]
