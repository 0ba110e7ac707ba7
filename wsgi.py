"""For a WSGI server: `gunicorn -c deploy/gunicorn.conf.py wsgi:app`."""

from pocketqa.deployment import check_gunicorn

check_gunicorn()

from pocketqa.errors import PocketQAError
from pocketqa.server import build_app  # patches the process, hence after the check

try:
    app = build_app()
except PocketQAError as error:
    raise SystemExit(f"{error.zh}\n{error.en}") from None
