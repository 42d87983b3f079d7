"""Temporary credentials as the texts that Alibaba Cloud's tools read."""

import json
from dataclasses import dataclass, field

from bridge.clock import format_utc
from bridge.exchange.credentials import TemporaryCredentials
from bridge.language import spoken, translate


@dataclass(frozen=True)
class CredentialText:
    """One way to hand credentials over."""

    id: str
    title: str
    note: str
    text: str = field(repr=False)
    filename: str


def write_environment(credentials: TemporaryCredentials) -> CredentialText:
    """Return shell lines that set the variables which every Alibaba Cloud SDK and CLI reads."""
    lines = (
        f"export ALIBABA_CLOUD_ACCESS_KEY_ID={credentials.access_key_id}",
        f"export ALIBABA_CLOUD_ACCESS_KEY_SECRET={credentials.access_key_secret}",
        f"export ALIBABA_CLOUD_SECURITY_TOKEN={credentials.security_token}",
    )
    return CredentialText(
        id="environment",
        title=translate("Environment"),
        note=translate("Paste into a shell. The variables win over every profile."),
        text="\n".join(lines) + "\n",
        filename="credentials.sh",
    )


def write_json(credentials: TemporaryCredentials) -> CredentialText:
    """Return the JSON object of a credentials service (``ALIBABA_CLOUD_CREDENTIALS_URI``)."""
    content = {
        "Code": "Success",
        "AccessKeyId": credentials.access_key_id,
        "AccessKeySecret": credentials.access_key_secret,
        "SecurityToken": credentials.security_token,
        "Expiration": format_utc(credentials.expires_at),
    }
    return CredentialText(
        id="json",
        title="JSON",
        note=translate("For programs; the same object that a credentials service answers."),
        text=json.dumps(content, indent=2) + "\n",
        filename="credentials.json",
    )


def write_profile(credentials: TemporaryCredentials, name: str) -> CredentialText:
    """Return a ``config.json`` of the CLI with one profile of mode ``StsToken``.

    Args:
        credentials: what to write.
        name: the profile's name.
    """
    profile = {
        "name": name,
        "mode": "StsToken",
        "access_key_id": credentials.access_key_id,
        "access_key_secret": credentials.access_key_secret,
        "sts_token": credentials.security_token,
        "sts_expiration": int(credentials.expires_at.timestamp()),
        "region_id": "cn-hangzhou",
        "output_format": "json",
        "language": spoken().partition("-")[0],  # the CLI knows "en" and "zh"
    }
    return CredentialText(
        id="profile",
        title=translate("CLI profile"),
        note=translate("Save as ~/.aliyun/config.json, or add the profile to the one you have."),
        text=json.dumps({"current": name, "profiles": [profile]}, indent=2) + "\n",
        filename="config.json",
    )
