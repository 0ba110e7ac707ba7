"""The tables, the same in SQLite and PostgreSQL. Times are seconds since 1970.

A change here needs a migration in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

_ID = BigInteger().with_variant(Integer, "sqlite")  # only an INTEGER numbers itself there

dialogues = Table(
    "dialogues",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("dialogue", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("created", Double, nullable=False),
    # Without it the dialogue is in no list: it has single questions only.
    Column("updated", Double),
    UniqueConstraint("owner", "dialogue", name="dialogues_name"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", _ID, primary_key=True),
    Column(
        "dialogue_id",
        _ID,
        ForeignKey("dialogues.id", name="turns_dialogue", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("request_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("upload_id", Text, nullable=False, server_default=""),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    Column("instance", Text, nullable=False),  # the process that answers
    Column("way", Text, nullable=False, server_default=""),
    Column("grounded", Boolean, nullable=False, server_default=text("false")),
    Column("score", Double),
    Column("created", Double, nullable=False),
    Column("first_s", Double),
    Column("ended", Double),
    Column("vote", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("voted", Double),
    # Last, since it is long: what is before it is read without it. See evidence.py.
    Column("evidence", JSON(none_as_null=True)),
    Index("turns_dialogue_id", "dialogue_id", "id"),
    Index("turns_request_id", "request_id"),
    # What figures are counted from, so that no turn needs to be read for them.
    Index("turns_figures", "created", "state", "way", "event", "vote", "first_s", "dialogue_id"),
    Index(
        "turns_running",
        "instance",
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    sqlite_autoincrement=True,  # the id of a deleted turn never comes again
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False, unique=True),
    Column("created", Double, nullable=False),
    Column("revoked", Double),
    Column("last_used", Double),
)

uploads = Table(
    "uploads",
    metadata,
    Column("sha256", Text, primary_key=True),  # of the upload's id, which is a secret
    Column("owner", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("pages", Integer),
    Column("characters", BigInteger, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("deleted", Double),
    Index("uploads_created", "created"),
)
