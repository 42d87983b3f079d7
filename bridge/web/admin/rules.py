"""The rules in force: what each says in plain words, and when and by how many people it was last used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby

from flask import Blueprint, Response, request

from bridge.clock import Clock
from bridge.entitlements.rules import Rule, RuleSet, RulesInForce
from bridge.errors import HistoryUnavailable, RolloutUnavailable
from bridge.exchange.accounts import Account
from bridge.history.history import History, RuleUse
from bridge.identity.providers import Provider
from bridge.rollout.versions import InForce, Versions
from bridge.web.admin.administration import Administration
from bridge.web.admin.rule_words import Words, describe_about, describe_conditions, describe_effects, iterate_searchable

PAGE = 200
"""Rules on one page."""
_BELIEVED = timedelta(minutes=1)
"""How old the figures of use may be: adding them up takes a tenth of a second in a large company."""


@dataclass(frozen=True)
class RuleRow:
    """What the page says of one rule."""

    id: str
    name: str
    line: int
    effect: str
    about: list[tuple[str, str]]
    conditions: list[Words]
    effects: list[Words]
    use: RuleUse | None


@dataclass(frozen=True)
class _Usage:
    asked_at: datetime
    by_rule: Mapping[str, RuleUse]
    oldest: datetime | None
    """The moment of the oldest sign-in that is kept."""
    is_known: bool = True


@dataclass(frozen=True)
class _Index:
    """What to look through, of one rule set."""

    rules: RuleSet
    files: Mapping[str, int]
    texts: Mapping[str, str]


class Rules:
    """The page about rules. Looking leaves no record: see docs/decisions/0041."""

    def __init__(  # noqa: PLR0917
        self,
        administration: Administration,
        rules: RulesInForce,
        history: History,
        providers: Mapping[str, Provider],
        accounts: Mapping[str, Account],
        clock: Clock,
        versions: Versions,
    ) -> None:
        """Take the frame, the rules and their versions, what is kept of sign-ins, the parties' titles and the clock."""
        self._administration = administration
        self._rules = rules
        self._history = history
        self._provider_titles = {name: provider.title for name, provider in providers.items()}
        self._account_titles = {name: account.title for name, account in accounts.items()}
        self._clock = clock
        self._versions = versions
        self._usage: _Usage | None = None
        self._index: _Index | None = None

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("admin_rules", __name__, url_prefix="/admin")
        routes.add_url_rule("/rules", "overview", self.overview)
        return routes

    def overview(self) -> Response:
        """List the rules; ``?text=``, ``?file=`` and ``?unused=1`` leave some out, ``?page=`` goes on."""
        index, usage = self._find_index(), self._find_usage()
        text, file = request.args.get("text", "").strip(), request.args.get("file", "")
        unused = bool(request.args.get("unused")) and usage.is_known
        found = _filter(index, text, file, usage.by_rule if unused else None)
        pages = max(1, -(-len(found) // PAGE))
        page = min(max(request.args.get("page", 1, type=int), 1), pages)
        shown = found[(page - 1) * PAGE : page * PAGE]
        files = [
            (name, [self._describe(rule, usage) for rule in rules]) for name, rules in groupby(shown, key=_find_file)
        ]
        return self._administration.render(
            "admin_rules.html",
            version=index.rules.version,
            change=self._find_change(index.rules),
            total=len(index.rules.rules),
            never=sum(rule.id not in usage.by_rule for rule in index.rules.rules),
            counts=index.files,
            usage=usage,
            keep_days=self._history.keep_days,
            files=files,
            found=len(found),
            asked={"text": text, "file": file, "unused": "1" if unused else ""},
            page=page,
            pages=pages,
        )

    def _describe(self, rule: Rule, usage: _Usage) -> RuleRow:
        return RuleRow(
            id=rule.id,
            name=rule.id.rpartition(":")[2],
            line=rule.line,
            effect=rule.effect,
            about=describe_about(rule),
            conditions=describe_conditions(rule, self._provider_titles),
            effects=describe_effects(rule, self._account_titles),
            use=usage.by_rule.get(rule.id),
        )

    def _find_change(self, rules: RuleSet) -> InForce | None:
        try:
            return self._versions.last_change_to(rules.version)
        except RolloutUnavailable:  # the rules in force are known all the same
            return None

    def _find_usage(self) -> _Usage:
        now, usage = self._clock.now(), self._usage
        if usage is None or now - usage.asked_at > _BELIEVED:
            if not self._history.keep_days:
                return _Usage(now, {}, None, is_known=False)
            try:
                usage = _Usage(now, self._history.usage(), self._history.find_oldest())
            except HistoryUnavailable:
                return _Usage(now, {}, None, is_known=False)
            self._usage = usage
        return usage

    def _find_index(self) -> _Index:
        rules, index = self._rules.current, self._index
        if index is None or index.rules is not rules:
            files: dict[str, int] = {}
            for rule in rules.rules:
                files[_find_file(rule)] = files.get(_find_file(rule), 0) + 1
            describe = partial(iterate_searchable, account_titles=self._account_titles)
            index = _Index(rules, files, {rule.id: "\n".join(describe(rule)).casefold() for rule in rules.rules})
            self._index = index
        return index


def _filter(index: _Index, text: str, file: str, used: Mapping[str, RuleUse] | None) -> Sequence[Rule]:
    words = text.casefold().split()
    return [
        rule
        for rule in index.rules.rules
        if (not file or _find_file(rule) == file)
        and (used is None or rule.id not in used)
        and all(word in index.texts[rule.id] for word in words)
    ]


def _find_file(rule: Rule) -> str:
    return rule.id.rpartition(":")[0]
