"""The database: dialogues, feedback, uploads' records and API keys, behind SQLAlchemy."""
