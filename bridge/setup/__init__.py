"""Set-up: what RAM must have for the configuration, what it has, and the way from the one to the other.

Pure are ``desired`` (what one account must have), ``trust`` (what a trust policy means), ``plan`` (the difference) and
``terraform`` (the same as files). ``ram`` reads and changes RAM and IMS; ``doctor`` examines a whole installation.
Nothing here ever deletes, attaches or detaches a policy, or makes a role that no rule grants.

``ram`` alone needs the extra ``setup`` (the official SDKs), so only what calls it may import it.
"""
