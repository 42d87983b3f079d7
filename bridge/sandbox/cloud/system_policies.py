"""The system policies of the stand-in cloud: a few of Alibaba Cloud's own, by their names.

The live service has more than a thousand, and those that read (``ReadOnlyAccess``) list every service; here they say
the same in wildcards.
"""

from typing import Any

from bridge.sandbox.cloud.policy import PermissionPolicy

_READING = ["Get*", "List*", "Describe*", "Query*"]


def _allow(*actions: str) -> PermissionPolicy:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return PermissionPolicy.model_validate({"Version": "1", "Statement": [statement]})


SYSTEM_POLICIES: dict[str, tuple[str, PermissionPolicy]] = {
    "AdministratorAccess": ("Everything", _allow("*")),
    "ReadOnlyAccess": ("Reading everything", _allow(*(f"*:{verb}" for verb in _READING))),
    "AliyunECSFullAccess": ("Everything in ECS", _allow("ecs:*")),
    "AliyunECSReadOnlyAccess": ("Reading ECS", _allow("ecs:Describe*", "ecs:List*")),
    "AliyunOSSFullAccess": ("Everything in OSS", _allow("oss:*")),
    "AliyunOSSReadOnlyAccess": ("Reading OSS", _allow("oss:Get*", "oss:List*")),
    "AliyunRAMFullAccess": ("Everything in RAM", _allow("ram:*", "ims:*")),
    "AliyunRAMReadOnlyAccess": ("Reading RAM", _allow("ram:Get*", "ram:List*", "ims:Get*", "ims:List*")),
    "AliyunSTSAssumeRoleAccess": ("Assuming roles", _allow("sts:AssumeRole")),
}
"""Description and document by name."""
