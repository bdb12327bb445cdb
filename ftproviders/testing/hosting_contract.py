"""The contract that every host keeps. Subclass `HostingContract` and give it a `HostingRig`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from functools import partial

from ftproviders.errors import (
    ConflictError,
    FineTuneError,
    NotFoundError,
    UnsupportedFeatureError,
)
from ftproviders.provider import HostingAdapter, HostingFeature
from ftproviders.schema.chat import ChatMessage, Role
from ftproviders.schema.deployment import (
    ChatReply,
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentSpec,
    DeploymentStatus,
    Lease,
)
from ftproviders.testing.checks import as_runtime, no_network, raised, require, watched
from ftproviders.testing.rig import HostingRig, new_marker

__all__ = ["HostingContract"]


class HostingContract:
    """Everything that a host promises."""

    def test_hosting_features_are_declared_and_overridden(self, rig: HostingRig) -> None:
        """What is declared is there: the first four or none, `extend` only beside them."""
        made, base = type(rig.adapter()), HostingAdapter
        there = {
            feature
            for feature in HostingFeature
            if getattr(made, feature.value) is not getattr(base, feature.value)
        }
        require(there == rig.info.hosting_features, f"declared is not overridden: {there}")
        four = set(HostingFeature) - {HostingFeature.EXTEND}
        require(there & four in (set(), four), f"all four or none: {sorted(there)}")
        require(not there or there >= four, f"extend without deployments: {sorted(there)}")

    def test_host_says_what_it_takes(self, rig: HostingRig) -> None:
        """The info names the class and the sources, and the rig's model is one of them."""
        require(rig.info.hosting is not None, "a host names its adapter class")
        require(rig.adapter().info == rig.info, "the adapter's info")
        require(rig.model().source in rig.info.accepts, f"accepts lacks {rig.model().source}")

    def test_missing_deployments_say_so(self, rig: HostingRig) -> None:
        """A host without deployments raises, and the error names the feature."""
        adapter = rig.adapter()
        ref = DeploymentRef(provider=rig.info.name, id="contract")
        calls: dict[HostingFeature, Callable[[], object]] = {
            HostingFeature.DEPLOY: partial(adapter.deploy, rig.model(), DeploymentSpec(name="x")),
            HostingFeature.DEPLOYMENT: partial(adapter.deployment, ref),
            HostingFeature.DEPLOYMENTS: adapter.deployments,
            HostingFeature.UNDEPLOY: partial(adapter.undeploy, ref),
            HostingFeature.EXTEND: partial(adapter.extend, ref, Lease(id="x", owner="y")),
        }
        for feature, call in calls.items():
            if feature not in rig.info.hosting_features:
                error = raised(
                    UnsupportedFeatureError, call, when=f"{feature.value}, not declared,"
                )
                require(error.feature == feature.value, f"the error must name {feature.value}")

    def test_tuned_model_answers(self, rig: HostingRig) -> None:
        """A chat with the tuned model says what it was taught."""
        adapter = rig.shared
        endpoint = adapter.endpoint(rig.model())
        require(endpoint.provider == rig.info.name, "the endpoint's provider")
        reply = adapter.chat(endpoint, _ask(rig), temperature=0)
        require(rig.expected(reply.text), f"{rig.question!r} was answered {reply.text!r}")
        require(reply.model, "the reply names its model")

    def test_answer_can_be_streamed(self, rig: HostingRig) -> None:
        """The pieces are the answer, and the whole answer comes in the end."""
        adapter = rig.shared
        endpoint = adapter.endpoint(rig.model())
        whole = adapter.chat(endpoint, _ask(rig), temperature=0)
        for most in (None, 1):
            answer = adapter.stream(endpoint, _ask(rig), temperature=0, max_tokens=most)
            pieces: list[str] = []
            reply = _read(answer, pieces)
            require(isinstance(reply, ChatReply), f"a stream ends with the whole answer: {reply}")
            require(all(pieces), f"a piece is empty: {pieces}")
            require("".join(pieces) == reply.text, f"{pieces} is not {reply.text!r}")
            if most is None:
                require(reply.text == whole.text, f"{reply.text!r} is not {whole.text!r}")
                require(reply.finish_reason == whole.finish_reason, "the reason of the end")
            require(whole.text.startswith(reply.text), f"{reply.text!r} is no part of the answer")

    def test_answer_can_be_cut(self, rig: HostingRig) -> None:
        """`max_tokens` reaches the host."""
        adapter = rig.shared
        endpoint = adapter.endpoint(rig.model())
        reply = adapter.chat(endpoint, _ask(rig), temperature=0, max_tokens=1)
        require(reply.completion_tokens in (None, 0, 1), f"asked for one token: {reply}")
        whole = adapter.chat(endpoint, _ask(rig), temperature=0)
        require(len(reply.text) <= len(whole.text), f"{reply.text!r} is no part of an answer")

    def test_unknown_model_is_an_error_of_ours(self, rig: HostingRig) -> None:
        """A model that is not there is told with a hint."""
        adapter = rig.shared

        def chat() -> object:
            return adapter.chat(adapter.endpoint(rig.unknown_model()), _ask(rig))

        call = partial(as_runtime, adapter, "chat", chat)
        error = raised(FineTuneError, call, when="a chat with an unknown model")
        require(error.hint, "the error must say what to do next")

    def test_key_is_only_in_credentials(self, rig: HostingRig) -> None:
        """No endpoint, reply, repr, error or log holds the key; the headers do."""
        with watched() as seen:
            adapter = rig.shared
            endpoint = adapter.endpoint(rig.model())
            reply = adapter.chat(endpoint, _ask(rig))
            translated = adapter.translate(RuntimeError(rig.secret), operation="chat")
            headers = adapter.credentials(endpoint)
        require(not seen.printed, f"an adapter never prints: {seen.printed!r}")
        if rig.secret is None:
            require(endpoint.auth == "none", f"no key, and auth is {endpoint.auth}")
            return
        told = (adapter, adapter.settings, endpoint, reply, translated)
        texts = [repr(value) for value in told] + [str(value) for value in told] + [seen.logged]
        for text in texts:
            require(rig.secret not in text, f"the planted key shows up in {text!r}")
        require(any(rig.secret in v for v in headers.values()), "the headers carry the key")

    def test_preflight_and_close(self, rig: HostingRig) -> None:
        """A usable host says so without network, and can be closed twice."""
        with no_network():
            adapter = rig.adapter()
            problem = adapter.preflight()
        require(problem is None, f"preflight of a usable host must be None, not {problem}")
        adapter.close()
        adapter.close()

    def test_deployment_lives_and_goes(self, rig: HostingRig) -> None:
        """Deploy, wait, chat, undeploy; then it is not found any more."""
        if HostingFeature.DEPLOY not in rig.info.hosting_features:
            return
        adapter = rig.adapter()
        ref = adapter.deploy(rig.model(), DeploymentSpec(name=_name()))
        require(ref.provider == rig.info.name, "the deployment's provider")
        require(adapter.deployment(ref).ref == ref, "a deployment is read under its own ref")
        ready = _ready(rig, adapter, ref)
        require(ready.model.name == rig.model().name, f"deployed {ready.model.name}")
        require(ready.lease is None, "deployed without a lease, so it has none")
        reply = adapter.chat(adapter.endpoint(ref), _ask(rig), temperature=0)
        require(rig.expected(reply.text), f"{rig.question!r} was answered {reply.text!r}")
        adapter.undeploy(ref)
        _gone(rig, adapter, ref)
        read = partial(as_runtime, adapter, "deployment", partial(adapter.deployment, ref))
        delete = partial(as_runtime, adapter, "undeploy", partial(adapter.undeploy, ref))
        raised(NotFoundError, read, when="reading what was deleted")
        raised(NotFoundError, delete, when="deleting it again")

    def test_lease_comes_back(self, rig: HostingRig) -> None:
        """Lease tags are written with the resource, and the listing shows them."""
        if HostingFeature.DEPLOY not in rig.info.hosting_features:
            return
        adapter = rig.adapter()
        name = _name()
        end = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
        lease = Lease(id=name, owner="contract@example", expires_at=end)
        ref = adapter.deploy(rig.model(), DeploymentSpec(name=name, lease=lease))
        require(adapter.deployment(ref).lease == lease, "the lease comes back as it was")
        listed = {found.ref: found for found in _listed(adapter)}
        require(ref in listed, f"{ref} must be listed")
        require(listed[ref].lease == lease, "the listing shows the lease")
        adapter.undeploy(ref)
        _gone(rig, adapter, ref)
        require(ref not in [found.ref for found in _listed(adapter)], "gone from the listing")

    def test_deployment_is_found_by_its_name(self, rig: HostingRig) -> None:
        """The ref's id is the name that was asked for: all that is known after a lost answer."""
        if HostingFeature.DEPLOY not in rig.info.hosting_features:
            return
        adapter = rig.adapter()
        name = _name()
        by_name = DeploymentRef(provider=rig.info.name, id=name)
        read = partial(as_runtime, adapter, "deployment", partial(adapter.deployment, by_name))
        raised(NotFoundError, read, when="reading a name that was never used")
        ref = adapter.deploy(rig.model(), DeploymentSpec(name=name))
        require(ref.id == name, f"deployed as {name}, and the ref's id is {ref.id}")
        require(adapter.deployment(by_name).ref == ref, "found by its name alone")
        adapter.undeploy(ref)

    def test_lease_can_be_changed(self, rig: HostingRig) -> None:
        """`extend` writes the new lease; reading and listing show it, and the model stays."""
        if HostingFeature.EXTEND not in rig.info.hosting_features:
            return
        adapter = rig.adapter()
        name = _name()
        end = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
        lease = Lease(id=name, owner="contract@example", expires_at=end)
        ref = adapter.deploy(rig.model(), DeploymentSpec(name=name, lease=lease))
        for later in (end + timedelta(days=1), None):
            changed = lease.model_copy(update={"expires_at": later})
            told = adapter.extend(ref, changed)
            require(told.ref == ref, "extend tells of the same deployment")
            require(told.lease == changed, f"extend must return the new lease, not {told.lease}")
            require(adapter.deployment(ref).lease == changed, "reading shows the new lease")
            require(adapter.deployment(ref).model.name == rig.model().name, "the model stays")
            listed = {found.ref: found.lease for found in _listed(adapter)}
            require(listed.get(ref) == changed, "the listing shows the new lease")
        adapter.undeploy(ref)
        _gone(rig, adapter, ref)
        extend = partial(as_runtime, adapter, "extend", partial(adapter.extend, ref, lease))
        raised(NotFoundError, extend, when="extending what was deleted")

    def test_taken_name_is_a_conflict(self, rig: HostingRig) -> None:
        """A deployment of that name is neither adopted nor overwritten."""
        if HostingFeature.DEPLOY not in rig.info.hosting_features:
            return
        adapter = rig.adapter()
        spec = DeploymentSpec(name=_name())
        ref = adapter.deploy(rig.model(), spec)
        deploy = partial(as_runtime, adapter, "deploy", partial(adapter.deploy, rig.model(), spec))
        error = raised(ConflictError, deploy, when="a name that is taken")
        require(error.hint, "the error must say what to do next")
        adapter.undeploy(ref)

    def test_deployments_are_listed_once(self, rig: HostingRig) -> None:
        """All pages together hold every deployment once."""
        if HostingFeature.DEPLOY not in rig.info.hosting_features:
            return
        adapter = rig.adapter()
        refs = [adapter.deploy(rig.model(), DeploymentSpec(name=_name())) for _ in range(5)]
        listed = [found.ref for found in _listed(adapter)]
        for ref in refs:
            require(listed.count(ref) == 1, f"{ref} is listed {listed.count(ref)} times")
            adapter.undeploy(ref)


def _read(answer: Generator[str, None, ChatReply], pieces: list[str]) -> ChatReply:
    while True:
        try:
            pieces.append(next(answer))
        except StopIteration as end:
            reply: ChatReply = end.value
            return reply


def _ask(rig: HostingRig) -> list[ChatMessage]:
    return [ChatMessage(role=Role.USER, content=rig.question)]


def _name() -> str:
    return f"contract-{new_marker()[2:12]}"


def _ready(rig: HostingRig, adapter: HostingAdapter, ref: DeploymentRef) -> DeploymentSnapshot:
    for _ in range(rig.most_reads):
        found = adapter.deployment(ref)
        require(found.status is not DeploymentStatus.FAILED, f"{ref} failed")
        # What its host calls ready may have to be asked whether it answers.
        if found.status is DeploymentStatus.READY and adapter.silence(ref) is None:
            return found
        rig.before_read()
    raise AssertionError(f"{ref} is not ready after {rig.most_reads} reads")


def _gone(rig: HostingRig, adapter: HostingAdapter, ref: DeploymentRef) -> None:
    """Read what was deleted until it is gone; in between it may only be shown as being deleted."""
    for _ in range(rig.most_reads):
        try:
            found = adapter.deployment(ref)
        # Whatever the SDK raises: the check is about what the adapter makes of it.
        except Exception as error:
            ours = adapter.translate(error, operation="deployment")
            if isinstance(ours, NotFoundError):
                return
            raise
        require(found.status is DeploymentStatus.DELETING, f"deleted, and {found.status.value}")
        rig.before_read()
    raise AssertionError(f"{ref} is still there after {rig.most_reads} reads")


def _listed(adapter: HostingAdapter) -> list[DeploymentSnapshot]:
    listed: list[DeploymentSnapshot] = []
    cursors: set[str] = set()
    cursor: str | None = None
    while True:
        page = adapter.deployments(cursor=cursor)
        listed.extend(page.deployments)
        cursor = page.cursor
        if cursor is None:
            return listed
        require(cursor not in cursors, f"the list never ends: cursor {cursor} came again")
        cursors.add(cursor)
