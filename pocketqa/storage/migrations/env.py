"""Run by Alembic: the migrations go through the connection that is being opened."""

from alembic import context

from pocketqa.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
