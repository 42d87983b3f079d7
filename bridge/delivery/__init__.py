"""Stage 5: put a choice or its credentials into someone's hands.

This package owns the console's sign-in form and the texts that tools read. It sends nothing by itself: a door does,
after ``federation`` has recorded it.
"""
