# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate of the TLS port, and the certificate authority in the data folder that signs it.

The authority stays the same, so that users trust it once. Its files have the names that mkcert uses. Each start makes
a new certificate, which is not stored.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local_edge.model import subdomains
from local_edge.runtime.config import KeyPair
from local_edge.settings import Zone, encoded

AUTHORITY, AUTHORITY_KEY = "rootCA.pem", "rootCA-key.pem"
#: The validity of the authority, and of a certificate, which browsers limit. An authority is replaced before it ends.
AUTHORITY_DAYS, CERTIFICATE_DAYS, RENEW_DAYS = 3650, 397, 400
HOST = re.compile(r"(\*\.)?[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


class CertificateError(Exception):
    """The authority cannot be used. The text includes the remedy."""


def default_hosts(zones: Sequence[Zone]) -> list[str]:
    """Return the names of every certificate: this machine, the hosts of Workers, and zones with their subdomains."""
    own = [f"*.{subdomains.DEFAULT_LABEL}.{domain}" for domain in subdomains.DOMAINS]
    domains = [subdomains.LOCAL_DOMAIN, *(zone.name for zone in zones)]
    return ["localhost", "127.0.0.1", "::1", *own, *(name for domain in domains for name in (domain, f"*.{domain}"))]


def check_host(text: str) -> str:
    """Return a name for a certificate. Raise ValueError if it is neither a host name nor an address."""
    name = encoded(text.strip().lower().rstrip("."))
    if not HOST.fullmatch(name):
        ipaddress.ip_address(name)
    return name


def general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def builder(name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Name | None, days: int) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def create_authority(folder: Path) -> None:
    """Write a new authority into the folder. Only its owner can read the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    certificate = (
        builder(f"Local Edge of {os.uname().nodename}"[:64], key, None, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(mode=0o700, exist_ok=True)
    key_file = folder / AUTHORITY_KEY
    key_file.unlink(missing_ok=True)
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem_of(key))
    (folder / AUTHORITY).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def load_authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return the authority in the folder. Create it if it is missing or about to expire."""
    files = [folder / AUTHORITY, folder / AUTHORITY_KEY]
    for _attempt in range(2):
        if not all(file.exists() for file in files):
            create_authority(folder)
        certificate = x509.load_pem_x509_certificate(files[0].read_bytes())
        key = serialization.load_pem_private_key(files[1].read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise ValueError("the key does not belong to the certificate")
        if certificate.not_valid_after_utc > datetime.now(timezone.utc) + timedelta(days=RENEW_DAYS):
            return certificate, key
        files[0].unlink()
    raise AssertionError("a new authority is valid for years")


def issue(folder: Path, hosts: Sequence[str]) -> KeyPair:
    """Return a certificate for these hosts. Raise CertificateError if the authority in the folder is not usable."""
    try:
        authority, authority_key = load_authority(folder)
    except (OSError, ValueError, TypeError) as error:
        raise CertificateError(
            f"--https: the certificate authority in {folder} cannot be used ({error}). Delete this folder, and trust "
            "the new authority."
        ) from None
    key = ec.generate_private_key(ec.SECP256R1())
    names = [general_name(name) for name in dict.fromkeys(hosts)]
    certificate = (
        builder("Local Edge", key, authority.subject, CERTIFICATE_DAYS)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM).decode(), pem_of(key).decode())
