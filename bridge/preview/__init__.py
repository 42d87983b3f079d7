"""The time machine: kept sign-ins replayed against other rules, before those are in force.

``compare.py`` says who would gain and who would lose what, ``narrowing.py`` which rules have to be asked for that,
``unjudged.py`` what the kept sign-ins cannot tell. ``gate.py`` measures the same for a roll-out. Pure but for what it
is handed: no Flask, no clock, no network.
"""
