"""``providers``, ``models`` and ``doctor``: what there is, and whether it works here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftproviders.cli import shapes
from ftproviders.cli.session import Session, verb
from ftproviders.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ftproviders.provider import HyperparameterInfo, ProviderInfo
    from ftproviders.schema.job import BaseModelInfo

__all__ = ["doctor", "models", "providers"]


@verb
def providers(
    session: Session,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Show everything about this one.", show_default=False),
    ] = None,
) -> int:
    """List providers, or everything about one of them."""
    client = session.client
    found = list(client.providers()) if name is None else [client.provider(name)]
    if session.out.json_mode:
        session.out.document("providers", {"providers": [_provider(info) for info in found]})
    elif name is None:
        rows = [
            (
                info.name,
                " + ".join(_roles(info)) or "checks data only",
                ", ".join(sorted(method.value for method in info.methods)),
                _state(info),
                info.summary,
            )
            for info in found
        ]
        session.out.table(("provider", "does", "methods", "installed", "what it is"), rows)
        session.out.note("More: ftproviders providers NAME")
    else:
        _show(session, found[0])
    return 0


def _roles(info: ProviderInfo) -> list[str]:
    return [role for role, has in (("tunes", info.training), ("hosts", info.hosting)) if has]


def _state(info: ProviderInfo) -> str:
    if info.rules_only:
        return "not in this version yet"
    return "yes" if _installed(info) else f"no: {info.install_line}"


def _installed(info: ProviderInfo) -> bool:
    from ftproviders.provider import missing_modules

    return missing_modules(info) is None


def _provider(info: ProviderInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "summary": info.summary,
        "roles": _roles(info),
        "free": info.free,
        "installed": _installed(info),
        "install": info.install_line,
        "methods": sorted(method.value for method in info.methods),
        "features": sorted(feature.value for feature in (*info.features, *info.hosting_features)),
        "hyperparameters": [
            {
                "name": knob.name,
                "minimum": knob.minimum,
                "maximum": knob.maximum,
                "auto": knob.auto,
                "default": knob.default,
                "methods": sorted(method.value for method in knob.methods & info.methods),
                "sent_as": knob.sent_as,
            }
            for knob in info.hyperparameters
        ],
        "job_settings": sorted(info.job_settings),
        "options": _fields(info.options_type),
        "deployment_options": _fields(info.deployment_options_type),
        "settings": _fields(info.settings_type, provider=info.name),
        "docs": info.docs,
    }


def _fields(model: type[BaseModel], *, provider: str | None = None) -> list[dict[str, Any]]:
    """Describe the fields of an options or settings class with their docstrings."""
    fields = []
    for name, field in model.model_fields.items():
        if provider is not None and name in ("home", "cache"):
            continue  # folders of the configuration, not of the provider
        extra = field.json_schema_extra
        own = extra.get("env") if isinstance(extra, dict) else None
        described: dict[str, Any] = {
            "name": name,
            "type": _type_name(field.annotation),
            "required": field.is_required(),
            "default": None if field.is_required() else _plain(field.get_default()),
            "description": " ".join((field.description or "").split()),
        }
        if provider is not None:
            variable = f"FTPROVIDERS_{provider.upper().replace('-', '_')}_{name.upper()}"
            described["env"] = [variable, *(own if isinstance(own, list) else ())]
        fields.append(described)
    return fields


def _type_name(annotation: Any) -> str:
    """Write a type as a person would: ``int | None``, not ``typing.Optional[...]``."""
    import types
    from typing import Literal, Union, get_args, get_origin

    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(inside[0])
    if origin is Literal:
        return " | ".join(repr(value) for value in inside)
    if origin in (Union, types.UnionType):
        return " | ".join(_type_name(member) for member in inside)
    if inside:
        return f"{_type_name(origin)}[{', '.join(_type_name(member) for member in inside)}]"
    if annotation is type(None):
        return "None"
    return "..." if annotation is Ellipsis else getattr(annotation, "__name__", str(annotation))


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _show(session: Session, info: ProviderInfo) -> None:
    out = session.out
    out.line(f"{info.name}: {info.summary}")
    out.pairs(
        [
            ("does", " and ".join(_roles(info)) or "checks data only"),
            ("methods", ", ".join(sorted(method.value for method in info.methods))),
            ("features", ", ".join(_provider(info)["features"]) or "none"),
            ("installed", _state(info)),
            ("costs", "nothing" if info.free else "money"),
            ("job settings", ", ".join(sorted(info.job_settings)) or "none"),
        ]
    )
    if info.hyperparameters:
        out.line()
        out.table(
            ("hyperparameter", "bounds", "default", "sent as"),
            [(k.name, _bounds(k), k.default, k.sent_as or k.name) for k in info.hyperparameters],
        )
    _show_fields(session, "option (-o key=value)", _fields(info.options_type))
    deploying = _fields(info.deployment_options_type)
    _show_fields(session, "deployment option (deploy -o key=value)", deploying)
    _show_fields(session, "connection setting", _fields(info.settings_type, provider=info.name))


def _bounds(knob: HyperparameterInfo) -> str:
    low = _above(knob) if knob.minimum is None else f"{knob.minimum:g} <= "
    high = "" if knob.maximum is None else f" <= {knob.maximum:g}"
    auto = " or auto" if knob.auto else ""
    return f"{low}x{high}{auto}" if low or high else f"any{auto}"


def _above(knob: HyperparameterInfo) -> str:
    """Write the bound that every provider has, and that the value itself must not reach."""
    from ftproviders.schema.hyperparameters import Hyperparameters

    schema = Hyperparameters.model_json_schema()["properties"][knob.name]
    forms = schema.get("anyOf", (schema,))
    bound = next((f["exclusiveMinimum"] for f in forms if "exclusiveMinimum" in f), None)
    return "" if bound is None else f"{bound:g} < "


def _show_fields(session: Session, title: str, fields: Sequence[dict[str, Any]]) -> None:
    if not fields:
        return
    session.out.line()
    rows = [
        (
            field["name"],
            field["type"],
            "required" if field["required"] else str(field["default"]),
            ", ".join(field.get("env", ())),
            field["description"],
        )
        for field in fields
    ]
    session.out.table((title, "type", "default", "environment", "meaning"), rows)


@verb
def models(
    session: Session,
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="NAME", help="Only of this provider.")
    ] = None,
    delete: Annotated[
        str | None,
        typer.Option("--delete", metavar="MODEL", help="First delete this tuned model, for good."),
    ] = None,
) -> int:
    """List models that can be tuned, and tuned ones.

    --delete is agreed to first on a paid provider. A model that is deployed is not deleted.
    """
    found = session.client.models(provider)
    deleted: dict[str, str] | None = None
    if delete is not None:
        name = _holder(found, delete, provider)
        _delete_model(session, name, delete)
        deleted = {"provider": name, "name": delete}
        found = [one for one in found if (one.provider, one.name) != (name, delete)]
    if session.out.json_mode:
        body: dict[str, Any] = {"models": [shapes.model(one) for one in found]}
        session.out.document("models", body | ({"deleted": deleted} if deleted else {}))
        return 0
    if delete is not None:
        session.out.line(f"deleted {delete}")
        return 0
    rows = [
        (
            one.provider,
            one.name,
            "tuned" if one.tuned else ", ".join(method.value for method in one.methods),
            one.description,
        )
        for one in found
    ]
    session.out.table(("provider", "model", "methods", "what it is"), rows)
    return 0


def _holder(found: Sequence[BaseModelInfo], model: str, provider: str | None) -> str:
    """Return the provider that has a tuned model; what cannot be tuned away is refused."""
    listed = [one for one in found if one.name == model]
    if listed and not any(one.tuned for one in listed):
        raise ConfigurationError(
            f"{model} is a base model of {listed[0].provider}, not a tuned one.",
            provider=listed[0].provider,
            operation="delete_model",
            hint="`ftproviders models` lists the tuned ones.",
        )
    names = [provider] if provider else sorted({one.provider for one in listed if one.tuned})
    if len(names) == 1:
        return names[0]
    where = (
        f"more than one provider has it: {', '.join(names)}" if names else "no provider lists it"
    )
    raise ConfigurationError(
        f"No provider is named for {model}, and {where}.",
        operation="delete_model",
        hint="Add --provider; `ftproviders models` lists the tuned models.",
    )


def _delete_model(session: Session, provider: str, model: str) -> None:
    if not session.client.is_free(provider):
        from ftproviders.cli.consent import ask

        ask(
            session,
            what=f"This deletes the tuned model {model} at {provider}, for good.",
            facts=["What was trained is gone, and everything that calls it fails."],
            verb="models --delete",
            provider=provider,
        )
    session.client.delete_model(provider, model)


@verb
def doctor(session: Session) -> int:
    """Check folders, journal and providers.

    Exit 1 when anything but a provider is not as it should be, or when no provider is ready. A
    provider that nobody set up is no fault.
    """
    checks = session.client.doctor()
    ready = [check.ok for check in checks if check.name.startswith("provider ")]
    rest = [check.ok for check in checks if not check.name.startswith("provider ")]
    ok = all(rest) and any(ready)
    if session.out.json_mode:
        body = {"ok": ok, "checks": [check.model_dump(mode="json") for check in checks]}
        session.out.document("doctor", body)
    else:
        rows = [
            ("ok" if check.ok else "not ok", check.name, check.detail, check.hint)
            for check in checks
        ]
        session.out.table(("", "what", "found", "what to do"), rows)
    return 0 if ok else 1
