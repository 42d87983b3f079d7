"""``forwarding`` in ``audit.yaml``: who gets the records as they are made."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from bridge.described import Described
from bridge.settings.checks import split_web_url
from bridge.yaml_documents import refusal

Format = Literal["records", "ocsf"]
Personal = Literal["opened", "sealed"]
ReceiverName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


def check_webhook_url(url: str) -> str:
    """Return the address of a webhook; refuse what is none."""
    if split_web_url(url) is None:
        raise refusal(
            "`url` is not the address of a webhook", "Write, for example, https://siem.example.com/rambridge."
        )
    return url


def _check_endpoint(endpoint: str) -> str:
    parts = split_web_url(endpoint)
    if parts is None or endpoint != f"{parts.scheme}://{parts.netloc}":
        raise refusal("`endpoint` is not the address of a service", "Write https://REGION.log.aliyuncs.com.")
    return endpoint


class _Receiver(Described):
    name: ReceiverName
    """How commands and pages name it. A new name is a new receiver, with a place of its own in the log."""
    format: Format = "records"
    """`records`, or events of the Open Cybersecurity Schema Framework: `ocsf`."""
    personal: Personal = "opened"
    """Whether it gets what records say of people, or only digests. What it got cannot be forgotten there from here."""
    from_the_beginning: bool = False
    """Whether it gets what was recorded before it was first configured."""


class SyslogReceiver(_Receiver):
    """Syslog over TLS (RFC 5424 and 5425)."""

    to: Literal["syslog"]
    host: Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]{1,253})$")]
    """A name or an address, which the receiver's certificate must be for."""
    port: int = Field(default=6514, ge=1, le=65_535)
    """6514 is allowed; another one must be in `outbound.allowed_ports`."""
    ca_file: Path | None = None
    """The authorities whose certificates are believed (PEM), relative to this file; the system's where it is absent."""
    certificate: Path | None = None
    """Our certificate and its key (PEM), relative to this file, for a receiver that wants to know who we are."""
    confirmed_by: Literal["tls_close", "tcp_close"] = "tls_close"
    """What says that the receiver has everything. `tcp_close` is for receivers that never answer TLS's close_notify."""


class WebhookReceiver(_Receiver):
    """An HTTPS webhook, with bodies signed as Standard Webhooks wants it."""

    to: Literal["webhook"]
    url: Annotated[str, AfterValidator(check_webhook_url)]
    """Where batches of records are posted."""
    secret: SecretStr
    """A reference to the secret that the signatures are made with; as it is, or base64 after `whsec_`."""
    ca_file: Path | None = None
    """The authorities whose certificates are believed (PEM), relative to this file."""


class SimpleLogServiceReceiver(_Receiver):
    """Alibaba Cloud's Simple Log Service, through its SDK: `pip install 'rambridge[sls]'`."""

    to: Literal["sls"]
    endpoint: Annotated[str, AfterValidator(_check_endpoint)]
    """Such as https://cn-hangzhou.log.aliyuncs.com; within a VPC https://cn-hangzhou-intranet.log.aliyuncs.com."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{2,40}$")]
    """Such as cn-hangzhou."""
    project: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
    """The project."""
    logstore: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{1,62}$")]
    """The log store in it. One shard gets all records, since a shard is what keeps their order."""
    access_key_id: SecretStr | None = None
    """A reference. Without it the SDK's default chain is asked: environment, then the machine's own RAM role."""
    access_key_secret: SecretStr | None = None
    """A reference."""


ReceiverSettings = Annotated[SyslogReceiver | WebhookReceiver | SimpleLogServiceReceiver, Field(discriminator="to")]
