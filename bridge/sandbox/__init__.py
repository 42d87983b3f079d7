"""The embedded stand-ins for the two other parties: an enterprise identity provider and Alibaba Cloud.

For the demo, for developers without a cloud account, and for tests. No stage of the bridge imports it, and it
imports none of them: it must be able to disagree.
"""
