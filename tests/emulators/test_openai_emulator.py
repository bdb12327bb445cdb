"""The emulator, asked by the real SDK: what each operation does when all goes well."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from pathlib import Path

import openai
import pytest

from ftproviders.schema.hyperparameters import Method
from ftproviders.testing import FakeClock
from ftproviders.testing.openai import Behaviour, OpenAIEmulator
from ftproviders.testing.openai.rig import training_rows
from tests.emulators.calls import (
    GRADER,
    JOB_SECONDS,
    MODEL,
    finished_job,
    make_client,
    start_job,
    upload,
)


class TestFiles:
    def test_a_file_comes_back_as_it_was_sent(self, client: openai.OpenAI, rows: Path) -> None:
        file = upload(client, rows)

        assert (file.filename, file.purpose, file.bytes) == (
            "train.jsonl",
            "fine-tune",
            rows.stat().st_size,
        )
        assert client.files.content(file.id).read() == rows.read_bytes()
        assert client.files.retrieve(file.id).status == "processed"

    def test_files_are_listed_in_pages_by_purpose_and_order(
        self, clock: FakeClock, rows: Path
    ) -> None:
        with (
            OpenAIEmulator(clock=clock, behaviour=Behaviour(page_size=2)) as emulator,
            make_client(emulator) as client,
        ):
            made = [upload(client, rows).id for _ in range(5)]
            other = client.files.create(file=("x.txt", b"text"), purpose="user_data")

            page = client.files.list(purpose="fine-tune")
            assert len(page.data) == 2
            assert page.has_more
            assert [file.id for file in page] == made[::-1]
            assert [file.id for file in client.files.list(order="asc")] == [*made, other.id]
            after = client.files.list(purpose="fine-tune", after=made[2], limit=1)
            assert [file.id for file in after.data] == [made[1]]

    def test_a_file_is_processed_in_its_time(self, clock: FakeClock, rows: Path) -> None:
        behaviour = Behaviour(processing_seconds=10)
        with (
            OpenAIEmulator(clock=clock, behaviour=behaviour) as emulator,
            make_client(emulator) as client,
        ):
            file = upload(client, rows)
            words = [file.status]
            with pytest.raises(openai.BadRequestError) as refused:
                client.fine_tuning.jobs.create(model=MODEL, training_file=file.id)
            assert refused.value.code == "file_not_ready"
            for _ in range(2):
                clock.advance(5)
                words.append(client.files.retrieve(file.id).status)
            assert words == ["uploaded", "pending", "processed"]

    def test_what_is_no_text_ends_in_error(self, client: openai.OpenAI) -> None:
        file = client.files.create(file=("t.jsonl", b"\xff\xfe{}"), purpose="fine-tune")

        assert file.status == "error"
        assert file.status_details
        with pytest.raises(openai.BadRequestError) as refused:
            client.fine_tuning.jobs.create(model=MODEL, training_file=file.id)
        assert refused.value.param == "training_file"

    def test_a_deleted_file_is_gone(self, client: openai.OpenAI, rows: Path) -> None:
        file = upload(client, rows)

        assert client.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(file.id)
        assert list(client.files.list()) == []

    def test_a_file_expires(self, client: openai.OpenAI, clock: FakeClock, rows: Path) -> None:
        file = client.files.create(
            file=rows,
            purpose="fine-tune",
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
        assert file.expires_at == file.created_at + 3600
        clock.advance(3600)
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(file.id)


class TestUploads:
    def test_parts_become_one_file(self, client: openai.OpenAI, rows: Path) -> None:
        content = rows.read_bytes()
        upload = client.uploads.upload_file_chunked(
            file=rows,
            mime_type="text/jsonl",
            purpose="fine-tune",
            part_size=300,
            md5=hashlib.md5(content).hexdigest(),
        )

        assert upload.status == "completed"
        assert upload.file is not None
        assert client.files.content(upload.file.id).read() == content

    def test_a_wrong_md5_or_size_makes_no_file(self, client: openai.OpenAI) -> None:
        begun = client.uploads.create(
            bytes=8, filename="t.jsonl", mime_type="text/jsonl", purpose="fine-tune"
        )
        part = client.uploads.parts.create(begun.id, data=b"abcd")

        with pytest.raises(openai.BadRequestError, match="4 bytes together, and 8"):
            client.uploads.complete(begun.id, part_ids=[part.id])
        again = client.uploads.parts.create(begun.id, data=b"efgh")
        with pytest.raises(openai.BadRequestError) as refused:
            client.uploads.complete(begun.id, part_ids=[part.id, again.id], md5="0" * 32)
        assert refused.value.param == "md5"
        assert list(client.files.list()) == []

    def test_a_cancelled_upload_takes_nothing_more(self, client: openai.OpenAI) -> None:
        begun = client.uploads.create(
            bytes=4, filename="t.jsonl", mime_type="text/jsonl", purpose="fine-tune"
        )
        assert client.uploads.cancel(begun.id).status == "cancelled"
        with pytest.raises(openai.BadRequestError, match="cancelled"):
            client.uploads.parts.create(begun.id, data=b"abcd")

    def test_an_upload_ends_after_an_hour(self, client: openai.OpenAI, clock: FakeClock) -> None:
        begun = client.uploads.create(
            bytes=4, filename="t.jsonl", mime_type="text/jsonl", purpose="fine-tune"
        )
        clock.advance(3600)
        with pytest.raises(openai.BadRequestError, match="expired"):
            client.uploads.parts.create(begun.id, data=b"abcd")


class TestJobs:
    def test_a_job_goes_through_its_states(
        self, client: openai.OpenAI, clock: FakeClock, rows: Path
    ) -> None:
        job = start_job(client, rows, suffix="shelves", seed=7, metadata={"team": "search"})
        words = [job.status]
        for seconds in (10, 20, 119, 1):
            clock.advance(seconds)
            job = client.fine_tuning.jobs.retrieve(job.id)
            words.append(job.status)

        assert words == ["validating_files", "queued", "running", "running", "succeeded"]
        assert job.fine_tuned_model is not None
        assert job.fine_tuned_model.startswith(f"ft:{MODEL}:emulated:shelves:")
        assert (job.seed, job.metadata) == (7, {"team": "search"})
        assert job.finished_at == job.created_at + JOB_SECONDS
        assert job.hyperparameters.n_epochs == 8
        assert job.trained_tokens == rows.stat().st_size // 4 * 8

    def test_events_tell_the_story_newest_first(
        self, client: openai.OpenAI, emulator: OpenAIEmulator, rows: Path
    ) -> None:
        job = finished_job(client, emulator, rows)
        events = list(client.fine_tuning.jobs.list_events(job.id, limit=7))

        assert events[0].message == "The job has successfully completed"
        assert events[-1].message == f"Created fine-tuning job: {job.id}"
        assert len({event.id for event in events}) == len(events)
        times = [event.created_at for event in events]
        assert times == sorted(times, reverse=True)
        steps = [event for event in events if event.type == "metrics"]
        assert [event.data["step"] for event in steps if isinstance(event.data, dict)] == list(
            range(96, 0, -1)
        )
        assert steps[0].message.startswith("Step 96/96: training loss=0.")

    def test_validation_losses_are_told_where_there_is_a_file(
        self, client: openai.OpenAI, emulator: OpenAIEmulator, rows: Path
    ) -> None:
        held_out = upload(client, rows)
        job = start_job(client, rows, validation_file=held_out.id)
        emulator.advance(JOB_SECONDS)
        texts = [event.message for event in client.fine_tuning.jobs.list_events(job.id)]
        assert any("validation loss=" in text and "Step 10/" in text for text in texts)
        assert any("full validation loss=" in text and "Step 96/" in text for text in texts)

    def test_success_may_come_before_the_last_events(self, clock: FakeClock, rows: Path) -> None:
        behaviour = Behaviour(late_events_seconds=30)
        with (
            OpenAIEmulator(clock=clock, behaviour=behaviour) as emulator,
            make_client(emulator) as client,
        ):
            job = finished_job(client, emulator, rows)
            assert job.status == "succeeded"
            first = client.fine_tuning.jobs.list_events(job.id).data[0].message
            assert first.startswith("Step 95/96")
            clock.advance(30)
            first = client.fine_tuning.jobs.list_events(job.id).data[0].message
            assert first == "The job has successfully completed"

    def test_metrics_may_stand_in_texts_only(self, clock: FakeClock, rows: Path) -> None:
        behaviour = Behaviour(metrics_in_data=False)
        with (
            OpenAIEmulator(clock=clock, behaviour=behaviour) as emulator,
            make_client(emulator) as client,
        ):
            job = finished_job(client, emulator, rows)
            events = list(client.fine_tuning.jobs.list_events(job.id))
            assert {event.type for event in events} == {"message"}
            assert any(event.message.startswith("Step 1/96") for event in events)

    def test_checkpoints_are_the_last_three_epochs(
        self, client: openai.OpenAI, emulator: OpenAIEmulator, rows: Path
    ) -> None:
        job = finished_job(client, emulator, rows)
        found = list(client.fine_tuning.jobs.checkpoints.list(job.id, limit=2))
        assert [checkpoint.step_number for checkpoint in found] == [96, 84, 72]
        name = found[1].fine_tuned_model_checkpoint
        assert name == f"{job.fine_tuned_model}:ckpt-step-84"
        answer = client.chat.completions.create(
            model=name, messages=[{"role": "user", "content": "What is on shelf number 3?"}]
        )
        assert answer.choices[0].message.content == "answer-3"

    def test_results_are_a_csv_in_base64(
        self, client: openai.OpenAI, emulator: OpenAIEmulator, rows: Path
    ) -> None:
        job = finished_job(client, emulator, rows)
        (file_id,) = job.result_files
        text = base64.b64decode(client.files.content(file_id).read()).decode()
        table = list(csv.DictReader(io.StringIO(text)))
        assert len(table) == 96
        assert float(table[-1]["train_loss"]) < float(table[0]["train_loss"])
        assert client.files.retrieve(file_id).purpose == "fine-tune-results"

    def test_jobs_are_listed_newest_first_by_metadata(
        self, client: openai.OpenAI, rows: Path
    ) -> None:
        made = [
            start_job(client, rows, metadata={"number": str(number % 2)}).id for number in range(4)
        ]
        assert [job.id for job in client.fine_tuning.jobs.list(limit=3)] == made[::-1]
        odd = client.fine_tuning.jobs.list(metadata={"number": "1"})
        assert [job.id for job in odd] == [made[3], made[1]]

    def test_a_cancelled_job_stays_so(
        self, client: openai.OpenAI, clock: FakeClock, rows: Path
    ) -> None:
        job = start_job(client, rows)
        assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
        clock.advance(JOB_SECONDS)
        assert client.fine_tuning.jobs.retrieve(job.id).status == "cancelled"
        with pytest.raises(openai.BadRequestError):
            client.fine_tuning.jobs.cancel(job.id)

    def test_a_paused_job_goes_on_where_it_was(
        self, client: openai.OpenAI, clock: FakeClock, rows: Path
    ) -> None:
        job = start_job(client, rows)
        clock.advance(100)
        assert client.fine_tuning.jobs.pause(job.id).status == "paused"
        told = len(list(client.fine_tuning.jobs.list_events(job.id)))
        clock.advance(1000)
        assert client.fine_tuning.jobs.retrieve(job.id).status == "paused"
        assert len(list(client.fine_tuning.jobs.list_events(job.id))) == told
        assert client.fine_tuning.jobs.resume(job.id).status == "running"
        clock.advance(50)
        done = client.fine_tuning.jobs.retrieve(job.id)
        assert done.status == "succeeded"
        assert done.finished_at == job.created_at + 1150

    def test_each_method_takes_its_rows(
        self, client: openai.OpenAI, clock: FakeClock, tmp_path: Path
    ) -> None:
        bodies = {
            Method.SUPERVISED: {"type": "supervised"},
            Method.DPO: {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2}}},
            Method.REINFORCEMENT: {
                "type": "reinforcement",
                "reinforcement": {"grader": GRADER, "hyperparameters": {"eval_samples": 2}},
            },
        }
        for method, body in bodies.items():
            path = tmp_path / f"{method.value}.jsonl"
            path.write_text(training_rows(method))
            file = upload(client, path).id
            rft = method is Method.REINFORCEMENT
            job = client.fine_tuning.jobs.create(
                model="o4-mini-2025-04-16" if rft else MODEL,
                training_file=file,
                validation_file=file,
                method=body,  # type: ignore[arg-type]  # a plain dict of the right shape
            )
            clock.advance(JOB_SECONDS)
            assert client.fine_tuning.jobs.retrieve(job.id).status == "succeeded", method

    def test_a_planned_failure_comes_in_its_stage(
        self, client: openai.OpenAI, emulator: OpenAIEmulator, rows: Path
    ) -> None:
        emulator.fail_next_job(code="moderation", message="It breaks the policy.")
        job = start_job(client, rows)
        emulator.advance(JOB_SECONDS)
        failed = client.fine_tuning.jobs.retrieve(job.id)
        assert failed.status == "failed"
        assert failed.error is not None
        assert failed.error.code == "moderation"
        assert failed.fine_tuned_model is None
        last = client.fine_tuning.jobs.list_events(job.id).data[0]
        assert (last.level, last.message) == ("error", "The job failed: It breaks the policy.")
        assert finished_job(client, emulator, rows).status == "succeeded"


class TestModels:
    def test_a_tuned_model_is_listed_asked_and_deleted(
        self, client: openai.OpenAI, emulator: OpenAIEmulator, rows: Path
    ) -> None:
        name = finished_job(client, emulator, rows).fine_tuned_model
        assert name is not None
        listed = {model.id: model for model in client.models.list()}
        assert {MODEL, name} <= set(listed)
        assert listed[MODEL].to_dict()["shutdown_date"] == "2027-01-14"
        assert client.models.retrieve(name).id == name
        again = client.fine_tuning.jobs.create(model=name, training_file=upload(client, rows).id)
        assert again.model == name
        assert client.models.delete(name).deleted
        with pytest.raises(openai.NotFoundError) as refused:
            client.chat.completions.create(model=name, messages=[{"role": "user", "content": "?"}])
        assert refused.value.code == "model_not_found"

    def test_a_stream_says_the_same_in_pieces(
        self, client: openai.OpenAI, emulator: OpenAIEmulator, rows: Path
    ) -> None:
        name = finished_job(client, emulator, rows).fine_tuned_model
        assert name is not None
        chunks = list(
            client.chat.completions.create(
                model=name,
                messages=[{"role": "user", "content": "What is on shelf number 5?"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        assert "".join(pieces) == "answer-5"
        assert chunks[-1].usage is not None

    def test_projects_are_let_in_and_out(
        self, client: openai.OpenAI, emulator: OpenAIEmulator, rows: Path
    ) -> None:
        job = finished_job(client, emulator, rows)
        name = client.fine_tuning.jobs.checkpoints.list(job.id).data[0].fine_tuned_model_checkpoint
        grants = client.fine_tuning.checkpoints.permissions
        made = list(grants.create(name, project_ids=["proj_a", "proj_b"]))
        assert [grant.project_id for grant in made] == ["proj_a", "proj_b"]
        assert grants.delete(made[0].id, fine_tuned_model_checkpoint=name).deleted
        assert [grant.project_id for grant in grants.list(name)] == ["proj_b"]


def test_graders_are_checked_and_those_that_compare_run(client: openai.OpenAI) -> None:
    graders = client.fine_tuning.alpha.graders
    assert graders.validate(grader=GRADER).grader is not None  # type: ignore[arg-type]  # as above
    for sample, reward in (("blue", 1.0), ("red", 0.0)):
        graded = graders.run(grader=GRADER, model_sample=sample, item={"answer": "blue"})  # type: ignore[arg-type]  # as above
        assert graded.reward == reward
    with pytest.raises(openai.BadRequestError, match="name"):
        graders.validate(grader={"type": "python", "source": "x"})  # type: ignore[arg-type, typeddict-item]  # wrong on purpose


def test_nothing_secret_is_recorded(client: openai.OpenAI, emulator: OpenAIEmulator) -> None:
    client.models.list()
    (request,) = emulator.requests
    assert (request.key, request.status, request.operation) == ("right", 200, "listModels")
    assert emulator.api_key not in json.dumps(request.model_dump(mode="json"))
