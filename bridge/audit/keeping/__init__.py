"""What keeps the log's database: its layout and guards, who may do what there, what is old, and who is forgotten."""
