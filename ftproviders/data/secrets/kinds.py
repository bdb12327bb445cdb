r"""The table of secrets: what each looks like, and who says so.

Patterns are for the bytes of a JSON file: a line break inside text stands there as ``\n``, and a
slash may be written ``\/``. Shapes were read in the issuers' own pages; where an issuer documents
none, the shape is that of keys seen, and the source says so.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KINDS", "NAMED", "NAMES", "SecretKind"]


@dataclass(frozen=True, kw_only=True)
class SecretKind:
    """One kind of secret."""

    name: str
    """In words that fit after «looks like»."""
    rule: str
    """Id in the rule table."""
    pattern: str
    """Regular expression for the whole of it; a group, where there is one, is the secret part."""
    source: str
    heads: tuple[str, ...] = ()
    """First three characters of the run, which is all of the secret."""
    tails: tuple[str, ...] = ()
    """Or: the one or two characters directly before the run, with which the pattern begins."""
    needle: str = ""
    """Or: a fixed text with which the pattern begins; no run is needed. ``://`` is found from the
    ``@`` behind it."""
    assigned: tuple[str, ...] = ()
    """Or: three characters before a ``=``, with which the pattern begins; no run is needed."""
    nearby: str = ""
    """Regular expression for what must stand somewhere near it."""
    reach: int = 300
    """How near, in bytes before and after."""
    lead: int = 0
    """Characters before the match that have to be hidden as well."""
    shown: int = 4
    """Characters at the start that tell the kind and nothing more, so they may be shown."""


def _token(name: str, pattern: str, source: str, *heads: str, shown: int = 4) -> SecretKind:
    return SecretKind(
        name=name, rule="secret.token", pattern=pattern, source=source, heads=heads, shown=shown
    )


def _tailed(name: str, pattern: str, source: str, *tails: str, lead: int = 0) -> SecretKind:
    return SecretKind(
        name=name,
        rule="secret.token",
        pattern=pattern,
        source=source,
        tails=tails,
        lead=lead,
        shown=0,
    )


def _after(name: str, needle: str, pattern: str, source: str) -> SecretKind:
    return SecretKind(
        name=name, rule="secret.token", pattern=pattern, source=source, needle=needle, shown=0
    )


def _assigned(name: str, before: str, pattern: str, source: str) -> SecretKind:
    return SecretKind(
        name=name, rule="secret.token", pattern=pattern, source=source, assigned=(before,), shown=0
    )


_SEEN = "shape of keys that the service gives out; not documented"

_MODEL_SERVICES = (
    _token("an Anthropic API key", r"sk-ant-[A-Za-z0-9_-]{20,}",
           "Anthropic API documentation, getting started", "sk-", shown=6),
    _token("an OpenRouter API key", r"sk-or-v1-[0-9a-f]{40,}", _SEEN, "sk-", shown=5),
    _token("an OpenAI API key",
           r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9]{20,}",
           "OpenAI API documentation, authentication (keys begin with sk-)", "sk-", shown=3),
    _token("a Hugging Face token", r"hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{30,}",
           "Hugging Face documentation, user access tokens", "hf_", "api", shown=3),
    _token("a Groq API key", r"gsk_[A-Za-z0-9]{40,}", _SEEN, "gsk"),
    _token("an xAI API key", r"xai-[A-Za-z0-9]{40,}", _SEEN, "xai"),
    _token("a Perplexity API key", r"pplx-[A-Za-z0-9]{40,}", _SEEN, "ppl", shown=5),
    _token("a Replicate token", r"r8_[A-Za-z0-9]{30,}", _SEEN, "r8_", shown=3),
    _token("a LangSmith API key", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}", _SEEN, "lsv"),
)  # fmt: skip

_CLOUDS = (
    _token("an AWS access key id", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
           "AWS IAM user guide, unique identifiers", "AKI", "ASI", "ABI", "ACC"),
    *(
        _after("an AWS secret access key", needle,
               r"(?i:ecret_?access_?key)[\"'\\\s:=>]{1,8}([A-Za-z0-9+/]{40})(?![A-Za-z0-9+/=])",
               "AWS IAM user guide, access keys (40 characters)")
        for needle in ("ecret_access_key", "ecretAccessKey", "ECRET_ACCESS_KEY")
    ),
    _assigned("an Azure account key", "Key",
           r"(?:(?<=Account)|(?<=SharedAccess)|(?<=SharedSecret))Key=([A-Za-z0-9+/]{40,}={0,2})",
           "Azure documentation, storage and Service Bus connection strings"),
    _assigned("an Azure shared access signature", "sig",
           r"(?<=[?&])sig=([A-Za-z0-9%+/]{40,}(?:%3[dD]|=)?)",
           "Azure documentation, service shared access signatures"),
    _tailed("an Azure client secret",
            r"(?<=[A-Za-z0-9_.~-]{3}[0-9]Q~)[A-Za-z0-9_.~-]{31,34}",
            "shape of Microsoft Entra application secrets; not documented", "Q~", lead=6),
    _token("a Google API key", r"AIza[A-Za-z0-9_-]{35}",
           "Google Cloud documentation, API keys", "AIz"),
    _token("a Google OAuth client secret", r"GOCSPX-[A-Za-z0-9_-]{20,}",
           "Google Identity documentation, OAuth 2.0", "GOC"),
    _tailed("a Google OAuth token", r"(?<=ya29\.)[A-Za-z0-9_-]{20,}",
            "Google Identity documentation, OAuth 2.0", "9."),
    _token("a DigitalOcean token", r"do[opr]_v1_[0-9a-f]{64}",
           "DigitalOcean API documentation, authentication", "doo", "dop", "dor"),
    _token("a Databricks token", r"dapi[0-9a-f]{32}(?:-[0-9])?(?![A-Za-z0-9])",
           "Databricks documentation, personal access tokens", "dap"),
)  # fmt: skip

_DEVELOPMENT = (
    _token("a GitHub token", r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,}",
           "GitHub documentation, token formats", "ghp", "gho", "ghu", "ghs", "ghr", "git"),
    _token("a GitLab token",
           r"gl(?:pat|ptt|rt|dt|cbt|ft|imt|soat|oas|agent)-[A-Za-z0-9_-]{20,}",
           "GitLab documentation, token prefixes",
           "glp", "glr", "gld", "glc", "glf", "gli", "gls", "glo", "gla"),
    _token("an npm token", r"npm_[A-Za-z0-9]{36}", "npm documentation, access tokens", "npm"),
    _token("a PyPI token", r"pypi-[A-Za-z0-9_-]{50,}", "PyPI help, API tokens", "pyp", shown=5),
    _token("a Docker access token", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}",
           "shape of Docker access tokens; not documented", "dck"),
    _token("an Atlassian API token", r"ATATT3[A-Za-z0-9_=-]{50,}", _SEEN, "ATA"),
    _tailed("a HashiCorp Vault token", r"(?<=hv[sbr]\.)[A-Za-z0-9_-]{20,}",
            "Vault documentation, tokens", "s.", "b.", "r."),
    _token("a Grafana token", r"glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}", _SEEN, "gls"),
    _token("a Postman API key", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}", _SEEN, "PMA"),
    _token("a New Relic key", r"NRAK-[A-Z0-9]{27}",
           "New Relic documentation, API keys", "NRA"),
)  # fmt: skip

_BUSINESS = (
    _token("a Slack token", r"xox[abeoprs]-[A-Za-z0-9-]{16,}|xapp-[0-9]-[A-Za-z0-9-]{16,}",
           "Slack API documentation, token types",
           "xox", "xap"),
    SecretKind(
        name="a Slack webhook",
        rule="secret.token",
        pattern=r"(?<=/)[A-Za-z0-9]{20,32}(?![A-Za-z0-9_-])",
        source="Slack API documentation, incoming webhooks",
        tails=("/",),
        nearby=r"hooks\.slack\.com\\?/",
        reach=64,
        shown=0,
    ),
    SecretKind(
        name="a Discord webhook",
        rule="secret.token",
        pattern=r"(?<=/)[A-Za-z0-9_-]{50,}",
        source="Discord documentation, webhooks",
        tails=("/",),
        nearby=r"discord(?:app)?\.com\\?/api\\?/webhooks",
        reach=64,
        shown=0,
    ),
    _tailed("a Telegram bot token",
            r"(?<=[0-9]{8}:)[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])", "Telegram Bot API documentation",
            *(f"{digit}:" for digit in range(10)), lead=11),
    _token("a Stripe key", r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}",
           "Stripe documentation, API keys", "sk_", "rk_", "whs"),
    _tailed("a SendGrid API key", r"(?<=SG\.)[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}", _SEEN,
            "G."),
    _token("a Twilio API key", r"SK[0-9a-f]{32}(?![A-Za-z0-9])",
           "Twilio documentation, SIDs", *(f"SK{digit}" for digit in "0123456789abcdef"), shown=2),
    _token("a Shopify token", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
           "Shopify documentation, authentication", "shp", shown=5),
    _token("a Notion token", r"ntn_[A-Za-z0-9]{40,}",
           "Notion developer documentation, authorization", "ntn"),
    _token("a Linear API key", r"lin_api_[A-Za-z0-9]{40}", _SEEN, "lin"),
    _token("a Square token", r"sq0(?:atp|csp)-[A-Za-z0-9_-]{22,}", _SEEN, "sq0"),
)  # fmt: skip

_JWT = SecretKind(
    name="a JSON Web Token",
    rule="secret.jwt",
    pattern=r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    source="RFC 7519",
    heads=("eyJ",),
    shown=3,
)

NAMED = _tailed(
    "a key, by the name before it",
    r"(?=[A-Za-z0-9_\-]*[0-9])(?=[A-Za-z0-9_\-]*[A-Za-z])[A-Za-z0-9_\-]{24,}(?![A-Za-z0-9_\-])",
    "judgement: Azure's keys, among others, are 32 or 84 characters without a mark of their own",
)

NAMES = (
    b"apikey", b"api_key", b"api-key", b"secretkey", b"secret_key", b"secret-key",
    b"clientsecret", b"client_secret", b"client-secret", b"accesstoken", b"access_token",
    b"access-token", b"authtoken", b"auth_token", b"auth-token",
)  # fmt: skip
"""What, in lower case, announces that a run is a `NAMED` secret."""

_PRIVATE_KEY = SecretKind(
    name="a private key",
    rule="secret.private_key",
    pattern=r"-----BEGIN (?:[A-Z0-9]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[^\"]{0,8000}?-----END (?:[A-Z0-9]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\s|\\[nrt])*[A-Za-z0-9+/=]{16,})*)",
    source="RFC 7468; GnuPG for PGP",
    needle="-----BEGIN ",
    shown=11,
)

_URL_PASSWORD = SecretKind(
    name="a connection string with a password",
    rule="secret.password",
    pattern=r"(?<=[A-Za-z0-9]):\\?/\\?/[^\s:@/\"'\\<>{}$]{0,64}:"
    r"([^\s@/\"'\\<>{}$]{3,200})@[A-Za-z0-9\[]",
    source="RFC 3986 section 3.2.1",
    needle="://",
    shown=0,
)

_NAMED_PASSWORD = SecretKind(
    name="a connection string with a password",
    rule="secret.password",
    pattern=r"(?:(?<=assw)ord|[Pp]wd|PWD)=([^;\"'\\\s<>{}$]{3,200})",
    source="Microsoft documentation, connection string syntax (ADO.NET, ODBC)",
    assigned=("ord", "pwd", "Pwd", "PWD"),
    nearby=r"(?i)(?:server|data source|host|hostname|addr|address)\s?=\s?[^;\"\s]{1,200};",
    shown=0,
)

KINDS = (
    *_MODEL_SERVICES,
    *_CLOUDS,
    *_DEVELOPMENT,
    *_BUSINESS,
    NAMED,
    _JWT,
    _PRIVATE_KEY,
    _URL_PASSWORD,
    _NAMED_PASSWORD,
)
"""Every kind. Of two that fit at the same place, the first one is named."""
