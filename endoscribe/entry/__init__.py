"""Who gets in: names and passwords, signed cookies, and how often somebody may try."""
