"""The configuration of somebody who has 400 roles in 60 accounts, as a large group of companies has them."""

from pathlib import Path

UNITS = (
    "Payments",
    "Logistics",
    "Retail",
    "Marketing",
    "Analytics",
    "Identity",
    "Finance",
    "Human Resources",
    "Customer Care",
    "Warehouse",
    "Search",
    "Network",
)
STAGES = ("Production", "Staging", "Testing", "Development", "Recovery")
ROLES = ("Administrator", "Developer", "Read only", "Billing", "Operator", "Database", "Support")
COUNT = 400


def list_roles() -> list[tuple[str, str]]:
    """Return the title of the account and of the role, of 400 roles: 40 accounts have seven, 20 have six."""
    accounts = [f"{unit} {stage}" for unit in UNITS for stage in STAGES]
    pairs = [(account, role) for role in ROLES for account in accounts]
    return pairs[:COUNT]


def write_many(config: Path, uid: str = "lin.wei") -> None:
    """Add the accounts, and a rule that gives all of their roles to one person."""
    model = (config / "accounts" / "acme-production.yaml").read_text()
    grants = {}
    for number, (account, role) in enumerate(list_roles()):
        name = account.lower().replace(" ", "-")
        if name not in grants:
            text = model.replace("acme-production", name).replace("Acme Production", account)
            text = text.replace("1000000000000001", f"2{number:015}").replace("Platform team", account.split(" ")[0])
            (config / "accounts" / f"{name}.yaml").write_text(text)
        grants.setdefault(name, []).append(role)
    entries = "".join(
        f"      - account: {name}\n        role: {role.replace(' ', '')}\n        title: {role}\n"
        f"        purpose: Daily work as {role.lower()}.\n"
        for name, roles in grants.items()
        for role in roles
    )
    rule = f"rules:\n  - name: many\n    claims: {{uid: {uid}}}\n    grant:\n{entries}"
    (config / "rules" / "50-many.yaml").write_text(rule)
