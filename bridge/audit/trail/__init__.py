"""The closed loop with ActionTrail: what was done in the cloud with the credentials that this bridge issued.

ActionTrail is the cloud's own log, and no part of ours: its events come in files, minutes late, in any order, some of
them twice, by another clock. Of each event only what leads from credentials to calls is kept, in tables that can be
thrown away and imported again. They say two things that neither log says alone: the thread from a person's sign-in to
each call, and **strays**, credentials of roles that rules govern which this bridge never issued.

``reading`` takes files apart, ``events`` says what is kept of an event, ``join`` ties credentials to our records,
``strays`` judges the rest; these four know no database. ``importing`` and ``threads`` are the tables' two doors.
"""
