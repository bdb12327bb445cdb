"""Dated ends: warnings before anything is sent, and what else there is after a refusal."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from ftproviders.planning.lifecycle import (
    alternatives,
    base_of,
    has_dates,
    knows_model,
    lifecycle,
    lifecycle_warnings,
    tunable_models,
)

TODAY = date(2026, 11, 22)
MINI = "gpt-4.1-mini-2025-04-14"


def rows() -> dict[str, list[dict[str, Any]]]:
    text = files("ftproviders.planning").joinpath("lifecycle.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def about(model: str, today: date, **more: Any) -> list[str]:
    told = lifecycle_warnings("openai", model, today=today, **more)
    return [warning for warning in told if base_of(model) in warning]


def test_every_row_says_who_said_so_and_when() -> None:
    for row in [*rows()["models"], *rows()["services"]]:
        assert row["source"]
        assert row["mark"] in ("D", "R", "S")
        assert isinstance(row["as_of"], date)
        assert isinstance(row.get("last_create_day", row.get("base_retires")), date)
        assert "base_retires" not in row or row["note"]


def test_both_ends_are_told_before_they_come() -> None:
    told = lifecycle_warnings("openai", MINI, today=TODAY)
    assert any("takes jobs until 2027-01-05 only" in w for w in told)
    assert any(f"{MINI} and its tuned models answer until 2027-01-13 only" in w for w in told)
    assert any("a secondary source" in w for w in told)


@pytest.mark.parametrize(
    ("today", "warned"), [(date(2026, 9, 14), False), (date(2026, 9, 15), True)]
)
def test_far_ends_are_not_told(today: date, warned: bool) -> None:
    assert bool(about(MINI, today)) is warned


def test_what_is_over_is_told_as_over() -> None:
    told = " ".join(about("o4-mini-2025-04-16", TODAY))
    assert "do not any more" in told
    assert "could be tuned at openai until 2026-10-22" in told
    after = " ".join(lifecycle_warnings("openai", MINI, today=date(2027, 1, 6)))
    assert "took jobs until 2027-01-05, and takes none any more" in after


def test_on_the_last_day_it_is_not_over_yet() -> None:
    assert any("until 2027-01-05 only" in w
               for w in lifecycle_warnings("openai", MINI, today=date(2027, 1, 5)))  # fmt: skip
    assert "could be tuned" not in " ".join(about(MINI, date(2027, 1, 5)))


def test_old_rows_are_called_old() -> None:
    assert not any("90 days" in w for w in about(MINI, TODAY))
    assert any("90 days" in w for w in about(MINI, date(2027, 3, 1)))


def test_a_tuned_model_ends_with_its_base() -> None:
    assert about(f"ft:{MINI}:org:kettle:1:ckpt-step-3", TODAY) == about(MINI, TODAY)
    assert base_of(f"{MINI}.ft-0123") == MINI


def test_what_the_service_tells_beats_the_table() -> None:
    (told,) = about(MINI, TODAY, ends_on=date(2026, 12, 1))
    assert "until 2026-11-30 only (as openai itself tells)" in told
    assert about(MINI, TODAY, ends_on=date(2030, 1, 1)) == []


def test_another_service_is_not_held_against_the_table() -> None:
    assert lifecycle_warnings("openai", MINI, today=TODAY, table=False) == ()
    (told,) = lifecycle_warnings(
        "openai", MINI, today=TODAY, ends_on=date(2026, 12, 1), table=False
    )
    assert "2026-11-30" in told


def test_models_and_providers_without_dates_have_no_warnings() -> None:
    assert lifecycle_warnings("memory", "memory-small", today=TODAY) == ()
    assert about("brand-new-model", TODAY) == []


def test_alternatives_are_those_that_are_still_open() -> None:
    told = alternatives("openai", "o4-mini-2025-04-16", today=TODAY)
    assert "could be tuned at openai until 2026-10-22" in told
    assert "gpt-5.6-terra" in told
    assert f"Tunable at openai, by our table: {rows()['models'][0]['patterns'][0]}" in told
    for name in (MINI, "gpt-4o-mini-2024-07-18"):
        assert name in told.partition("Tunable at openai")[2].partition("Tunable at azure")[0]
    own = alternatives("azure-openai", "nonsense", today=TODAY)
    assert own.index("Tunable at azure-openai") < own.index("Tunable at openai"), "its own first"
    later = alternatives("openai", MINI, today=date(2027, 2, 1))
    assert "Tunable at openai" not in later
    azure = later.partition("Tunable at azure-openai, by our table: ")[2]
    assert azure.startswith("gpt-4.1-2025-04-14 and ")
    assert "gpt-4.1-nano-2025-04-14 until 2027-04-13" in azure
    assert "new customers may be refused" in azure, "what the table says against it is said too"
    assert "Tunable at" not in alternatives("openai", MINI, today=date(2029, 1, 1))


def test_nothing_is_made_up_for_others() -> None:
    assert alternatives("memory", "memory-retired", today=TODAY) == ""


def test_both_ends_of_a_model_as_a_value() -> None:
    found = lifecycle("openai", f"ft:{MINI}:org:suffix:id", today=TODAY)
    assert (found.provider, found.model) == ("openai", MINI)
    assert found.last_job_day == date(2027, 1, 5)
    assert found.last_answer_day == date(2027, 1, 13)
    assert "a secondary source" in found.source
    azure = lifecycle("azure-openai", MINI, today=TODAY)
    assert (azure.last_job_day, azure.last_answer_day) == (date(2027, 4, 13), date(2027, 10, 13))
    assert "may be refused" in azure.note


def test_the_end_of_a_service_is_that_of_its_models() -> None:
    found = lifecycle("openai", "a-model-of-tomorrow", today=TODAY)
    assert (found.last_job_day, found.last_answer_day) == (date(2027, 1, 5), None)


def test_what_a_service_tells_goes_before_the_table() -> None:
    found = lifecycle("openai", MINI, today=TODAY, ends_on=date(2030, 2, 1))
    assert found.last_answer_day == date(2030, 1, 31)
    assert "openai itself tells" in found.source


def test_where_nothing_is_known_no_date_is_made_up() -> None:
    for found in (
        lifecycle("local", "smollm2-135m", today=TODAY),
        lifecycle("openai", MINI, today=TODAY, table=False),
    ):
        assert found.last_job_day is None
        assert found.last_answer_day is None
        assert found.source == ""


def test_models_that_can_still_be_tuned() -> None:
    models = dict(tunable_models("openai", today=TODAY))
    assert models[MINI] == date(2027, 1, 5)
    assert not any(name.startswith(("o4", "gpt-3.5")) for name in models), "those are over"
    assert tunable_models("openai", today=date(2027, 1, 6)) == (), "the service has closed"
    assert MINI in dict(tunable_models("azure-openai", today=date(2027, 1, 6)))
    assert tunable_models("local", today=TODAY) == ()


def test_which_providers_and_models_the_table_knows() -> None:
    assert has_dates("openai")
    assert not has_dates("local")
    assert knows_model("azure-openai", MINI)
    assert not knows_model("azure-openai", "gpt-3.5-turbo-0125")


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ("gpt-4.1-mini", "gpt-4.1-mini itself is retired there since 2026-10-14: who has tuned it"),
        (
            "gpt-5-2025-08-07",
            "retires there on 2027-02-06: until when it can be tuned is not known",
        ),
        ("Ministral-3B", "itself retires there on 2026-12-09: what that means for tuning"),
        ("gpt-35-turbo-0613", "could be tuned at azure-openai until 2025-04-29"),
    ],
)
def test_at_azure_the_base_model_goes_before_its_tunes(model: str, word: str) -> None:
    told = " ".join(lifecycle_warnings("azure-openai", model, today=TODAY))
    assert word in told


@pytest.mark.parametrize("model", ["gpt-oss-20b", "Qwen3-32B", "gpt-oss-120b"])
def test_at_azure_far_and_unknown_ends_are_not_told(model: str) -> None:
    assert lifecycle_warnings("azure-openai", model, today=TODAY) == ()


def test_a_tuned_model_of_azure_has_the_dates_of_its_base() -> None:
    name = f"gpt-4o-2024-08-06.ft-{'0a' * 16}-kettles"
    told = lifecycle_warnings("azure-openai", name, today=date(2027, 9, 1))
    assert any("answer until 2027-09-30 only" in warning for warning in told)
    assert any("could be tuned at azure-openai until 2027-03-31" in warning for warning in told)
