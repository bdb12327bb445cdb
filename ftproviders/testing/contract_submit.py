"""The part of the contract about files, create and find: what a submission stands on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from ftproviders.errors import FineTuneError, NotFoundError
from ftproviders.provider import Feature
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import (
    Absent,
    FileRef,
    FindResult,
    Found,
    JobRef,
    NotSeen,
    SubmissionQuery,
)
from ftproviders.testing.checks import as_runtime, raised, require
from ftproviders.testing.rig import Rig, Submitted, new_marker

__all__ = ["FileContract", "FindContract", "RequestContract"]


_DIGITS = re.compile(r"[0-9a-f]{16}")


class FileContract:
    """What is hashed is what is sent."""

    def test_prepare_describes_the_bytes_to_send(self, rig: Rig) -> None:
        """Name with digest, size and digest of the prepared file; the source is left alone."""
        path = rig.training_file(rig.method)
        before = path.read_bytes()
        prepared = rig.prepare(rig.adapter(), path)
        content = prepared.path.read_bytes()
        require(path.read_bytes() == before, "prepare must not change the source")
        require(prepared.sha256 == hashlib.sha256(content).hexdigest(), "digest of what is sent")
        require(prepared.bytes == len(content), "size of what is sent")
        require(prepared.name.startswith(path.stem), f"{prepared.name} must begin with the stem")
        require(
            prepared.sha256[:16] in prepared.name or rig.dataset(path).sha256[:16] in prepared.name,
            f"{prepared.name} must carry 16 digits of the digest: weak matches go by it",
        )

    def test_upload_names_what_it_sent(self, rig: Rig) -> None:
        """Id, name, digest, size and purpose of the file at the provider."""
        adapter = rig.adapter()
        prepared = rig.prepare(adapter, rig.training_file(rig.method))
        file = adapter.upload(prepared, purpose="training", submission_id=new_marker())
        require(file.provider == rig.info.name, "the file's provider")
        require(file.id, "the file's id")
        require(file.name == prepared.name, f"the name must be {prepared.name}, not {file.name}")
        require((file.sha256, file.bytes) == (prepared.sha256, prepared.bytes), "digest and size")
        require(file.purpose == "training", "the purpose")

    def test_upload_hashes_what_it_really_sends(self, rig: Rig) -> None:
        """A file that changed after it was prepared is noticed by its digest."""
        adapter = rig.adapter()
        folder = Path(mkdtemp(prefix="ftproviders-rig-"))
        copy = folder / "changing.jsonl"
        content = rig.training_file(rig.method).read_bytes()
        copy.write_bytes(content)
        prepared = rig.prepare(adapter, copy)
        changed = prepared.path.read_bytes() + content
        prepared.path.write_bytes(changed)
        file = adapter.upload(prepared, purpose="training", submission_id=new_marker())
        require(
            (file.sha256, file.bytes) == (hashlib.sha256(changed).hexdigest(), len(changed)),
            "upload must tell digest and size of the bytes that it sent, not those it was promised",
        )

    def test_upload_of_a_vanished_file_is_an_error_of_ours(self, rig: Rig) -> None:
        """No bare OSError reaches the user."""
        adapter = rig.adapter()
        prepared = rig.prepare(adapter, rig.training_file(rig.method))
        gone = prepared.model_copy(update={"path": Path(mkdtemp()) / "gone.jsonl"})
        upload = partial(adapter.upload, gone, purpose="training", submission_id=new_marker())
        error = raised(
            FineTuneError,
            partial(as_runtime, adapter, "upload", upload),
            when="upload of a file that is gone",
        )
        require(error.hint, "the error must say what to do next")

    def test_find_file_goes_by_digest_and_size(self, rig: Rig) -> None:
        """A file is found again by what is in it, and by nothing else."""
        if Feature.FIND_FILE not in rig.info.features:
            return  # test_missing_features_say_so looks at it
        adapter = rig.adapter()
        prepared = rig.prepare(adapter, rig.training_file(rig.method))
        adapter.upload(prepared, purpose="training", submission_id=new_marker())
        found = adapter.find_file(prepared.sha256, size_bytes=prepared.bytes)
        require(found is not None, "the file that was just sent must be found")
        if found is not None:
            require((found.sha256, found.bytes) == (prepared.sha256, prepared.bytes), "same file")
        for digest, size in (("0" * 64, prepared.bytes), (prepared.sha256, prepared.bytes + 1)):
            other = adapter.find_file(digest, size_bytes=size)
            require(other is None, f"no file has digest {digest[:8]} and {size} bytes: {other}")

    def test_files_lists_every_file_that_is_there(self, rig: Rig) -> None:
        """What was sent is listed once, with its size; what was deleted is not listed any more."""
        if Feature.FILES not in rig.info.features:
            return
        adapter = rig.adapter()
        folder = Path(mkdtemp(prefix="ftproviders-rig-"))
        sent: list[FileRef] = []
        for times in (6, 7, 8):
            copy = folder / f"listed-{times}.jsonl"
            copy.write_bytes(rig.training_file(rig.method).read_bytes() * times)
            prepared = rig.prepare(adapter, copy)
            sent.append(adapter.upload(prepared, purpose="training", submission_id=new_marker()))
        _require_listed(rig, sent, sent[:0])
        if Feature.DELETE_FILE in rig.info.features:
            adapter.delete_file(sent[0])
            _require_listed(rig, sent[1:], sent[:1])

    def test_downloaded_file_is_what_was_sent(self, rig: Rig) -> None:
        """The bytes that were sent come back, whatever the target held before."""
        if Feature.DOWNLOAD_FILE not in rig.info.features:
            return
        adapter = rig.adapter()
        prepared = rig.prepare(adapter, rig.training_file(rig.method))
        file = adapter.upload(prepared, purpose="training", submission_id=new_marker())
        target = Path(mkdtemp(prefix="ftproviders-rig-")) / "back.jsonl"
        target.write_bytes(prepared.path.read_bytes() * 2)
        download = partial(rig.adapter().download_file, file.id, target=target)
        told = as_runtime(adapter, "download_file", download)
        content = target.read_bytes()
        require(content == prepared.path.read_bytes(), "the bytes that were sent must come back")
        digest = hashlib.sha256(content).hexdigest()
        require((told.sha256, told.bytes) == (digest, len(content)), "digest and size as received")
        require((told.provider, told.id) == (file.provider, file.id), "the file's provider and id")

    def test_download_of_no_file_says_so(self, rig: Rig) -> None:
        """An id that nothing has, and one whose file was deleted, are not found."""
        if Feature.DOWNLOAD_FILE not in rig.info.features:
            return
        adapter = rig.adapter()
        target = Path(mkdtemp(prefix="ftproviders-rig-")) / "none.jsonl"
        ids = ["file-nobodyhasthisid"]
        if Feature.DELETE_FILE in rig.info.features:
            copy = target.with_name("short-lived-too.jsonl")
            copy.write_bytes(rig.training_file(rig.method).read_bytes() * 5)
            prepared = rig.prepare(adapter, copy)
            file = adapter.upload(prepared, purpose="training", submission_id=new_marker())
            adapter.delete_file(file)
            ids.append(file.id)
        for name in ids:
            download = partial(adapter.download_file, name, target=target)
            call = partial(as_runtime, adapter, "download_file", download)
            raised(NotFoundError, call, when=f"download of {name}, which is not there,")

    def test_deleted_file_is_gone(self, rig: Rig) -> None:
        """A deleted file is not found any more, and cannot be deleted again."""
        if Feature.DELETE_FILE not in rig.info.features:
            return
        adapter = rig.adapter()
        copy = Path(mkdtemp(prefix="ftproviders-rig-")) / "short-lived.jsonl"
        copy.write_bytes(rig.training_file(rig.method).read_bytes() * 3)
        prepared = rig.prepare(adapter, copy)
        file = adapter.upload(prepared, purpose="training", submission_id=new_marker())
        adapter.delete_file(file)
        again = partial(as_runtime, adapter, "delete_file", partial(adapter.delete_file, file))
        raised(NotFoundError, again, when="delete of a deleted file")
        if Feature.FIND_FILE in rig.info.features:
            found = adapter.find_file(prepared.sha256, size_bytes=prepared.bytes)
            require(found is None, "a deleted file must not be found")


def _require_listed(rig: Rig, there: Sequence[FileRef], gone: Sequence[FileRef]) -> None:
    adapter = rig.adapter()
    listed = as_runtime(adapter, "files", adapter.files)
    ids = [file.id for file in listed]
    require(len(set(ids)) == len(ids), f"a file is listed twice: {ids}")
    require({file.provider for file in listed} <= {rig.info.name}, "the files' provider")
    known = {file.id: file for file in listed}
    for file in there:
        seen = known.get(file.id)
        require(seen is not None, f"{file.id} was sent and must be listed: {ids}")
        if seen is not None:
            require(seen.bytes in (None, file.bytes), f"{file.id} has {file.bytes} bytes")
            digits = _DIGITS.findall(file.name)
            require(
                any(one in seen.name for one in digits),
                f"{file.id} was sent as {file.name} and is listed as {seen.name!r}",
            )
    for file in gone:
        require(file.id not in ids, f"{file.id} was deleted and is listed")


class RequestContract:
    """What was stated is what the provider receives."""

    def test_created_job_can_be_read(self, rig: Rig) -> None:
        """The ref is complete: a new adapter reads the job from its text form."""
        ref = rig.finished.ref
        adapter = rig.adapter()
        require(ref.provider == rig.info.name, "the ref's provider")
        require(ref.account == adapter.public_account(), "the ref's account is public_account()")
        require(JobRef.parse(str(ref)) == ref, f"{ref} does not survive being written down")
        snapshot = adapter.retrieve(JobRef.parse(str(ref)))
        require(snapshot.ref == ref, f"reading {ref} gave {snapshot.ref}")

    def test_declared_hyperparameters_are_sent(self, rig: Rig) -> None:
        """Each declared one arrives with its value, under `sent_as` or its own name."""
        for method in sorted(rig.info.methods):
            stated = rig.declared(method)
            sent = _sent(rig, method, stated)
            for name, value in stated.items():
                knob = rig.info.hyperparameter(name, method)
                key = (knob.sent_as if knob else None) or name
                require(key in sent, f"{method.value}: {name} must be sent as {key}: {sent}")
                require(sent[key] == value, f"{key} must be {value}; sent was {sent[key]!r}")

    def test_undeclared_hyperparameters_are_not_sent(self, rig: Rig) -> None:
        """What the plan calls ignored is not in the request."""
        for method in sorted(rig.info.methods):
            stated = rig.undeclared(method)
            sent = _sent(rig, method, stated)
            found = sorted(name for name, value in stated.items() if sent.get(name) == value)
            require(not found, f"{method.value}: not declared and sent all the same: {found}")

    def test_job_settings_are_sent(self, rig: Rig) -> None:
        """Seed, suffix and validation file arrive where they are declared."""
        stated: dict[str, Any] = {
            "seed": 12345,
            "suffix": "contract",
            "validation_file": str(rig.validation_file(rig.method)),
        }
        fields: dict[str, Any] = {
            name: stated[name] for name in stated if name in rig.info.job_settings
        }
        adapter = rig.adapter()
        submitted = rig.submit(adapter, rig.spec(**fields))
        sent = rig.sent(submitted.ref)
        rig.discard(adapter, submitted.ref)
        for name in sorted(set(fields) - {"validation_file"}):
            require(sent.get(name) == fields[name], f"{name}={fields[name]} must be sent: {sent}")
        if "validation_file" in fields:
            require(sent.get("validation_file"), f"the validation file must be sent: {sent}")

    def test_options_are_sent(self, rig: Rig) -> None:
        """What one provider alone has goes through untouched."""
        known = set(rig.info.options_type.model_fields)
        require(set(rig.options) == known, f"Rig.options needs an example for each of {known}")
        adapter = rig.adapter()
        submitted = rig.submit(adapter, options=rig.options)
        sent = rig.sent(submitted.ref)
        rig.discard(adapter, submitted.ref)
        for name, value in {**rig.options, **rig.options_sent}.items():
            require(sent.get(name) == value, f"option {name}={value!r} must be sent: {sent}")


class FindContract:
    """A submission is found by its marker, and by nothing weaker."""

    def test_marker_survives(self, rig: Rig) -> None:
        """The marker comes back with the job."""
        finished = rig.finished
        marker = finished.submitted.submission_id
        require(
            finished.last.submission_id == marker,
            f"the snapshot must carry {marker}; it carries {finished.last.submission_id}",
        )

    def test_find_finds_our_job(self, rig: Rig) -> None:
        """By its marker alone, without knowing the files."""
        finished = rig.finished
        found = rig.adapter().find(_query(rig, finished.submitted.submission_id))
        require(isinstance(found, Found), f"our own job must be found: {found}")
        if isinstance(found, Found):
            require(found.snapshot.ref == finished.ref, f"found {found.snapshot.ref} instead")

    def test_find_of_nothing_is_honest(self, rig: Rig) -> None:
        """Absent is said only by a provider that reads its own writes."""
        _require_nothing(rig, rig.adapter().find(_query(rig, new_marker())))

    def test_find_looks_at_every_page(self, rig: Rig) -> None:
        """The oldest job of a long list is found."""
        adapter = rig.adapter()
        first = rig.submit(adapter)
        for _ in range(rig.crowd_size):
            rig.discard(adapter, rig.submit(adapter).ref)
        found = adapter.find(_query(rig, first.submission_id))
        rig.discard(adapter, first.ref)
        require(
            isinstance(found, Found) and found.snapshot.ref == first.ref,
            f"{first.ref}, followed by {rig.crowd_size} other jobs, must be found: {found}",
        )

    def test_find_does_not_trust_a_filter(self, rig: Rig) -> None:
        """A server that answers every filter with everything does not get a wrong job adopted."""
        other = rig.finished
        adapter = rig.adapter_with_lying_filter()
        answer = adapter.find(_query(rig, new_marker(), other.submitted))
        _require_nothing(rig, answer)
        found = adapter.find(_query(rig, other.submitted.submission_id))
        require(
            isinstance(found, Found) and found.snapshot.ref == other.ref,
            f"with a lying filter {other.ref} must still be found: {found}",
        )

    def test_foreign_job_of_the_same_file_is_not_ours(self, rig: Rig) -> None:
        """Same file and model without our marker: reported at most, never Found."""
        adapter = rig.adapter()
        mine = rig.finished.submitted
        foreign = rig.make_foreign_job(mine.files[0])
        answer = adapter.find(_query(rig, new_marker(), mine))
        _require_nothing(rig, answer)
        if foreign is not None and isinstance(answer, NotSeen):
            similar = [snapshot.ref for snapshot in answer.similar]
            require(foreign in similar, f"{foreign} looks alike and must be reported: {similar}")
            require(mine.ref not in similar, "a job with another marker of ours is not alike")

    def test_unknown_id_is_not_found(self, rig: Rig) -> None:
        """Reading a job that is not there raises NotFoundError with a hint."""
        adapter = rig.adapter()
        ref = rig.finished.ref.model_copy(update={"id": "ftnobodyhasthisid"})
        error = raised(
            NotFoundError,
            partial(as_runtime, adapter, "retrieve", partial(adapter.retrieve, ref)),
            when="retrieve of an unknown id",
        )
        require(error.hint, "the error must say what to do next")


def _sent(rig: Rig, method: Method, stated: object) -> Mapping[str, object]:
    adapter = rig.adapter()
    submitted = rig.submit(adapter, rig.spec(method=method, hyperparameters=stated))
    sent = rig.sent(submitted.ref)
    rig.discard(adapter, submitted.ref)
    return sent


def _query(rig: Rig, marker: str, same_files_as: Submitted | None = None) -> SubmissionQuery:
    files = same_files_as.files if same_files_as else ()
    return SubmissionQuery(
        submission_id=marker,
        base_model=rig.base_model,
        file_ids=tuple(file.id for file in files),
        file_digests=tuple(file.sha256[:16] for file in files),
    )


def _require_nothing(rig: Rig, answer: FindResult) -> None:
    require(not isinstance(answer, Found), f"a marker that nobody has was Found: {answer}")
    if isinstance(answer, Absent):
        require(
            rig.info.reads_own_writes,
            "Absent is a proof; only a provider with reads_own_writes may give it",
        )
