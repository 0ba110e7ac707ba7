"""For a WSGI server: `gunicorn -c deploy/gunicorn.conf.py wsgi:app`."""

from pocketqa.deployment import check_gunicorn

check_gunicorn()

from pocketqa.server import build_app  # patches the process, hence after the check

app = build_app()
