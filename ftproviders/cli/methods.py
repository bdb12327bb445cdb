"""``methods``: which tuning method serves which purpose, and what they take, measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftproviders.cli.session import Session, verb

if TYPE_CHECKING:
    from ftproviders.schema.methods import MethodMeasurements, MethodTable

__all__ = ["methods"]

_MEGA = 1_000_000


@verb
def methods(
    session: Session,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Train a few steps with each tuning here, and show the numbers."
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="With --measure: another base model."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=2, help="With --measure: optimizer steps of each training."),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", min=1, help="With --measure: rows in one optimizer step."),
    ] = None,
) -> int:
    """Show which tuning method serves which purpose.

    With --measure, exit 1 when a number contradicts the table.
    """
    table = session.client.methods()
    found = None
    if measure:
        found = session.client.measure_methods(
            base_model=model, steps=steps, batch_size=batch_size, on_progress=session.out.note
        )
    if session.out.json_mode:
        session.out.document("methods", _document(table, found))
    else:
        _show(session, table)
        if found is not None:
            _show_numbers(session, found)
    return int(found is not None and not all(one.agrees for one in found.verdicts))


def _document(table: MethodTable, found: MethodMeasurements | None) -> dict[str, Any]:
    body = table.model_dump(mode="json")
    measured = None
    if found is not None:
        measured = found.model_dump(mode="json")
        for one, shown in zip(found.tunings, measured["tunings"], strict=True):
            shown |= {"trainable_share": one.trainable_share, "own_bytes": one.own_bytes}
        for verdict, shown in zip(found.verdicts, measured["verdicts"], strict=True):
            shown["agrees"] = verdict.agrees
    return {**body, "measured": measured}


def _show(session: Session, table: MethodTable) -> None:
    rows = [
        (
            row.scenario,
            *(
                ("yes" if row.cells[column] else "no") + ("*" if column in row.corrected else "")
                for column in table.columns
            ),
            row.note,
        )
        for row in table.scenarios
    ]
    session.out.table(("scenario", *table.columns, "what is true"), rows)
    session.out.note(f"* the other way round in an older edition. {table.note}")
    session.out.note(
        f"Source: {table.source}, {table.as_of}. Numbers: ftproviders methods --measure"
    )


def _show_numbers(session: Session, found: MethodMeasurements) -> None:
    conditions = ", ".join(f"{name} {value}" for name, value in found.conditions.items())
    session.out.line()
    session.out.line(f"{found.base_model}: {conditions}")
    _show_tunings(session, found)
    _show_sharding(session, found)
    if found.missing:
        session.out.line(found.missing)
    session.out.line()
    verdicts = [
        (
            one.key,
            one.column,
            "yes" if one.table else "no",
            "yes" if one.measured else "no",
            "" if one.agrees else "CONTRADICTS",
            one.numbers,
        )
        for one in found.verdicts
    ]
    session.out.table(("row", "column", "table", "measured", "", "numbers"), verdicts)


def _show_tunings(session: Session, found: MethodMeasurements) -> None:
    rows = [
        (
            one.name,
            one.dtype,
            f"{one.trainable_share:.3%}",
            _mega(one.peak_bytes),
            _mega(one.library_bytes),
            _mega(one.own_bytes),
            f"{one.tokens_per_second:,.0f}",
            f"{one.held_out_loss:.3f}",
        )
        for one in found.tunings
    ]
    headers = ("tuning", "dtype", "trained", "peak MB", "libraries MB", "above MB")
    session.out.table((*headers, "tokens/s", "held-out loss"), rows)


def _show_sharding(session: Session, found: MethodMeasurements) -> None:
    session.out.line()
    session.out.line("What one of two processes holds of a small fp32 model, in MB:")
    rows = [
        (
            one.strategy,
            one.tuning,
            f"{one.parameter_bytes / _MEGA:.2f}",
            f"{one.gradient_bytes / _MEGA:.2f}",
            f"{one.optimizer_bytes / _MEGA:.2f}",
            f"{one.total_bytes / _MEGA:.2f}",
        )
        for one in found.sharding
    ]
    headers = ("strategy", "tuning", "weights", "gradients", "optimizer", "all")
    session.out.table(headers, rows)


def _mega(size: int) -> str:
    return f"{size / _MEGA:,.0f}"
