"""What attackers send, as data, beside the honest messages that it spoils; and a sealed lane in which to send it.

::

    case.py               what every case is: threat, name, the refusal that it must get
    saml/cases_*.py       hostile responses: spoilt drafts of honest.py's kind, signed and encrypted for real
    oidc/cases_*.py       hostile tokens, callbacks, answers, metadata
    lane.py  seal.py      the application with an operator's settings and nothing else of theirs; nothing leaves
    trial.py  */trial.py  how each kind of case is delivered at the doors
    run.py  report.py     judging, and telling

The tests import the same cases. Nothing that serves people imports any of this (``tests/architecture``).
"""
