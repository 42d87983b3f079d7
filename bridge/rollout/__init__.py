"""How another version of the rules comes into force, on every node, and how it goes back.

A version is all files of a rules folder, known by their digest. The database keeps every version that was in force or
asked for, an append-only list of what came into force when and by whom, changes that wait for a second administrator,
and what each process of the service has. ``roll_out.py`` changes what is in force, after it is recorded; a thread of
each process (``follower.py``) sees to it that the process decides by it. Redis only says that there is something new:
whoever can write there can make nobody decide by other rules.

Leaves to ``entitlements`` and ``settings`` what rules mean and whether they are good, and to whoever wires it how many
people a change concerns (``change.py``).
"""
