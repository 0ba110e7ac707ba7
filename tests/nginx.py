"""One address for several instances: a real nginx with the sample configuration of deploy/."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path

from servers import ROOT, Server

STICKY = "hash $pocketqa_client consistent;"
CONF = """
pid {folder}/pid; error_log {folder}/error.log; daemon off;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {sample}
}}
"""


def binary() -> str | None:
    """nginx, or None."""
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


class Front:
    """A running nginx before two instances; where a client talks to it, it stands for a `Server`.

    Args:
        sticky: as the sample has it; else each request, and each WebSocket, goes to the next
            instance in turn.
    """

    def __init__(self, binary: str, servers: list[Server], *, sticky: bool = True) -> None:
        self.servers = servers
        self._folder = tempfile.TemporaryDirectory(prefix="pocketqa-nginx-")
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        sample = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
        for ours, theirs in (
            ("listen 80;", f"listen 127.0.0.1:{self.port};"),
            ("127.0.0.1:6006", f"127.0.0.1:{servers[0].port}"),
            ("127.0.0.1:6007", f"127.0.0.1:{servers[1].port}"),
            (STICKY, STICKY if sticky else ""),
        ):
            assert ours in sample
            sample = sample.replace(ours, theirs)
        conf = Path(self._folder.name) / "nginx.conf"
        conf.write_text(CONF.format(folder=conf.parent, sample=sample))
        self._process = subprocess.Popen([binary, "-p", str(conf.parent), "-c", str(conf)])
        self._wait()

    @property
    def output(self) -> list[str]:
        """What the instances printed."""
        return [line for server in self.servers for line in server.output]

    def stop(self) -> int:
        """End nginx and the instances; 0 if each of those exited with 0."""
        self._process.terminate()
        self._process.wait(10)
        self._folder.cleanup()
        return max(server.stop() for server in self.servers)

    def _wait(self) -> None:
        end = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(self.url + "/health", timeout=20).read()
                return
            except OSError:
                assert self._process.poll() is None and time.monotonic() < end
                time.sleep(0.05)


Service = Server | Front
"""One instance, or two behind one address."""
