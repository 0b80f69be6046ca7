"""EndoScribe: dictate an endoscopy, read the report."""

__version__ = "0.1.0"
