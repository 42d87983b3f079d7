"""Stages 2 and 3: what may this identity become, and which one now?

Owns the rules: their language (``rules/``), conditions (``matching.py`` for claims, ``limits.py`` for
the request, ``expressions.py`` for CEL),
session policies (``ram_policy.py`` for RAM's grammar, ``policy_templates.py`` for claims in them), the decision with
its explanation (``resolve.py``) and the choice of one entitlement (``choice.py``). Leaves to ``settings`` the finding
of files and the comparison with accounts and providers, and to ``exchange`` the limits of the account and of the role.

Pure: no network, no Flask, no files, no clock; "now" is an argument. The same identity, rules and moment always give
the same answer. Nothing is granted unless a rule says so, and a rule that denies wins over every rule that grants.
"""
