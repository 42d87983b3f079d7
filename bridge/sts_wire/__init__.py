"""Alibaba Cloud's STS wire format, pure: no network, no clock, no settings.

It owns how a request is read (``request``), signed and verified (``signature``), answered (``reply``) and how RAM's
resources are named (``arn``). One implementation serves the STS that we call, the STS that we are, and the
sandbox. What a request *may do* is never decided here. Its one error is :class:`~bridge.sts_wire.reply.STSFault`,
because the codes are the vendor's and not ours.
"""
