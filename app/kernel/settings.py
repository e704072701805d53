"""The environment, read once.

Every setting is an environment variable `AFTERGLOW_<NAME>`; README.md has the table, and a test
compares the two.
"""

import os
import secrets
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What a deployment says about itself."""

    model_config = SettingsConfigDict(env_prefix="AFTERGLOW_", frozen=True)

    database_url: str | None = Field(
        None,
        description="PostgreSQL for the application, as a role that owns nothing"
        " (`postgresql+psycopg://…`). Unset: an embedded PostgreSQL in the data directory.",
    )
    migration_url: str | None = Field(
        None, description="The same database as the role that owns it. Default: the database URL."
    )
    listen_url: str | None = Field(
        None,
        description="A direct connection for LISTEN when the database URL goes through a pooler."
        " Default: the database URL.",
    )
    data_dir: Path = Field(
        Path("var"), description="Embedded database, generated keys, sign-ins of the demo."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str | None = Field(
        None,
        description="How clients reach this server; also the issuer of its tokens."
        " Default: made from host and port.",
    )
    key_file: Path | None = Field(
        None,
        description="Key-encryption and blind-index keys (JSON). Default: made once in the data"
        " directory. Losing it loses every sealed word.",
    )
    signing_keys: Path | None = Field(
        None,
        description="Private keys for access tokens (JWKS). Default: made once in the data"
        " directory.",
    )
    vapid_key: Path | None = Field(
        None,
        description="Private key that Web Push is signed with (JWKS). Default: made once in the"
        " data directory. With another key every phone has to subscribe again.",
    )
    smtp_url: str | None = Field(
        None,
        # The separators of an address are percent-encoded in a user's name or password.
        pattern=r"^smtps?://([^\s/?#@]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?/?$",
        description="Where mail is handed in: `smtp://user:password@host:587` (STARTTLS, except on"
        " this machine) or `smtps://…`. Unset: no mail is sent.",
    )
    mail_from: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]+$",
        description="The address mail comes from, and the contact that push services are given.",
    )
    smtp_timeout_seconds: float = Field(
        10, gt=0, le=60, description="How long a mail server may take for each of its answers."
    )
    outbound_allow: str | None = Field(
        None,
        description="Networks that webhooks and push services may be in although they are not"
        " public, with commas between (`10.1.0.0/16,fd00:1::/64`). Unset: none.",
    )
    connections: int = Field(
        12, ge=1, le=200, description="Connections to PostgreSQL per API process, at most."
    )
    test_database_url: str | None = Field(
        None,
        description="Run the test suite on this PostgreSQL (a superuser's URL) instead of an"
        " embedded one.",
    )

    @property
    def base_url(self) -> str:
        """How clients reach this server, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def outbound_networks(self) -> frozenset[IPv4Network | IPv6Network]:
        """Networks opened deliberately."""
        return _networks(self.outbound_allow or "")

    @field_validator("mail_from")
    @classmethod
    def _mail_has_a_sender(cls, address: str | None, info: ValidationInfo) -> str | None:
        if address is None and info.data.get("smtp_url") is not None:
            raise ValueError("mail needs an address to come from")
        return address

    @field_validator("outbound_allow")
    @classmethod
    def _networks_are_networks(cls, text: str | None) -> str | None:
        _networks(text or "")
        return text


def _networks(text: str) -> frozenset[IPv4Network | IPv6Network]:
    """Raises: ValueError."""
    return frozenset(ip_network(part.strip()) for part in text.split(",") if part.strip())


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """A secret file's text; made with mode 0600 on first use, whole or not at all."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret(path, make(), replace=False)
    return path.read_text()


def write_secret(path: Path, text: str, *, replace: bool = True) -> None:
    """Write a file only its owner can read. Without `replace` the first writer wins."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if replace:
        draft.replace(path)
        return
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process made it first, and its key is the one
    finally:
        draft.unlink()
