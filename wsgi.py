"""For a WSGI server: `gunicorn -c deploy/gunicorn.conf.py wsgi:app`."""

from pocketqa.deployment import check_gunicorn

check_gunicorn()

# The server patches the process, hence after the check.
from pocketqa.errors import PocketQAError
from pocketqa.server import build_app, end_with_gunicorn

try:
    app = build_app()
    end_with_gunicorn(app)
except PocketQAError as error:
    raise SystemExit(f"{error.zh}\n{error.en}") from None
