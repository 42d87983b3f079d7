"""What RAM roles may do: their policies as they were read from RAM, judged without asking anybody.

Its judgements have three values: what hangs on a condition of a later call is neither yes nor no.

Reference: RAM, "Policy structure and syntax", "Policy elements", "How RAM evaluates policies".
"""
