"""Claims to record: every claim is held against the words that it names."""
