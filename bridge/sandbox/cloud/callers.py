"""Who may call the cloud: a RAM user with a long-term key, or somebody who is a role for a while."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from bridge.sandbox.cloud.entities import Account, User
from bridge.sandbox.cloud.policy import PermissionPolicy
from bridge.sts_wire.arn import ARN, build_caller_arn


@dataclass(frozen=True)
class UserCaller:
    """A RAM user who signed with an AccessKey."""

    account: Account
    user: User
    source_identity: None = None
    """Users have none; a role session may."""

    @property
    def arn(self) -> ARN:
        """Return the user's name in RAM."""
        return self.account.build_arn("user", self.user.name)

    @property
    def principal_arn(self) -> str:
        """Return the value of ``acs:PrincipalARN``."""
        return str(self.arn)


@dataclass(frozen=True)
class RoleSession:
    """Somebody being a role for a while."""

    role: ARN
    role_id: str
    name: str
    expires_at: datetime
    policy: PermissionPolicy | None = None
    """The session policy: it narrows what the role may do."""
    source_identity: str | None = None

    @property
    def arn(self) -> ARN:
        """Return the role's name in RAM."""
        return self.role

    @property
    def principal_arn(self) -> str:
        """Return the value of ``acs:PrincipalARN``."""
        return build_caller_arn(self.role, self.name)

    @property
    def principal_id(self) -> str:
        """Return the session's id, ``<role id>:<session name>``."""
        return f"{self.role_id}:{self.name}"


Caller: TypeAlias = UserCaller | RoleSession
