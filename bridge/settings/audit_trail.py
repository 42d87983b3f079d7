"""``trail`` in ``audit.yaml``: how imported ActionTrail events are judged."""

from pydantic import Field

from bridge.described import Described
from bridge.settings.role_pattern import RolePattern


class TrailSettings(Described):
    """How imported ActionTrail events are judged."""

    governed: tuple[RolePattern, ...] = ()
    """Roles, as `ACCOUNT/ROLE`, whose credentials nobody else may issue, beside those that the rules can grant."""
    shared: tuple[RolePattern, ...] = ()
    """Of all these, the ones that others may use as well: nothing is said of them."""
    clock_tolerance_seconds: int = Field(default=600, ge=0, le=3600)
    """How far the cloud's clock and ours may be apart, in seconds."""
    settling_seconds: int = Field(default=3600, ge=0, le=86_400)
    """How late an event may come, in seconds. Nothing is called a stray before events that are so much younger were
    imported."""
