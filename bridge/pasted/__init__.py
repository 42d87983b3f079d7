"""From something that somebody pasted to the role that suffices for it.

``reading.py`` says what was pasted, ``values.py`` where a value in it ends, ``products.py`` knows the products and
their pages, ``offer.py`` chooses the role.

Pasted text is hostile, and may hold secrets: it is bounded, read in linear time, and forgotten. Nothing of it goes on
but what was understood, whose form is checked (threat OUT-12).
"""
