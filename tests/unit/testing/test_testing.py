"""What is shipped for tests besides the provider: clock, checks, fixtures, markers."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

import ftproviders.testing as shipped
from ftproviders.testing import FakeClock
from ftproviders.testing.checks import no_network, raised, require, watched

pytest_plugins = ("pytester",)


def test_every_public_name_is_there() -> None:
    for name in shipped.__all__:
        assert getattr(shipped, name).__name__ == name
    assert dir(shipped) == sorted(shipped.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = shipped.nonsense


def test_clock_moves_only_when_told() -> None:
    clock = FakeClock(datetime(2030, 5, 1, tzinfo=UTC))
    assert clock.now() == clock.now() == datetime(2030, 5, 1, tzinfo=UTC)
    clock.sleep(90)
    clock.advance(30)
    assert clock.now() == datetime(2030, 5, 1, tzinfo=UTC) + timedelta(minutes=2)
    assert clock.monotonic() == 120
    assert clock.slept == (90,)
    with pytest.raises(ValueError, match="backwards"):
        clock.sleep(-1)
    assert clock.slept == (90,)


def test_require_says_its_sentence() -> None:
    require([1], "never seen")
    with pytest.raises(AssertionError, match="the sky is green"):
        require([], "the sky is green")


def test_raised_tells_what_came_instead() -> None:
    def fail() -> None:
        raise KeyError("x")

    assert isinstance(raised(KeyError, fail, when="it"), KeyError)
    with pytest.raises(AssertionError, match="it must raise ValueError, not KeyError"):
        raised(ValueError, fail, when="it")
    with pytest.raises(AssertionError, match="it must raise ValueError; it returned 3"):
        raised(ValueError, lambda: 3, when="it")


def test_no_network_catches_a_connection() -> None:
    with (
        socket.socket() as plug,
        no_network(),
        pytest.raises(AssertionError, match="without network"),
    ):
        plug.connect(("127.0.0.1", 9))
    with no_network(), pytest.raises(AssertionError, match="without network"):
        socket.create_connection(("example.invalid", 80))


def test_watcher_sees_sleep_and_print() -> None:
    with watched() as seen:
        time.sleep(0)
        print("hello")
    assert seen.sleepers == [__name__]
    assert seen.printed == "hello\n"


def test_fixtures_are_offered(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os

        pytest_plugins = ["ftproviders.testing.plugin"]

        def test_all(ftproviders_home, memory_server, openai_emulator, fake_clock):
            assert os.environ["FTPROVIDERS_HOME"] == str(ftproviders_home)
            fake_clock.advance(5)
            assert memory_server.clock.now() == fake_clock.now()
            assert openai_emulator.clock.now() == fake_clock.now()
            assert os.environ["OPENAI_BASE_URL"] == openai_emulator.base_url
        """
    )
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)


_DIFFERENCES = """
pytest_plugins = ["ftproviders.testing.plugin"]

def pytest_collection_modifyitems(items):
    from ftproviders.testing.plugin import mark_differences
    mark_differences(items)
"""


def test_differences_are_strict_expected_failures(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(_DIFFERENCES)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.notyet(reason="the provider has no such list")
        def test_still_missing():
            assert False

        @pytest.mark.notimpl(reason="next month")
        def test_meanwhile_there():
            assert True
        """
    )
    result = pytester.runpytest_inprocess("-q", "-rx", "--strict-markers")
    result.assert_outcomes(xfailed=1, failed=1)
    result.stdout.fnmatch_lines(["*notyet: the provider has no such list*"])


def test_difference_needs_a_reason(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(_DIFFERENCES)
    pytester.makepyfile("import pytest\n@pytest.mark.never\ndef test_it():\n    pass\n")
    result = pytester.runpytest_inprocess("-q")
    assert result.ret != 0
    result.stderr.fnmatch_lines(["*marker never needs a reason*"])
