"""`pocketqa keys`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pocketqa.cli import main
from pocketqa.config import load
from pocketqa.identity import Ownership, secret
from pocketqa.storage import ApiKeys, Database


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POCKETQA_HOME", str(tmp_path))
    monkeypatch.delenv("POCKETQA_DATABASE_URL", raising=False)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["keys", *words])


def test_a_key_is_shown_once_works_and_is_revoked(home: Path) -> None:
    added = run("add", "大厅一号屏")
    assert added.exit_code == 0
    key = added.stdout.strip()
    assert len(key) > 40 and "只显示这一次" in added.stderr and "shown this once" in added.stderr
    database = Database(load().database)
    id = ApiKeys(database).check(key)
    listed = run("list")
    assert id and id in listed.stdout and "大厅一号屏" in listed.stdout and "有效" in listed.stdout
    assert key not in listed.stdout
    for path in home.rglob("*"):
        assert path.is_dir() or key.encode() not in path.read_bytes(), "only a digest is kept"
    revoked = run("revoke", id)
    assert revoked.exit_code == 0 and id in revoked.stderr
    assert ApiKeys(database).check(key) is None
    assert "已吊销" in run("list").stdout
    again = run("revoke", id)
    assert again.exit_code == 1 and "没有编号" in again.stderr
    database.close()


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_a_key_has_a_name_that_can_be_read(name: str) -> None:
    refused = run("add", name)
    assert refused.exit_code == 1 and "visible" in refused.stderr
    assert run("list").stdout == ""


def test_a_room_is_signed_as_the_server_expects(monkeypatch: pytest.MonkeyPatch) -> None:
    signed = run("sign-room", "一楼大厅").stdout.strip()
    assert signed.startswith("一楼大厅.")
    Ownership(secret(load()), "signed").check_room(signed)
    for name in ("", "a\x00b", "x" * 200):
        assert run("sign-room", name).exit_code == 1
    monkeypatch.setenv("POCKETQA_SECRET_KEY", "another secret")
    assert run("sign-room", "一楼大厅").stdout.strip() != signed
