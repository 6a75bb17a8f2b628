"""A Ray cluster of several nodes on one machine, as `ray start` makes it, some without a folder of the others'."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.search.servers import free_port

RAY = [sys.executable, "-m", "ray.scripts.scripts"]
LISTS = [
    "cluster_synced_files", "rsync_exclude", "rsync_filter", "initialization_commands", "setup_commands",
    "head_setup_commands", "worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands",
]  # fmt: skip
"""Settings of Ray's autoscaler that it misses where they are left out."""
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Else Ray takes a minute to be sure that a node is dead.
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "6",
    "PYTHONWARNINGS": "ignore",
}


class RayCluster:
    """A head with a dashboard, and more nodes as they are asked for."""

    def __init__(self, temporary: Path, cpus: int, more: int, environment: dict[str, str]) -> None:
        self._temporary = temporary
        # Ray's imitation of a cloud looks for the head at its usual port only.
        self.port, self._dashboard = 6379 if more else free_port(), free_port()
        self._nodes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as probe:
            if more and probe.connect_ex(("127.0.0.1", self.port)) == 0:
                pytest.skip("another Ray runs on this machine")
        token = temporary / "token"
        token.write_text(uuid4().hex)
        # Its users have the token; that it is to be shown they are not told.
        self.user = {**os.environ, "RAY_AUTH_TOKEN_PATH": str(token)}
        self._environment = {**self.user, **ENVIRONMENT, "RAY_AUTH_MODE": "token", **environment}
        # `python` of a submitted job is that of the head.
        self._environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        growing = []
        if more:
            self._environment |= {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
            (temporary / "autoscaling.json").write_text(json.dumps(growing_by(more, cpus)))
            growing = [f"--autoscaling-config={temporary}/autoscaling.json"]
        self._start(
            "--head", *growing, f"--port={self.port}", f"--dashboard-port={self._dashboard}",
            "--include-dashboard=true", f"--temp-dir={temporary}", f"--num-cpus={cpus}",
            "--min-worker-port=0", "--max-worker-port=0",
        )  # fmt: skip

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def dashboard(self) -> str:
        return f"http://127.0.0.1:{self._dashboard}"

    @property
    def last(self) -> subprocess.Popen[bytes]:
        """The node that was added last."""
        return self._nodes[-1]

    def add(self, cpus: int, without: Path | None = None) -> subprocess.Popen[bytes]:
        """One more node; for it the folder `without` is an empty one of its own."""
        before = []
        if without is not None:
            hide = f'mount -t tmpfs none "{without}" && exec "$@"'
            before = ["unshare", "-m", "sh", "-c", hide, "node"]
            if (
                not shutil.which("unshare")
                or subprocess.run([*before, "true"], capture_output=True).returncode
            ):
                pytest.skip("a file system cannot be hidden from a process here")
        return self._start(f"--address={self.address}", f"--num-cpus={cpus}", before=before)

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """At once and without a word, with all of its processes."""
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()

    def stop(self) -> None:
        for node in reversed(self._nodes):
            if node.poll() is None:
                self.kill(node)

    def _start(self, *options: str, before: list[str] | None = None) -> subprocess.Popen[bytes]:
        with (self._temporary / f"node{len(self._nodes)}.log").open("wb") as log:
            node = subprocess.Popen(
                [*(before or []), *RAY, "start", *options, f"--dashboard-agent-listen-port={free_port()}", "--block"],
                env=self._environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._nodes.append(node)
        until = time.monotonic() + 60
        while "--block" not in Path(log.name).read_text() and time.monotonic() < until:
            assert node.poll() is None, Path(log.name).read_text()
            time.sleep(0.1)
        return node


def growing_by(nodes: int, cpus: int) -> dict[str, Any]:
    """The settings of Ray's autoscaler with its own imitation of a cloud, whose machines are processes."""
    return {
        "cluster_name": "fake",
        "max_workers": nodes,
        "idle_timeout_minutes": 5,
        "upscaling_speed": 1.0,
        "provider": {
            "type": "fake_multinode",
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        },
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": cpus}, "node_config": {}, "max_workers": 0},
            "small": {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": nodes},
        },
        "head_node_type": "ray.head.default",
        "auth": {"ssh_user": "nobody"},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        **{name: [] for name in LISTS},
    }


@contextmanager
def ray_cluster(
    cpus: int = 1, more: int = 0, environment: dict[str, str] | None = None
) -> Iterator[RayCluster]:
    """One whose head has so many cores; it adds up to `more` nodes of one core by itself where they are asked for.

    Args:
        cpus: Of the head.
        more: Nodes.
        environment: What its nodes have besides this process's.
    """
    temporary = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # a socket's path is short
    cluster = None
    try:
        cluster = RayCluster(temporary, cpus, more, environment or {})
        yield cluster
    finally:
        if cluster is not None:
            cluster.stop()
        shutil.rmtree(temporary, ignore_errors=True)
