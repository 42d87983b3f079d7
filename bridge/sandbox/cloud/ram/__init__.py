"""RAM 2015-05-01: users, groups, roles, policies, what is attached to whom, and access keys."""

from bridge.sandbox.cloud.ram import access_keys, attachments, groups, policies, roles, users

VERSION = "2015-05-01"
OPERATIONS = {
    **users.OPERATIONS,
    **groups.OPERATIONS,
    **roles.OPERATIONS,
    **policies.OPERATIONS,
    **attachments.OPERATIONS,
    **access_keys.OPERATIONS,
}
