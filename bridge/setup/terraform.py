"""What an account must have, as Terraform for the provider ``aliyun/alicloud`` (1.252 or later).

Everything that set-up would make stands there, whether RAM has it or not; the ``import`` block in front of each, which
is a comment, takes over what is there already. Policies are left to you: attach them with
``alicloud_ram_role_policy_attachment``.
"""

import base64
import json
import re
from collections.abc import Iterator

from bridge.setup.desired import Desired
from bridge.setup.trust import encode


def write_terraform(desired: Desired) -> str:
    """Return the text of a ``.tf`` file."""
    account = desired.account
    lines = [
        f"# Account {account.id} ({account.name}), written by `rambridge setup plan --terraform`.",
        "# It needs the provider aliyun/alicloud 1.252 or later.",
        *(f"# Decided at sign-in, so not here: {name}" for name in desired.decided_at_sign_in),
        *(f"# {note}" for note in desired.notes),
        *_resources(desired),
    ]
    return "\n".join(lines) + "\n"


def _resources(desired: Desired) -> Iterator[str]:
    saml, oidc = desired.saml_provider, desired.oidc_provider
    if saml:
        # The resource cannot say how the console signs its requests; RAM's default, SHA-1, is what it gets.
        yield from _resource(
            "alicloud_ram_saml_provider",
            saml.name,
            saml_provider_name=saml.name,
            encodedsaml_metadata_document=base64.b64encode(saml.metadata).decode(),
            description="Rambridge",
        )
    if oidc:
        yield from _resource(
            "alicloud_ims_oidc_provider",
            oidc.name,
            oidc_provider_name=oidc.name,
            issuer_url=oidc.issuer,
            client_ids=list(oidc.client_ids),
            fingerprints=list(oidc.fingerprints),
            description="Rambridge",
        )
    for role in desired.roles:
        yield from _resource(
            "alicloud_ram_role",
            role.name,
            role_name=role.name,
            assume_role_policy_document=encode(role.trust),
            max_session_duration=role.max_session_seconds,
            description=f"Rambridge: {', '.join(role.rules)}",
        )
    for user in desired.users:
        yield from _resource("alicloud_ram_user", user, name=user)


def _resource(kind: str, entity: str, /, **values: str | int | list[str]) -> Iterator[str]:
    label = _label(entity)
    yield ""
    yield f'# import {{ to = {kind}.{label}, id = "{entity}" }}'
    yield f'resource "{kind}" "{label}" {{'
    width = max(len(key) for key in values)
    yield from (f"  {key:<{width}} = {_value(value)}" for key, value in values.items())
    yield "}"


def _label(name: str) -> str:
    """Return a name that Terraform takes: it begins with a letter and has no dots."""
    label = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return label if label[0].isalpha() else f"_{label}"


def _value(value: str | int | list[str]) -> str:
    # A JSON text is an HCL text, once what begins an expression there is doubled.
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
