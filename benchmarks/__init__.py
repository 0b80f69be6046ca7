"""How EndoScribe compares with other ways of turning speech into live text; see README.md."""

import endoscribe  # noqa: F401  (before any other library: it keeps them from reporting)
