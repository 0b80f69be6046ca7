"""How EndoScribe compares with other ways of turning speech into live text; see README.md."""
