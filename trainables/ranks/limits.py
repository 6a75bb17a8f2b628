"""What a trial of several processes cannot do, said before it starts."""

from __future__ import annotations

from torch import nn

from spaces import InputError, InvalidParams
from trainables.batchnorm import norms_of
from trainables.config import TrialConfig
from trainables.ranks.ranks import Ranks

SHARDABLE = {
    "strategy": {"full", "layer_decay", "differential", "feature_extraction", "partial", "scratch"},
    "optimizer": {"adamw", "adam", "sgd"},
    "transfer": {"none"},
    "clipping": {"none", "norm"},
    "sharpness": {"none"},
}
"""Kind → parts that need no weight whole, and change nothing about which of them learn."""


def check_processes(config: TrialConfig, model: nn.Module, processes: int, *, sharded: bool) -> None:
    """Can several processes train that together?

    Args:
        config: The trial.
        model: Its network.
        processes: How many.
        sharded: Whether each holds but a part of the weights.

    Raises:
        InputError: They cannot.
    """
    numerics = config.numerics
    if config.batch.size < processes:
        raise InvalidParams(
            f"`batch_size >= processes_per_trial` must hold, but got batch_size={config.batch.size} with "
            f"{processes} processes"
        )
    if numerics.compile:
        raise InputError(f"`compile` needs trials of one process, but got compile=true with {processes}")
    if numerics.gradient_checkpointing and norms_of(model):
        raise InputError(
            "`gradient_checkpointing` of a network with BatchNorm needs trials of one process, but got "
            f"gradient_checkpointing=true with {processes}"
        )
    if not sharded:
        return
    for kind, names in SHARDABLE.items():
        chosen = config.parts[kind].name
        if chosen not in names:
            raise InputError(
                f"`sharded` needs {kind} among {', '.join(sorted(names))}, but got {kind}={chosen!r}"
            )
    for name, value in (("ema_decay", config.regularisation.ema_decay), ("l1", config.regularisation.l1)):
        if value:
            raise InputError(f"`sharded` needs {name}=0, but got {name}={value:g}")
    if numerics.precision == "fp16":
        raise InputError("`sharded` needs precision fp32 or bf16, but got precision=fp16")


def check_ranks(config: TrialConfig, model: nn.Module, ranks: Ranks) -> None:
    """The same for the processes there are; one can do everything."""
    if ranks.size > 1:
        check_processes(config, model, ranks.size, sharded=ranks.holding.in_parts)
