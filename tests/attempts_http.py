"""What an attacker tries beside the protocol's events: other pages, paths and transports."""

from __future__ import annotations

import json

import websocket
from attacker import http_request, is_refused, new_cookie
from attempts import Scene, attempt
from itsdangerous import Signer
from nginx import Front

from pocketqa.identity import COOKIE

POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


def heard(scene: Scene, path: str, origin: str | None = None, cookie: str | None = None) -> str:
    """What the server says to whoever upgrades `path` to a WebSocket and speaks Engine.IO."""
    address = f"ws://127.0.0.1:{scene.victim.server.port}{path}"
    options = {"origin": origin} if origin else {"suppress_origin": True}
    client = websocket.create_connection(address, timeout=5, cookie=cookie, **options)
    with client.sock:  # the library forgets it when the server closes
        try:
            client.send("40")
            return f"{client.recv()}{client.recv()}"
        except (websocket.WebSocketException, OSError):
            return ""


@attempt
def lures_the_browser_to_a_page_of_its_own(scene: Scene) -> None:
    """Cross-site WebSocket hijacking: the victim's cookie comes along, but from another origin."""
    victim = scene.victim
    host = victim.server.url.removeprefix("http://")
    port = host.rpartition(":")[2]
    cookie = f"{COOKIE}={victim.cookie}"
    for origin in (
        *("https://evil.example", "null", f"http://{host}.evil.example", f"http://evil.{host}"),
        *(f"http://{host}@evil.example", "http://127.0.0.1", "http://127.0.0.1:1", "file://"),
        *(f"http://localhost:{port}", f"ftp://{host}", f"http://{host}/", f"http://{host}\\"),
        *(f"http://{host}, https://evil.example", f"HTTP://{host}", ""),
    ):
        assert heard(scene, WEBSOCKET, origin or "x", cookie) == ""
        status = scene.http("GET", POLLING, Origin=origin or "x", Cookie=cookie)
        assert status == 400
        lie = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https"}
        forwarded = {"Origin": "https://evil.example", "Cookie": cookie, **lie}
        assert scene.http("GET", POLLING, **forwarded) == 400
        for method, path in (("DELETE", f"/upload/{victim.upload_id}"), ("POST", "/upload")):
            assert scene.http(method, path, Origin=origin or "x", Cookie=cookie) == 403
    status, headers, _ = http_request(
        victim.server, "OPTIONS", POLLING, {"Origin": "https://evil.example"}
    )
    assert "Access-Control-Allow-Origin" not in headers, status
    mine = f"{COOKIE}={new_cookie(victim.server)}"
    assert "sid" in heard(scene, WEBSOCKET, victim.server.url, mine), "the page itself may"


@attempt
def takes_over_a_transport(scene: Scene) -> None:
    victim = scene.victim
    for sid in (victim.browser.sid, victim.program.sid, victim.dead_sid, "", "x" * 20, "%00"):
        for more in ("", "&t=1", f"&sid={sid}"):
            assert scene.http("GET", f"{POLLING}&sid={sid}{more}") in (200, 400)
        if sid:
            assert heard(scene, f"{WEBSOCKET}&sid={sid}") == ""
            posted, _, text = http_request(
                victim.server, "POST", f"{POLLING}&sid={sid}", {}, b'42["STOP_CS",{}]'
            )
            assert posted == 400 and "Traceback" not in text
    scene.http("GET", f"{POLLING}&j=alert(1)//")


@attempt
def guesses_uploads(scene: Scene) -> None:
    who, id = scene.stranger(), scene.victim.upload_id
    for guess in (
        *(id[:-1], id[1:], id.swapcase(), id + "A", f"../uploads/{id}", f"./{id}", f"{id}/", "*"),
        *(f"{id}\u200b", f" {id}", f"{id}.json", "..", ".", "/", "../../secret", f"%2e/{id}"),
        *("a" * len(id), id.replace(id[0], "%"), f"C:{id}"),
    ):
        for event in ("CHAT_CS", "QA_CS", "SUM_CS", "GEN_CS"):
            reply = who.call(event, {"text": "停车", "upload_id": guess})
            assert reply["error"]["code"] == "unknown_upload", (guess, reply)
    for strange in ([id], {"id": id}, f"{id}\x00", f"{id}\n", id * 9, b"x", True):
        reply = who.call("SUM_CS", {"text": "", "upload_id": strange})
        assert is_refused(reply), (strange, reply)
    for path in (
        *(f"/upload/{id[:-1]}", f"/upload/{id}%00", f"/upload/{id.swapcase()}", "/upload/"),
        *("/upload/..", "/upload/%2e%2e", f"/upload/%2e%2e%2fuploads%2f{id}", "/upload/*"),
        *(f"/upload//{id}", f"/upload/x/../{id}", f"/uploads/{id}", f"/upload/{id}/.."),
    ):
        bad = (400,) * (isinstance(scene.victim.server, Front) and "%00" in path)  # nginx's word
        assert scene.http("DELETE", path) in (308, 404, 405, *bad), path
    for path in (f"/upload/{id}", "/upload", "/uploads", "/upload/"):
        assert scene.http("GET", path) in (404, 405)


@attempt
def walks_out_of_the_folders(scene: Scene) -> None:
    up = "..%2f" * 6
    for path in (
        *("/secret", "/static/../secret", "/static/..%2f..%2fsecret", "/static/%2e%2e/secret"),
        *(f"/static/{up}etc/passwd", "/static//etc/passwd", "/static/..\\..\\secret"),
        *("/pocketqa.sqlite", "/static/../pocketqa/config.py", "/.git/config", "/%00", "/static/"),
        *("/templates/index.html", "/static/%c0%ae%c0%ae/secret", "http://evil.example/secret"),
        "/socket.io/../secret",
    ):
        assert scene.http("GET", path) in (308, 400, 404), path


@attempt
def signs_with_what_it_guesses(scene: Scene) -> None:
    """Secrets that a careless server would have."""
    number = scene.victim.cookie.partition(".")[0]
    for secret in ("", "secret", "secret!", "dev", "pocketqa", "changeme", "None", "the key"):
        for salt in ("browser", "dialogue", "room", "cookie-session", "itsdangerous.Signer"):
            if not secret and not salt:
                continue
            cookie = Signer(secret or " ", salt=salt).sign(number).decode()
            status, headers, _ = http_request(
                scene.victim.server, "GET", "/", {"Cookie": f"{COOKIE}={cookie}"}
            )
            assert status == 200 and number not in headers["Set-Cookie"]
    who = scene.stranger(cookie=cookie)
    assert who.call("DIALOGUES_CS", {})["dialogues"] == []


@attempt
def sends_more_than_one_cookie(scene: Scene) -> None:
    number = scene.victim.cookie.partition(".")[0]
    mine = new_cookie(scene.victim.server)
    for header in (
        f"{COOKIE}={mine}; {COOKIE}={number}",
        f"{COOKIE}={number}; {COOKIE}={mine}",
        f'{COOKIE}="{mine}\\073 {number}"',
        f"{COOKIE}={mine}\t{number}",
    ):
        who = scene.stranger(headers={"Cookie": header})
        scene.empty(who.call("HISTORY_CS", {"dialogue": "办理身份证"}))
        reply = who.call("DIALOGUES_CS", {})
        assert json.dumps(reply["dialogues"]) == "[]"
