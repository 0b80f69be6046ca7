"""What is kept: sessions, audio, the database and its releases, the audit trail, backups."""
