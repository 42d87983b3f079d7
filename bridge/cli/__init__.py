"""DOOR: people and scripts with terminals.

One module for each command. What a command prints goes to standard output; what is wrong, to standard error; the exit
code is 0 for done, 1 for a refusal or a fault, 2 for a command line that makes no sense.
"""
