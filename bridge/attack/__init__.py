"""What attackers send, as data; each message beside the honest one that it spoils."""
