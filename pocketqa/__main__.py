"""`python -m pocketqa`."""

from .cli import main

main()
