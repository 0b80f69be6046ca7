"""Runs the migrations on the transaction that `endoscribe.storage.database` has begun."""

from alembic import context

from endoscribe.storage.database import TABLES

context.configure(connection=context.config.attributes["connection"], target_metadata=TABLES)
context.run_migrations()
