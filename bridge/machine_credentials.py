"""Credentials of this machine: what the official SDKs find in the environment, in files, or at an ECS instance."""

import logging

from alibabacloud_credentials.client import Client

# It prints tracebacks of what it also raises, three times each, and what it holds as far as it can be printed.
logging.getLogger("credentials").disabled = True

__all__ = ["Client"]
