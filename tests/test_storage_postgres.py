"""PostgreSQL goes away and comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from desk import KEY
from postgres import Postgres, binaries
from test_turns import FOUND, asked, say

from pocketqa.errors import PocketQAError
from pocketqa.storage import Database, Turns


@pytest.fixture
def server(postgres: Postgres) -> Iterator[Postgres]:
    """One that nobody else uses; `postgres` says where there is none."""
    found = binaries()
    assert found is not None
    own = Postgres(found)
    yield own
    own.close()


def test_a_restart_of_the_database_costs_nothing_but_its_time(server: Postgres) -> None:
    database, other = Database(server.url), Database(server.url)
    kept, others = Turns(database), Turns(other)
    say(kept, KEY, "before")
    running = kept.begin(KEY, asked("in between"))
    kept.extend(running, "半句")
    assert others.cut() == 0
    server.stop()
    with pytest.raises(PocketQAError) as caught:
        kept.begin(KEY, asked("now"))
    assert caught.value.code == "internal"
    with pytest.raises(PocketQAError):
        kept.history(KEY, 9)
    server.start()
    kept.flush()
    assert [turn.question for turn in kept.history(KEY, 9)] == ["before"]
    say(kept, KEY, "after")
    assert others.cut() == 0, "it has shown again that it lives"
    kept.end(running, "stop", FOUND)
    assert [turn.answer for turn in kept.history(KEY, 9)] == ["好。", "半句", "好。"]
    database.close()
    other.close()


def test_a_restart_between_two_questions_is_not_noticed(server: Postgres) -> None:
    database = Database(server.url)
    kept = Turns(database)
    say(kept, KEY, "before")
    server.stop()
    server.start()
    say(kept, KEY, "after")
    assert [turn.question for turn in kept.history(KEY, 9)] == ["before", "after"]
    database.close()
