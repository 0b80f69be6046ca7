"""Sessions, what was made of them, and the audit trail that only grows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

#: How each system is told to refuse a change of the audit trail.
REFUSALS = {
    "sqlite": (
        "CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END",
        "CREATE TRIGGER audit_is_never_shortened BEFORE DELETE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit trail only grows'; END $$",
        "CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()",
    ),
}


def upgrade() -> None:
    _create_sessions()
    op.create_table(
        "documents",
        sa.Column("session_id", sa.String(32), sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("actor", sa.Text),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("session_id", sa.String(32)),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("audit_by_session", "audit", ["session_id"])
    for statement in REFUSALS[op.get_context().dialect.name]:
        op.execute(sa.text(statement))


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("procedure", sa.Text, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("sample_rate", sa.Integer, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("pauses", sa.JSON, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("archived_samples", sa.Integer),
        sa.Column("audio_notice", sa.Text),
        sa.Column("transcript_notice", sa.Text),
        sa.Column("gaps", sa.Integer),
        sa.Column("signed_by", sa.Text),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("spoken", sa.Text, nullable=False),
    )
    op.create_index("sessions_by_owner", "sessions", ["owner", "created"])
    op.create_index("sessions_by_date", "sessions", ["created"])
