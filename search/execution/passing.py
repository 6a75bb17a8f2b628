"""Which of a trial's exceptions may not come again."""

from __future__ import annotations

import torch

_DEVICE = ("CUDA error", "cuDNN error", "CUBLAS_STATUS", "NCCL error", "HIP error", "device-side assert")


def broke_device(error: BaseException) -> bool:
    """Whether nothing can be computed on the GPU any more before the process is another one."""
    if isinstance(error, torch.AcceleratorError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _DEVICE)


def may_pass(error: BaseException) -> bool:
    """Whether the same training may go well another time, and elsewhere.

    A disk, a network or memory that was wanting may be there again; what is wrong in the code stays wrong.
    """
    return isinstance(error, OSError | MemoryError | torch.OutOfMemoryError) or broke_device(error)
