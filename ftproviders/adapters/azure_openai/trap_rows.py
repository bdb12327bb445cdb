"""Errors of Azure OpenAI and Foundry: raw error -> cause -> fix, as data; `traps` reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ftproviders.errors import (
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
)

__all__ = ["TRAPS", "Plane", "Trap"]

Plane = Literal["data", "arm", "job"]
"""Where it shows: files, jobs and chats; deployments through Resource Manager; inside a job."""


@dataclass(frozen=True, kw_only=True)
class Trap:
    """One row: how it shows, why, and what to do."""

    name: str
    plane: Plane
    operations: Sequence[str] = ()
    """At which of our operations; empty = at any."""
    statuses: Sequence[int] = ()
    """HTTP statuses; empty = any, or none."""
    codes: Sequence[str] = ()
    """Codes, in small letters; empty = any."""
    texts: Sequence[str] = ()
    """Pieces of the message, in small letters, one of which must be there; empty = any message."""
    empty: bool = False
    """True when the answer has no message at all."""
    kind: type[ProviderError] | None = None
    """None = the sort that the status has by itself."""
    passing: bool = False
    """True when the same request may succeed a little later."""
    cause: str
    fix: str


_OPEN_CAPACITY = "capacity 100 or more"

TRAPS: Sequence[Trap] = (
    # --- creating jobs, sending files ------------------------------------------------------------
    Trap(
        name="open_weights_standard",
        plane="data",
        operations=("create",),
        statuses=(400,),
        texts=("with standard trainingtype",),
        cause="Open-weight models are tuned with training type globalStandard only.",
        fix="Submit again with -o training_type=globalStandard.",
    ),
    Trap(
        name="base_not_tunable",
        plane="data",
        operations=("create",),
        statuses=(400,),
        texts=("does not support fine-tuning", "does not support fine tuning"),
        cause="The training type does not fit the model, or the model is retired, of another "
        "version, not tuned in this region, closed to new customers, or the name of a deployment.",
        fix="Use the base model's id with its date (`ftproviders models --provider {provider}`), "
        "another -o training_type, or a resource in another region.",
    ),
    Trap(
        name="version_on_v1",
        plane="data",
        statuses=(400, 404),
        texts=("api version not supported", "api-version not allowed"),
        cause="A dated api-version was sent to a route without a date, or one that is too old.",
        fix="Set api_version (OPENAI_API_VERSION) to v1, or to a date such as 2025-04-01-preview.",
    ),
    Trap(
        name="uploads_on_project",
        plane="data",
        operations=("upload",),
        statuses=(404,),
        kind=NotFoundError,
        cause="A project's address takes no uploads in parts.",
        fix="Set endpoint to the resource (https://my-resource.openai.azure.com) and api_version "
        "to a date such as 2025-04-01-preview.",
    ),
    Trap(
        name="no_such_job",
        plane="data",
        operations=("retrieve", "events", "checkpoints", "cancel", "pause", "resume"),
        statuses=(404,),
        kind=NotFoundError,
        cause="Jobs are seen at the resource, and in the project, where they were made.",
        fix="Check the id and AZURE_OPENAI_ENDPOINT; `ftproviders jobs --remote` lists what is "
        "there.",
    ),
    Trap(
        name="file_pending",
        plane="data",
        operations=("create",),
        statuses=(400, 409),
        texts=("not processed", "being processed", "not ready", "pending"),
        cause="The service has not processed the file yet.",
        fix="Run the same command in some minutes; the file is not sent again.",
    ),
    Trap(
        name="suffix",
        plane="data",
        operations=("create",),
        statuses=(400,),
        texts=("suffix",),
        cause="The service does not accept the suffix.",
        fix="Use 1 to 18 letters, digits, dashes and underscores for --suffix, and no dots.",
    ),
    Trap(
        name="job_limits",
        plane="data",
        operations=("create", "upload"),
        statuses=(429,),
        kind=RateLimitError,
        cause="A limit of the resource is reached: 3 running jobs (5 of the Developer tier), 20 "
        "queued, 100 in all; 100 files, 1 GB; or too many requests.",
        fix="Wait, cancel a job, or delete old jobs and files.",
    ),
    Trap(
        name="model_in_use",
        plane="data",
        operations=("delete_model",),
        statuses=(400, 409),
        kind=ConflictError,
        cause="A model is not deleted while a deployment serves it.",
        fix="Remove its deployments first: `ftproviders undeploy`.",
    ),
    # --- inside a job ----------------------------------------------------------------------------
    Trap(
        name="data_safety",
        plane="job",
        texts=("failed rai checks",),
        kind=InvalidRequestError,
        cause="The safety check has found harmful content in the training data. Nothing is billed.",
        fix="Take the rows in question out of the file and submit again.",
    ),
    Trap(
        name="model_safety",
        plane="job",
        texts=("unable to be deployed",),
        kind=InvalidRequestError,
        cause="The tuned model answers with harmful content above the service's thresholds. The "
        "training is not charged; thresholds are the service's, and content filters do not "
        "change them.",
        fix="Review the data and train again, or ask the service for other thresholds by its form. "
        "Data full of personal details are often found so without reason.",
    ),
    Trap(
        name="plain_upload_500",
        plane="job",
        codes=("500", "internalservererror", "server_error"),
        kind=ProviderUnavailableError,
        cause="The service failed inside the job; a file of more than about 150 MB that was sent "
        "in one request is a known reason.",
        fix="Submit again with --again; leave plain_upload_bytes at 150000000, so that large files "
        "go up in parts.",
    ),
    Trap(
        name="evaluation_hangs",
        plane="job",
        codes=("stalled",),
        kind=ProviderUnavailableError,
        cause="The last evaluation of a reinforcement job waits for a tool or grader endpoint that "
        "is too small.",
        fix="Use an endpoint that is always on and larger.",
    ),
    Trap(
        name="not_in_portal",
        plane="job",
        codes=("not_in_portal",),
        kind=NotFoundError,
        cause="A job that was sent to another resource runs there, and is not seen in the project "
        "where it is looked for.",
        fix="Compare the endpoint with the project that the portal shows.",
    ),
    # --- deployments -----------------------------------------------------------------------------
    Trap(
        name="model_not_supported",
        plane="arm",
        codes=("deploymentmodelnotsupported",),
        kind=InvalidRequestError,
        cause="The region does not know a model of this name, version, format and source.",
        fix='Check the model\'s id, version "1", the format, the region, and source for a model of '
        "another resource.",
    ),
    Trap(
        name="sku_not_supported",
        plane="arm",
        codes=("invalidresourceproperties",),
        kind=InvalidRequestError,
        cause="The model cannot be deployed with this SKU.",
        fix="Choose an SKU that the model has: GlobalStandard for open-weight models, Standard for "
        "gpt-5, no Developer tier for gpt-4o and gpt-4o-mini.",
    ),
    Trap(
        name="quota",
        plane="arm",
        codes=("insufficientquota",),
        kind=QuotaExceededError,
        cause="The subscription's quota of tokens a minute does not hold this deployment.",
        fix="Use a lower capacity, another SKU or region, delete another deployment, or ask for "
        "more quota.",
    ),
    Trap(
        name="subscription_not_eligible",
        plane="arm",
        codes=("specialfeatureorquotaidrequired",),
        kind=PermissionDeniedError,
        cause="The subscription's offer may not use this service.",
        fix="Use another subscription.",
    ),
    Trap(
        name="not_available_in_region",
        plane="arm",
        codes=("failed", "provisioningfailed"),
        kind=InvalidRequestError,
        cause="Provisioning failed, mostly because the model is not available in the region.",
        fix="Deploy in another region.",
    ),
    Trap(
        name="wrong_format",
        plane="arm",
        operations=("deploy",),
        statuses=(500,),
        empty=True,
        kind=ProviderUnavailableError,
        cause="An answer 500 without a message mostly means a wrong model format.",
        fix="Check the format: it depends on the model's family, and its letters' case counts.",
    ),
    Trap(
        name="open_tune_internal",
        plane="arm",
        statuses=(500,),
        codes=("internalservererror",),
        kind=ProviderUnavailableError,
        cause="A tuned open-weight model was deployed with format OpenAI instead of its "
        "publisher's, or with too little capacity.",
        fix=f"Use the publisher's format and {_OPEN_CAPACITY}.",
    ),
    Trap(
        name="quota_released_late",
        plane="arm",
        statuses=(429,),
        kind=RateLimitError,
        passing=True,
        cause="The quota of a deployment that was just deleted is not free yet.",
        fix="Wait 20 seconds and try again.",
    ),
    Trap(
        name="busy",
        plane="arm",
        statuses=(409,),
        codes=("requestconflict",),
        kind=ConflictError,
        cause="Another operation on the deployment or its resource is not done yet.",
        fix="Run the same command in a minute.",
    ),
    Trap(
        name="name_taken",
        plane="arm",
        operations=("deploy",),
        statuses=(409,),
        kind=ConflictError,
        cause="A deployment of this name is there already.",
        fix="Choose another name, or use the one that is there if it serves the same model.",
    ),
    Trap(
        name="may_not_deploy",
        plane="arm",
        statuses=(401, 403),
        codes=("authorizationfailed",),
        kind=PermissionDeniedError,
        cause="Deploying needs the role Foundry Owner, or another with "
        "Microsoft.CognitiveServices/accounts/deployments/write.",
        fix="Ask for the role on the resource, then sign in anew (`az login`).",
    ),
    Trap(
        name="arm_forbidden",
        plane="arm",
        statuses=(403,),
        kind=PermissionDeniedError,
        cause="Deploying needs the role Foundry Owner, or another with "
        "Microsoft.CognitiveServices/accounts/deployments/write.",
        fix="Ask for the role on the resource, then sign in anew (`az login`).",
    ),
    Trap(
        name="arm_token",
        plane="arm",
        statuses=(401,),
        kind=AuthenticationError,
        cause="The token of the management plane was not accepted; it lives about 60 minutes.",
        fix="Sign in anew: `az login`.",
    ),
    # --- chats -----------------------------------------------------------------------------------
    Trap(
        name="deployment_not_ready",
        plane="data",
        codes=("deploymentnotready",),
        kind=ProviderUnavailableError,
        passing=True,
        cause="The deployment is provisioned and does not answer yet.",
        fix="Wait some minutes; if it stays so for ten, delete the deployment and deploy again.",
    ),
    Trap(
        name="deployment_not_found",
        plane="data",
        codes=("deploymentnotfound",),
        kind=NotFoundError,
        cause="There is no such deployment: made less than five minutes ago, another name, or "
        "removed by the service (Developer tier after 24 hours, others after 15 days without use).",
        fix="Look at `ftproviders deployments`; deploy again if it is gone. The model is kept.",
    ),
    Trap(
        name="lora",
        plane="data",
        operations=("chat",),
        texts=("failed to load lora",),
        cause="The adapter is cold, or the deployment's capacity is too low.",
        fix=f"Try again a little later; use {_OPEN_CAPACITY} for open-weight models.",
    ),
    Trap(
        name="open_tune_chat",
        plane="data",
        operations=("chat",),
        statuses=(500,),
        codes=("internalservererror",),
        kind=ProviderUnavailableError,
        cause="A tuned open-weight model was deployed with format OpenAI instead of its "
        "publisher's, or with too little capacity.",
        fix=f"Deploy with the publisher's format and {_OPEN_CAPACITY}.",
    ),
    Trap(
        name="tokens_a_minute",
        plane="data",
        operations=("chat",),
        statuses=(429,),
        kind=RateLimitError,
        cause="The deployment's tokens a minute are used up.",
        fix="Wait as long as the service asks for, or deploy with more capacity.",
    ),
    Trap(
        name="content_filter",
        plane="data",
        operations=("chat",),
        statuses=(400,),
        codes=("content_filter",),
        kind=InvalidRequestError,
        cause="The content filter held the question back: filtered, not failed.",
        fix="Ask otherwise, or look at the filters of the deployment.",
    ),
    # --- who may ---------------------------------------------------------------------------------
    Trap(
        name="blocked",
        plane="data",
        statuses=(403,),
        texts=("temporarily blocked",),
        cause="The service has blocked the resource for suspected abuse.",
        fix="Open a support request at Azure.",
    ),
    Trap(
        name="network",
        plane="data",
        statuses=(403,),
        texts=("network", "firewall", "private endpoint", "public access"),
        cause="The resource's firewall, or its private endpoint, keeps this machine out.",
        fix="Allow the machine's address in the resource's network settings.",
    ),
    Trap(
        name="no_role",
        plane="data",
        statuses=(403,),
        kind=PermissionDeniedError,
        cause="Whoever signed in may not do this: files and jobs need the role Foundry User (on "
        "older resources Cognitive Services OpenAI Contributor).",
        fix="Ask for the role on the resource; it may take some minutes to count.",
    ),
    Trap(
        name="key_or_scope",
        plane="data",
        statuses=(401,),
        kind=AuthenticationError,
        cause="The key is not this resource's, or the token is for another audience.",
        fix="Set AZURE_OPENAI_API_KEY to a key of this resource; with Entra ID, sign in "
        "(`az login`) or set token_scope. `ftproviders doctor` checks it.",
    ),
)
"""The first row that fits counts. Sources: microsoft/azure-skills @1a03acf, azure-ai-docs (2026),
and the issue trackers that `docs/providers/azure-openai.md` names."""
