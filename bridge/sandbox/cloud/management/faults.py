"""Refusals of the management services, in the vendor's codes.

Reference: RAM, "API errors"; the codes that Terraform's provider for Alibaba Cloud expects.
"""

from bridge.sts_wire.reply import STSFault


def not_found(kind: str, name: str) -> STSFault:
    """Return the refusal for something that does not exist, such as ``User`` or ``User.Policy``."""
    return STSFault(f"EntityNotExist.{kind}", 404, f"The {_in_words(kind)} does not exist: {name[:128]}.")


def already_exists(kind: str, name: str) -> STSFault:
    """Return the refusal for a name that is taken."""
    return STSFault(f"EntityAlreadyExists.{kind}", 409, f"The {_in_words(kind)} already exists: {name[:128]}.")


def limit_exceeded(kind: str, limit: int) -> STSFault:
    """Return the refusal for one more than the quota allows."""
    return STSFault(f"LimitExceeded.{kind}", 409, f"The {_in_words(kind)} count is beyond the limit of {limit}.")


def delete_conflict(kind: str, dependent: str) -> STSFault:
    """Return the refusal to delete what something else still hangs on."""
    return STSFault(
        f"DeleteConflict.{kind}.{dependent}", 409, f"The {_in_words(kind)} still has a {dependent.lower()}."
    )


def invalid_characters(name: str) -> STSFault:
    """Return the refusal of a parameter's characters."""
    return STSFault(f"InvalidParameter.{name}.InvalidChars", 400, f'The parameter - "{name}" contains invalid chars.')


def invalid_length(name: str) -> STSFault:
    """Return the refusal of a parameter's length."""
    return STSFault(f"InvalidParameter.{name}.Length", 400, f'The parameter - "{name}" beyond the length limit.')


def _in_words(kind: str) -> str:
    return kind.replace(".", " ").lower() if kind.islower() else " of the ".join(reversed(kind.split("."))).lower()
