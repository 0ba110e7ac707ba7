"""Dialogues, turns, keys and uploads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "dialogues",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("dialogue", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("updated", sa.Double()),
        sa.UniqueConstraint("owner", "dialogue", name="dialogues_name"),
    )
    op.create_table(
        "turns",
        sa.Column("id", _ID, primary_key=True),
        sa.Column(
            "dialogue_id",
            _ID,
            sa.ForeignKey("dialogues.id", name="turns_dialogue", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("upload_id", sa.Text(), nullable=False, server_default=""),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False, server_default=""),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False, server_default=""),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False, server_default=""),
        sa.Column("grounded", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("score", sa.Double()),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("first_s", sa.Double()),
        sa.Column("ended", sa.Double()),
        sa.Column("vote", sa.Text(), nullable=False, server_default=""),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("voted", sa.Double()),
        sa.Column("evidence", sa.JSON()),
        sqlite_autoincrement=True,
    )
    op.create_index("turns_dialogue_id", "turns", ["dialogue_id", "id"])
    op.create_index("turns_request_id", "turns", ["request_id"])
    figures = ["created", "state", "way", "event", "vote", "first_s", "dialogue_id"]
    op.create_index("turns_figures", "turns", figures)
    is_running = sa.text("state = 'running'")
    op.create_index(
        "turns_running",
        "turns",
        ["instance"],
        sqlite_where=is_running,
        postgresql_where=is_running,
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False, unique=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("revoked", sa.Double()),
        sa.Column("last_used", sa.Double()),
    )
    op.create_table(
        "uploads",
        sa.Column("sha256", sa.Text(), primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("pages", sa.Integer()),
        sa.Column("characters", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("deleted", sa.Double()),
    )
    op.create_index("uploads_created", "uploads", ["created"])
