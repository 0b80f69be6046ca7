"""A language model as the reader."""
