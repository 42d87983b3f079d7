"""What a role may do, in plain words: for its card, and for whoever looks for the right one."""

from bridge.entitlements.entitlement import Entitlement
from bridge.language import mark, translate, translate_number
from bridge.ram_policies.catalogue import SERVICES
from bridge.ram_policies.knowledge import RoleKnowledge
from bridge.ram_policies.shape import Shape

MOST_NAMED = 4


def describe_entitlement(entitlement: Entitlement, knowledge: RoleKnowledge) -> str:
    """Return what somebody may do with an entitlement; empty where that is not known, as of every RAM user."""
    if entitlement.kind != "role":
        return ""
    shape = knowledge.find_shape(entitlement.account, entitlement.name, entitlement.session_policy)
    return describe_shape(shape) if shape else ""


def describe_shape(shape: Shape) -> str:
    """Return one sentence without its full stop, in the language that is spoken."""
    text = _describe(shape)
    if shape.conditional and not shape.is_nothing:
        return translate("%(what)s (some of it under conditions)", what=text)
    return text


_SENTENCES = {
    (False, False, False): mark("Nothing yet: it has no permissions"),
    (True, False, False): mark("Manage %(managed)s"),
    (False, True, False): mark("Read %(read)s"),
    (False, False, True): mark("Some things in %(some)s"),
    (True, True, False): mark("Manage %(managed)s; read %(read)s"),
    (True, False, True): mark("Manage %(managed)s; some things in %(some)s"),
    (False, True, True): mark("Read %(read)s; some things in %(some)s"),
    (True, True, True): mark("Manage %(managed)s; read %(read)s; some things in %(some)s"),
}
"""By whether it manages, reads, and may do some things."""
_READERS = {
    (False, False): mark("Read everything"),
    (True, False): mark("Manage %(managed)s; read everything else"),
    (False, True): mark("Read everything, and more in %(some)s"),
    (True, True): mark("Manage %(managed)s; read everything else, and more in %(some)s"),
}
"""Of what reads everything, by whether it manages, and may do more than reading somewhere."""


def _describe(shape: Shape) -> str:
    managed, read = join_services(shape.manages), join_services(shape.reads)
    some = join_services((*shape.reads_and_more, *shape.some))
    if shape.manages_everything:
        return translate("Everything, including users and billing")
    if shape.manages_all_but_administration and not read and not some:
        return translate("Everything but users, keys and billing")
    if shape.reads_everything:
        return translate(_READERS[bool(managed), bool(some)], managed=managed, some=some)
    return translate(_SENTENCES[bool(managed), bool(read), bool(some)], managed=managed, read=read, some=some)


def join_services(names: tuple[str, ...]) -> str:
    """Return the services' names in a row, and of many only how many more there are."""
    titles = list(dict.fromkeys(_name(each) for each in names))
    if len(titles) > MOST_NAMED:
        shown, more = titles[: MOST_NAMED - 1], len(titles) - MOST_NAMED + 1
        return translate_number("%(some)s and %(number)s more", "%(some)s and %(number)s more", more, some=_row(shown))
    if len(titles) <= 1:
        return "".join(titles)
    return translate("%(some)s and %(last)s", some=_row(titles[:-1]), last=titles[-1])


def _row(titles: list[str]) -> str:
    """Return titles with what stands between words of a row."""
    row = titles[0]
    for each in titles[1:]:
        row = translate("%(some)s, %(next)s", some=row, next=each)
    return row


def _name(service: str) -> str:
    if service == "bss":
        return translate("billing")
    known = SERVICES.get(service)
    return known.title if known else service
