"""The database: dialogues, feedback, uploads' records and API keys, behind SQLAlchemy."""

from .archive import Archive
from .database import Database
from .engines import MEMORY
from .housekeeping import Housekeeping
from .keys import ApiKey, ApiKeys
from .statistics import Statistics
from .turns import Turns
from .upload_records import UploadRecords

__all__ = [
    "MEMORY",
    "ApiKey",
    "ApiKeys",
    "Archive",
    "Database",
    "Housekeeping",
    "Statistics",
    "Turns",
    "UploadRecords",
]
