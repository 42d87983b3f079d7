"""Stage 4: trade a choice for temporary credentials.

This package owns the accounts that we issue into, what we sign for them, and the call to their STS. It promises that
:func:`~bridge.exchange.assume.Exchange.issue` returns only credentials of the account, role and session that the choice
names. It records nothing and releases nothing: that is ``federation``'s part.
"""
