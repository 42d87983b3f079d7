"""The forms of a page, and what may be filled into them."""

from dataclasses import dataclass, field


@dataclass
class Control:
    """One field or button of a form."""

    kind: str
    """``hidden``, ``text``, ``password``, ``radio``, ``checkbox``, ``select``, ``submit`` …."""
    name: str
    value: str
    chosen: bool
    """Whether it is sent unless somebody changes it."""
    text: str = ""
    """The visible text, or the accessible name, of a button."""
    action: str | None = None
    """``formaction`` of a button."""


@dataclass
class Form:
    """One form of a page."""

    id: str
    method: str
    action: str
    """Absolute."""
    auto_submit: bool
    controls: list[Control] = field(default_factory=list)

    @property
    def fields(self) -> dict[str, str]:
        """What would be sent if it were submitted as it stands, without a button: one value for each name."""
        sent = (each for each in self.controls if each.chosen and each.name and each.kind != "submit")
        return {each.name: each.value for each in sent}

    @property
    def buttons(self) -> list[Control]:
        """Its submit buttons, in the order of the page."""
        return [each for each in self.controls if each.kind == "submit"]

    def check_fillable(self, name: str, value: str) -> None:
        """Somebody could fill ``value`` into the field ``name``. Raises LookupError."""
        controls = [each for each in self.controls if each.name == name and each.kind != "submit"]
        if not controls:
            raise LookupError(f"the form has no field {name!r}, only {sorted(self.fields)}")
        if controls[0].kind == "radio" and value not in [each.value for each in controls]:
            raise LookupError(f"{name!r} offers {[each.value for each in controls]}, not {value!r}")
