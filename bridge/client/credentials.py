"""Temporary credentials that do not show themselves, and the forms in which programs take them."""

import json
import shlex
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Credentials:
    """What the service gave."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(repr=False)
    expires_at: datetime
    """UTC."""

    @property
    def expiration(self) -> str:
        """Return the end as every SDK reads it: ``YYYY-MM-DDTHH:MM:SSZ``."""
        return self.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that the SDKs and Terraform read, the CLI if it ignores its profiles, and ossutil."""
        return {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": self.access_key_id,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": self.access_key_secret,
            "ALIBABA_CLOUD_SECURITY_TOKEN": self.security_token,
            "ALIBABACLOUD_IGNORE_PROFILE": "TRUE",
            "OSS_ACCESS_KEY_ID": self.access_key_id,
            "OSS_ACCESS_KEY_SECRET": self.access_key_secret,
            "OSS_SESSION_TOKEN": self.security_token,
        }


def write_external(credentials: Credentials) -> str:
    """Return what the mode External of the CLI and of every SDK reads from a process."""
    return json.dumps(
        {
            "mode": "StsToken",
            "access_key_id": credentials.access_key_id,
            "access_key_secret": credentials.access_key_secret,
            "sts_token": credentials.security_token,
            "expiration": credentials.expiration,
        }
    )


def write_json(credentials: Credentials) -> str:
    """Return what a credentials service answers (``ALIBABA_CLOUD_CREDENTIALS_URI``, ECS metadata)."""
    return json.dumps(
        {
            "Code": "Success",
            "AccessKeyId": credentials.access_key_id,
            "AccessKeySecret": credentials.access_key_secret,
            "SecurityToken": credentials.security_token,
            "Expiration": credentials.expiration,
        }
    )


def write_environment(credentials: Credentials) -> str:
    """Return shell lines that set the variables."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in credentials.environment.items())


FORMATS = {"external": write_external, "json": write_json, "env": write_environment}
