"""A certificate authority of one's own, made at run time, and a server certificate of it.

Nothing is kept: the keys live as long as the folder that they were written to, and only a program
that is pointed at `Authority.bundle` trusts them.
"""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["Authority"]

_DAYS = 30


class Authority:
    """A certificate authority and the certificate of one server on this machine.

    Args:
        folder: Where the files are written; the keys are readable by their owner alone.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.bundle = folder / "ca.pem"
        """What a client has to trust: ``REQUESTS_CA_BUNDLE`` of Azure's SDKs."""
        self._chain = folder / "server.pem"
        if not self._chain.exists():
            _write(self.bundle, self._chain)

    def context(self) -> ssl.SSLContext:
        """Return what a server needs to answer as 127.0.0.1 or localhost."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._chain)
        return context

    def trusting(self) -> ssl.SSLContext:
        """Return what a client needs that trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.bundle))


def _write(bundle: Path, chain: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = _name("ftproviders emulator CA"), _name("127.0.0.1")
    root = _certificate(root_name, issuer=root_name, of=root_key, by=root_key, authority=True)
    leaf = _certificate(name, issuer=root_name, of=key, by=root_key, authority=False)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.touch(mode=0o600)
    chain.write_bytes(secret + leaf.public_bytes(pem))
    bundle.write_bytes(root.public_bytes(pem))


def _name(text: str) -> x509.Name:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _certificate(
    name: x509.Name,
    *,
    issuer: x509.Name,
    of: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    authority: bool,
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    now = datetime.now(UTC)
    # Strict verifiers (Python 3.13) want the key identifiers and the key usage.
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(of.public_key())
        .serial_number(x509.random_serial_number())
        # A day of grace: the clock of whoever connects may be behind.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(of.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False
        )
    )
    if not authority:
        hosts = [
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.DNSName("localhost"),
        ]
        made = made.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    return made.sign(by, hashes.SHA256())
