"""Workers' processes started, and their imports made, while the driver still prepares the study."""

from __future__ import annotations

import os

MODULES = ("search.execution.worker", "trainables.builder")
"""What a worker imports before its first trial; torch and timm come with it, and take seconds."""
FIXED = {"PL_DISABLE_FORK": "1"}
PASSED_ON = frozenset(
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECURITY_TOKEN",
        "AWS_SESSION_TOKEN",
        "NCCL_RAS_ADDR",
        "RAY_CHDIR_TO_TRIAL_DIR",
        "RAY_TRAIN_CHECKPOINT_UPLOAD_WARN_INTERVAL_S",
        "RAY_TRAIN_COLLECTIVE_TIMEOUT_S",
        "RAY_TRAIN_COLLECTIVE_WARN_INTERVAL_S",
        "RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER",
        "RAY_TRAIN_ENABLE_PRINT_PATCH",
        "RAY_TRAIN_ENABLE_STATE_ACTOR_RECONCILIATION",
        "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS",
        "RAY_TRAIN_ENABLE_WORKER_STRUCTURED_LOGGING",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S",
        "RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S",
        "RAY_TRAIN_STATE_ACTOR_RECONCILIATION_INTERVAL_S",
        "RAY_TRAIN_V2_ENABLED",
        "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S",
        "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S",
        "RAY_WARN_BLOCKING_GET_INSIDE_ASYNC",
        "TORCHFT_LIGHTHOUSE",
        "TRAIN_COPY_DIRECTORY_CHECKPOINTS_INSTEAD_OF_MOVING",
    ]
)
"""The environment of Tune's actors: what is fixed, and what they have of the driver's. A test holds both against
`ray.tune.execution.class_cache`, which is not imported here: Tune brings packages that the driver imports meanwhile in
another thread."""
KEPT = 600
"""Seconds for which a process that has nothing to do stays."""


def environment() -> dict[str, str]:
    """That of Tune's actors, to the letter: a process with another one is never given to them."""
    return {**FIXED, **{name: os.environ[name] for name in PASSED_ON if name in os.environ}}


def prestart(processes: int) -> None:
    """Start so many processes on the Ray that this process is connected to.

    Ray itself starts some, but without the environment that Tune asks for, so that Tune's actors never get those. Its
    node takes the wish for others by a call that has no function in Python; it comes back at once.

    Args:
        processes: How many.

    Raises:
        Exception: Whatever goes wrong inside Ray. Nothing is lost then but time: actors start processes themselves.
    """
    import ray
    from ray._private.grpc_utils import init_grpc_channel
    from ray._private.utils import get_runtime_env_info
    from ray.core.generated import common_pb2, node_manager_pb2, node_manager_pb2_grpc
    from ray.runtime_env import RuntimeEnv

    driver = ray._private.worker.global_worker
    request = node_manager_pb2.PrestartWorkersRequest(
        language=common_pb2.Language.PYTHON,
        job_id=driver.current_job_id.binary(),
        runtime_env_info=get_runtime_env_info(RuntimeEnv(env_vars=environment())),
        keep_alive_duration_secs=KEPT,
        num_workers=processes,
    )
    channel = init_grpc_channel(f"{driver.node.node_ip_address}:{driver.node.node_manager_port}")
    try:
        node_manager_pb2_grpc.NodeManagerServiceStub(channel).PrestartWorkers(request, timeout=10)
    finally:
        channel.close()
