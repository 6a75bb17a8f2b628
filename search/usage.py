"""What of a machine or of a cluster a study uses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Usage(BaseModel):
    """What a study runs on. All of it may be another the next time.

    Args:
        workers: Trials at a time; none takes what the machine has.
        cpus_per_trial: Cores of one trial, of all its processes; ``auto`` is one for each process, and where fewer
            trials train at a time than there are cores, as many as are measured to pay.
        gpus_per_trial: Share of a GPU of one trial, or several whole ones; none gives each card as many trials as are
            measured to fit.
        processes_per_trial: Processes that train one trial, each on its part of every batch and on a GPU of its own;
            none takes as many as `gpus_per_trial` is.
        sharded: Each of those processes holds but a part of every weight: for a network too large for one GPU.
        together: Trials of one process, their passes made as one where their networks and batches are alike;
            ``auto`` measures on a GPU whether that pays, and is 1 on a processor.
        ray_address: A Ray cluster that runs already: ``auto`` for that of this machine, or ``host:port`` of its head.
            None starts one of this machine for the study alone.
        silence: Seconds without a record after which a trial's process is taken to hang, and is ended; ``auto`` is an
            hour for a trial's first epoch, then ten minutes, and in any case ten times the longest epoch so far.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    workers: int | None = Field(default=None, ge=1)
    cpus_per_trial: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    gpus_per_trial: float | None = Field(default=None, ge=0)
    processes_per_trial: int | None = Field(default=None, ge=1)
    sharded: bool = False
    together: int | Literal["auto"] = "auto"
    silence: float | Literal["auto"] = "auto"
    ray_address: str | None = None

    @property
    def processes(self) -> int:
        """Processes of a trial."""
        return self.processes_per_trial or max(1, int(self.gpus_per_trial or 0))

    @property
    def threads(self) -> int:
        """Cores, and torch threads, of each of them."""
        return 1 if self.cpus_per_trial == "auto" else max(1, self.cpus_per_trial // self.processes)

    @property
    def cores(self) -> int:
        """Cores of a trial: one at least for each of its processes."""
        return self.threads * self.processes

    @field_validator("silence")
    @classmethod
    def _silence_is_a_time(cls, silence: float | str) -> float | str:
        if not isinstance(silence, str) and silence <= 0:
            raise ValueError(f"`silence > 0` must hold, but got silence={silence:g}")
        return silence

    @model_validator(mode="after")
    def _trials_can_be_together(self) -> Usage:
        if self.together == "auto":
            return self
        if self.together < 1:
            raise ValueError(f"`together >= 1` must hold, but got together={self.together}")
        if self.together > 1 and self.gpus_per_trial is not None:
            raise ValueError(
                f"`together` above 1 needs `gpus_per_trial` left out, but got together={self.together}, "
                f"gpus_per_trial={self.gpus_per_trial:g}"
            )
        if self.together > 1 and self.processes > 1:
            raise ValueError(
                f"one of `together` and `processes_per_trial` must be 1, but got together={self.together}, "
                f"processes_per_trial={self.processes}"
            )
        return self

    @model_validator(mode="after")
    def _processes_have_a_gpu_each(self) -> Usage:
        processes, gpus = self.processes_per_trial, self.gpus_per_trial
        if None not in (processes, gpus) and max(processes or 0, gpus or 0) > 1 and gpus != processes:
            raise ValueError(
                "`gpus_per_trial == processes_per_trial` must hold, or one be left out, but got "
                f"gpus_per_trial={gpus:g}, processes_per_trial={processes}"
            )
        if self.sharded and self.processes == 1:
            raise ValueError(
                "`sharded` needs `processes_per_trial` above 1, but got sharded=true, processes_per_trial=1"
            )
        cores = self.cpus_per_trial
        if cores != "auto" and cores > 1 and cores % self.processes:
            raise ValueError(
                "`cpus_per_trial` must be a multiple of the trial's processes, but got "
                f"cpus_per_trial={self.cpus_per_trial}, processes_per_trial={self.processes}"
            )
        return self
