"""Resource Manager 2020-03-31, as far as policies need it: resource groups, and policies limited to one."""

from bridge.sandbox.cloud.resource_manager import attachments, groups

VERSION = "2020-03-31"
OPERATIONS = {**groups.OPERATIONS, **attachments.OPERATIONS}
