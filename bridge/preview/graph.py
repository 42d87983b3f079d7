"""Groups → rules → roles of two rule sets as one graph, in which what differs is marked.

Few rules are drawn one by one. Of many, those that differ are, and the others are folded, file by file, so that the
picture of five hundred rules shows the twelve that somebody changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias

from bridge.entitlements.rules import Conditions, Grant, Rule, RuleSet
from bridge.language import mark, translate, translate_number
from bridge.preview.compare import Comparison
from bridge.preview.narrowing import find_changed_rules

Column: TypeAlias = Literal["who", "rule", "what"]
Mark: TypeAlias = Literal["same", "added", "removed", "altered"]

FEW_RULES = 20
"""Up to so many, each is drawn."""
MOST_DRAWN = 30
"""Of the rules that differ."""
MOST_FILES = 6
MOST_ENDS = 5
"""How many groups, or roles, of one rule are drawn where much is folded."""
_MORE: Mapping[Mark, str] = {
    "added": mark("more rules added"),
    "removed": mark("more rules removed"),
    "altered": mark("more rules changed"),
}


@dataclass(frozen=True)
class Box:
    """A group, a rule or a role; or, folded, several of them."""

    key: str
    column: Column
    title: str
    note: str
    mark: Mark
    folded: bool = False


@dataclass(frozen=True)
class Line:
    """From a group to a rule, or from a rule to a role."""

    start: str
    end: str
    mark: Mark
    denies: bool = False


@dataclass(frozen=True)
class Graph:
    """The picture, without places."""

    boxes: tuple[Box, ...]
    """In the order in which they are best drawn, column by column."""
    lines: tuple[Line, ...]
    rules: Mapping[Mark, int]
    """How many rules there are of each kind, folded ones too."""


@dataclass(frozen=True)
class _End:
    """One end of a line of a rule; the same key in both sets is the same box."""

    key: str
    title: str
    note: str
    limits: object = None
    """What may differ though the end is the same."""
    denies: bool = False


@dataclass(frozen=True)
class _Pair:
    """A rule as it is in both sets, or in one of them."""

    old: Rule | None
    new: Rule | None
    moved: bool = False

    @property
    def id(self) -> str:
        return self.one.id

    @property
    def one(self) -> Rule:
        rule = self.new or self.old
        if rule is None:
            raise ValueError("a pair without a rule")
        return rule

    @property
    def mark(self) -> Mark:
        if self.old is None:
            return "added"
        if self.new is None:
            return "removed"
        return "altered" if self.moved or replace(self.old, line=0) != replace(self.new, line=0) else "same"


def build_graph(before: RuleSet, after: RuleSet, comparison: Comparison | None = None) -> Graph:
    """Return the graph of two rule sets; a comparison of them adds how many people gain and lose."""
    pairs = _pair(before, after)
    drawn, folded = _choose(pairs)
    builder = _Builder(_mark_all_ends(pairs), _describe_people(comparison), generous=not folded)
    for pair in drawn:
        builder.add_rule(pair)
    for title, group in folded:
        builder.add_folded(title, group)
    marks: tuple[Mark, ...] = ("same", "added", "removed", "altered")
    counts = {mark: sum(pair.mark == mark for pair in pairs) for mark in marks}
    return Graph(tuple(builder.boxes.values()), tuple(builder.lines), counts)


def _pair(before: RuleSet, after: RuleSet) -> list[_Pair]:
    """Return all rules, in the order of the second set; one that is gone stands behind the one that it followed."""
    old = {rule.id: rule for rule in before.rules}
    new = {rule.id: rule for rule in after.rules}
    changed = {rule.id for rule in find_changed_rules(before.rules, after.rules)}
    order = list(new)
    previous = -1
    for rule in old:
        if rule in new:
            previous = order.index(rule)
        else:
            previous += 1
            order.insert(previous, rule)
    return [_Pair(old.get(rule), new.get(rule), moved=rule in changed) for rule in order]


def _choose(pairs: Sequence[_Pair]) -> tuple[list[_Pair], list[tuple[str, list[_Pair]]]]:
    """Return the rules that are drawn, and the others in groups with a title."""
    if len(pairs) <= FEW_RULES:
        return list(pairs), []
    changed = [pair for pair in pairs if pair.mark != "same"]
    folded: dict[str, list[_Pair]] = {}
    for pair in changed[MOST_DRAWN:]:
        folded.setdefault(translate(_MORE[pair.mark]), []).append(pair)
    same: dict[str, list[_Pair]] = {}
    for pair in pairs:
        if pair.mark == "same":
            same.setdefault(pair.id.partition(":")[0], []).append(pair)
    if len(same) > MOST_FILES:
        same = {translate("%(number)s files", number=len(same)): [pair for group in same.values() for pair in group]}
    return changed[:MOST_DRAWN], [*folded.items(), *same.items()]


class _Builder:
    def __init__(self, marks: Mapping[str, Mark], people: Mapping[str, str], *, generous: bool) -> None:
        self.boxes: dict[str, Box] = {}
        self.lines: list[Line] = []
        self._marks = marks
        self._people = people
        self._most_ends = 1_000 if generous else MOST_ENDS

    def add_rule(self, pair: _Pair) -> None:
        file, _, name = pair.id.partition(":")
        self._add(Box(f"rule:{pair.id}", "rule", name, _describe_file(file, pair.one), pair.mark))
        self._add_ends(pair, "who")
        self._add_ends(pair, "what")

    def add_folded(self, title: str, pairs: Sequence[_Pair]) -> None:
        mark = pairs[0].mark
        key = f"rule:folded {title}"
        count = len(pairs)
        if mark == "same":
            name = translate_number("%(number)s rule unchanged", "%(number)s rules unchanged", count)
            note = title
        else:
            name = translate("%(number)s %(change)s", number=count, change=title)
            note = translate("not drawn one by one")
        self._add(Box(key, "rule", name, note, mark, folded=True))
        who = {end.key for pair in pairs for end in _find_who(pair.one)}
        what = {end.key for pair in pairs for end in _find_what(pair.one)}
        accounts = {account for pair in pairs for account in _find_accounts(pair.one)}
        whom = translate_number("%(number)s group or condition", "%(number)s groups or conditions", len(who))
        self._add(Box(f"who:folded {title}", "who", whom, translate("of these rules"), "same", folded=True))
        roles = translate_number("%(number)s role or user", "%(number)s roles and users", len(what))
        where = translate("in %(account)s", account=next(iter(accounts)))
        if len(accounts) > 1:
            where = translate("in %(number)s accounts", number=len(accounts))
        self._add(Box(f"what:folded {title}", "what", roles, where, "same", folded=True))
        self.lines += [Line(f"who:folded {title}", key, mark), Line(key, f"what:folded {title}", mark)]

    def _add_ends(self, pair: _Pair, column: Literal["who", "what"]) -> None:
        find = _find_who if column == "who" else _find_what
        old = {end.key: end for end in (find(pair.old) if pair.old else ())}
        new = {end.key: end for end in (find(pair.new) if pair.new else ())}
        ends = [(end, _compare(old.get(key), new.get(key))) for key, end in (old | new).items()]
        ends.sort(key=lambda item: item[1] == "same")
        shown = ends if len(ends) <= self._most_ends + 1 else ends[: self._most_ends]
        for end, change in shown:
            note = self._people.get(end.key, end.note)
            self._add(Box(end.key, column, end.title, note, self._marks[end.key]))
            self._connect(column, pair, end.key, change, denies=end.denies)
        if len(shown) < len(ends):
            rest = [mark for _, mark in ends[len(shown) :]]
            mark = rest[0] if len(set(rest)) == 1 else "altered"
            key = f"{column}:rest of {pair.id}"
            if column == "who":
                title = translate("%(number)s more groups", number=len(rest))
            else:
                title = translate("%(number)s more roles and users", number=len(rest))
            note = translate("of %(rule)s", rule=pair.id.partition(":")[2])
            self._add(Box(key, column, title, note, mark, folded=True))
            self._connect(column, pair, key, mark, denies=bool(pair.one.denials) and column == "what")

    def _connect(self, column: Column, pair: _Pair, key: str, mark: Mark, *, denies: bool) -> None:
        rule = f"rule:{pair.id}"
        self.lines.append(Line(key, rule, mark) if column == "who" else Line(rule, key, mark, denies))

    def _add(self, box: Box) -> None:
        self.boxes.setdefault(box.key, box)


def _mark_all_ends(pairs: Iterable[_Pair]) -> dict[str, Mark]:
    """Return for each group and role whether it is named by the first rules, the second, or both."""
    old = {end.key for pair in pairs if pair.old for end in (*_find_who(pair.old), *_find_what(pair.old))}
    new = {end.key for pair in pairs if pair.new for end in (*_find_who(pair.new), *_find_what(pair.new))}
    return {key: "same" if key in old and key in new else "added" if key in new else "removed" for key in old | new}


def _compare(old: _End | None, new: _End | None) -> Mark:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    return "same" if old.limits == new.limits else "altered"


def _find_who(rule: Rule) -> list[_End]:
    """Return whom a rule is about: its groups, or else its first condition."""
    if rule.groups:
        return [_End(f"who:group {group}", group, translate("group")) for group in sorted(rule.groups)]
    if rule.claims:
        name, values = rule.claims[0]
        text = ", ".join(sorted(values))
        return [_End(f"who:claim {name}={text}", text, translate("claim %(name)s", name=name))]
    if rule.when:
        return [_End(f"who:when {rule.when.text}", rule.when.text, translate("condition"))]
    if rule.providers:
        text = ", ".join(sorted(rule.providers))
        title = translate("everybody of %(provider)s", provider=text)
        return [_End(f"who:provider {text}", title, translate("provider"))]
    return [_End("who:everybody", translate("everybody"), translate("any provider"))]


def _find_what(rule: Rule) -> list[_End]:
    grants = [
        _End(
            f"what:{each.account}|{each.kind}|{each.name.text}",
            each.name.text,
            _place(each.kind, each.account),
            _limits(each),
        )
        for each in rule.grants
    ]
    denials = []
    for target in rule.denials:
        kind, name = ("role", target.role) if target.role else ("user", target.user)
        title = name or translate("everything")
        note = _place("role" if not name else kind, target.account)
        denials.append(_End(f"what:{target.account}|{kind if name else 'all'}|{title}", title, note, denies=True))
    return [*grants, *denials]


def _place(kind: str, account: str) -> str:
    if kind == "role":
        return translate("in %(account)s", account=account)
    return translate("user in %(account)s", account=account)


def _limits(grant: Grant) -> object:
    """Return what a grant allows, without the texts on its card."""
    return (grant.duration_seconds, grant.session_policy, grant.terminal_role, grant.allowed_roles)


def _find_accounts(rule: Rule) -> set[str]:
    return {grant.account for grant in rule.grants} | {target.account for target in rule.denials}


def _describe_file(file: str, rule: Rule) -> str:
    """Return the rule's file, and how many conditions there are beside the one that is drawn."""
    more = sum(bool(getattr(rule, field.name)) for field in fields(Conditions)) - 1
    if more < 1:
        return file
    return translate_number("%(file)s · +%(number)s condition", "%(file)s · +%(number)s conditions", more, file=file)


def _describe_people(comparison: Comparison | None) -> dict[str, str]:
    """Return by the key of a role where it is, and how many people gain and lose it."""
    people: dict[tuple[str, str, str], dict[str, set[str]]] = {}
    for each in comparison.differences if comparison else ():
        what = each.difference.what
        by_effect = people.setdefault((what.account, what.kind, what.name), {})
        by_effect.setdefault(each.difference.effect, set()).add(each.person)
    return {
        f"what:{account}|{kind}|{name}": " · ".join([account, *_count_effects(by_effect)])
        for (account, kind, name), by_effect in people.items()
    }


def _count_effects(people: Mapping[str, set[str]]) -> Iterator[str]:
    if "gains" in people:
        yield translate("%(number)s gain", number=len(people["gains"]))
    if "loses" in people:
        yield translate("%(number)s lose", number=len(people["loses"]))
    if "limits" in people:
        yield translate("%(number)s other limits", number=len(people["limits"]))
