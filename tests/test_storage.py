"""The database itself: its schema, what is written together, and what happens when it fails."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from desk import KEY, Desk
from servers import ROOT
from sqlalchemy import Connection, select, text
from test_turns import FOUND, asked, say

from pocketqa.errors import PocketQAError
from pocketqa.storage import ApiKeys, Database, Housekeeping, Turns, engines, housekeeping
from pocketqa.storage.migrating import HEAD, MIGRATIONS, version
from pocketqa.storage.schema import dialogues, metadata, turns


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / "100%.db"


@pytest.fixture
def database(file: Path) -> Database:
    return Database(f"sqlite:///{file}")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, file: Path) -> str:
    """A new database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{file}"
    made: str = request.getfixturevalue("postgres").database()
    return made


def scalar(database: Database, statement: str) -> object:
    return database.read(lambda connection: connection.scalar(text(statement)))


def test_the_migrations_make_the_schema(url: str) -> None:
    database = Database(url)

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert database.read(differences) == []
    assert database.read(version) == HEAD
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [HEAD]
    database.close()


def test_sqlite_is_set_up_for_readers_beside_a_writer(database: Database, file: Path) -> None:
    assert scalar(database, "PRAGMA journal_mode") == "wal"
    assert scalar(database, "PRAGMA synchronous") == 2
    assert file.stat().st_mode & 0o077 == 0, "dialogues are nobody else's to read"


def test_a_database_of_a_newer_version_is_left_alone(database: Database, file: Path) -> None:
    database.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(PocketQAError, match="newer version") as caught:
        Database(f"sqlite:///{file}")
    assert caught.value.code == "bad_database"


def test_what_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"something else" * 100)
    with pytest.raises(PocketQAError, match="x.db"):
        Database(f"sqlite:///{tmp_path}/x.db")


def test_two_processes_may_make_it_at_once(url: str) -> None:
    code = f"from pocketqa.storage import Database; Database('{url}'); print('open')"
    made = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate()[0] for process in made] == ["open\n"] * 3


def test_what_comes_together_is_one_transaction(database: Database) -> None:
    """Whoever waits while another's work is being written is written with the next."""
    commits = []
    entered, leave = threading.Event(), threading.Event()

    def first(connection: Connection) -> None:
        entered.set()
        leave.wait(10)

    def counted(connection: Connection) -> None:
        commits.append(id(connection.get_transaction()))

    def broken(connection: Connection) -> None:
        connection.execute(text("INSERT INTO dialogues (id) VALUES (1)"))

    outcomes: list[object] = []

    def write(work: object) -> None:
        try:
            outcomes.append(database.write(work))  # type: ignore[arg-type]
        except Exception as error:
            outcomes.append(error)

    threads = [threading.Thread(target=write, args=(first,))]
    threads[0].start()
    entered.wait(10)
    for work in (counted, broken, counted, counted):
        threads.append(threading.Thread(target=write, args=(work,)))
        threads[-1].start()
    while len(database._waiting) < 4:
        time.sleep(0.01)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert len(commits) == 3 and len(set(commits)) == 1
    assert [type(each) for each in outcomes].count(PocketQAError) == 1
    assert outcomes.count(None) == 4


def test_a_fault_undoes_its_own_work_only(database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.execute(dialogues.insert().values(owner="o", dialogue="d", title="", created=1))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(half)
    assert scalar(database, "SELECT count(*) FROM dialogues") == 0


def test_a_locked_database_is_waited_for_and_then_said_to_be(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engines, "BUSY_S", 0.3)
    kept = Turns(Database(f"sqlite:///{file}"))
    say(kept, KEY, "before")
    running = kept.begin(KEY, asked("in between"))
    kept.extend(running, "半句")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(PocketQAError) as caught:
        kept.begin(KEY, asked("now"))
    assert caught.value.code == "internal" and caught.value.details["reference"] in caplog.text
    assert "database is locked" in caplog.text
    with pytest.raises(PocketQAError):
        kept.end(running, "stop", FOUND)
    assert [turn.question for turn in kept.history(KEY, 9)] == ["before"], "reading goes on"
    other.execute("ROLLBACK")
    kept.flush()
    assert kept.page(KEY, None, 1)[0].answer == "半句"
    assert kept.page(KEY, None, 1)[0].state == "stop", "what could not be written then is now"
    say(kept, KEY, "after")
    other.close()


def test_a_full_disk_refuses_answers_and_says_so(database: Database) -> None:
    desk = Desk()
    object.__setattr__(desk.services, "dialogues", Turns(database))
    assert desk.ask("你好")[1].finish_reason == "stop"
    pages = scalar(database, "PRAGMA page_count")
    database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(PocketQAError) as caught:
        for _ in range(200):
            desk.ask("你好")
    assert caught.value.code == "internal" and "编号" in caught.value.zh
    database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1000000"))
    assert desk.ask("你好")[1].finish_reason == "stop"
    desk.engine.close()


def test_turns_of_the_living_are_not_cut(url: str) -> None:
    code = f"""
import sys
from pocketqa.storage import Database, Turns
from pocketqa.dialogue import Key
from pocketqa.protocol import parse
turns = Turns(Database('{url}'))
turn = turns.begin(Key('own:s', 's'), parse('CHAT_CS', {{'text': 'q'}}, 's'))
turns.extend(turn, '半句'); turns.flush()
print('begun', flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == "begun\n"
    database = Database(url)
    kept = Turns(database)
    mine = kept.begin(KEY, asked("mine"))
    assert kept.cut() == 0 and kept.page(KEY, None, 9)[0].state == "running"
    process.kill()
    process.wait()
    end = time.monotonic() + 10  # PostgreSQL has yet to notice
    while not kept.cut() and time.monotonic() < end:
        time.sleep(0.02)
    assert kept.cut() == 0
    first, second = kept.page(KEY, None, 9)
    assert (first.state, first.answer, first.took_s) == ("cut", "半句", None)
    assert second.id == mine and second.state == "running"
    assert [turn.answer for turn in kept.history(KEY, 9)] == ["半句"]
    process.stdin.close()
    process.stdout.close()
    database.close()


def test_housekeeping_writes_each_second_and_forgets_in_time(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(housekeeping, "FLUSH_S", 0.05)
    kept = Turns(database)
    say(kept, KEY, "old")
    old = turns.update().values(created=time.time() - 8 * 86_400)
    database.write(lambda connection: connection.execute(old))
    with caplog.at_level(logging.INFO):
        chores = Housekeeping(kept, retention_days=7)
        turn = kept.begin(KEY, asked("new"))
        kept.extend(turn, "半句")
        said = select(turns.c.answer).where(turns.c.id == turn)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            answer = database.read(lambda connection: connection.scalar(said))
            if answer == "半句" and "forgotten" in caplog.text:
                break
            time.sleep(0.02)
        assert [record.question for record in kept.page(KEY, None, 9)] == ["new"]
        chores.close()
    assert database.read(lambda connection: connection.scalar(said)) == "半句"
    assert "forgotten" in caplog.text


def test_keys_are_kept_as_digests_and_revoked(database: Database, file: Path) -> None:
    keys = ApiKeys(database)
    id, key = keys.add("前台")
    other, _ = keys.add("another")
    assert keys.check(key) == id and keys.check(key[:-1]) is None and keys.check("") is None
    assert [each.name for each in keys.list()] == ["前台", "another"]
    assert keys.list()[0].last_used and keys.list()[1].last_used is None
    assert keys.revoke(id) and not keys.revoke(id) and not keys.revoke("x")
    assert keys.check(key) is None and keys.list()[0].revoked
    database.close()
    kept = [part.read_bytes() for part in file.parent.glob("*.db*") if part.is_file()]
    assert kept and not any(key.encode() in part for part in kept)
