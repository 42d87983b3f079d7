"""What makes the log believable: the tree over all records, signed checkpoints, verification, proofs and witnesses."""
