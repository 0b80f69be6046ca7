"""A record in the forms that people and systems use."""
