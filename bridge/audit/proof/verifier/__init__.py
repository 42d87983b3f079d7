"""The program that goes with each bundle. It stands alone: it imports nothing of the bridge."""
