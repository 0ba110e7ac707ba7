"""Changes of the schema, applied by Alembic."""
