"""The passes of a trial that trains among others."""

from __future__ import annotations

from torch import Tensor, nn

from trainables.cohort.cohort import Member
from trainables.cohort.request import Network, Request
from trainables.passes import Alone, Judge
from trainables.precision import Precision


class Together:
    """See `trainables.passes.Passes`. Made with others where there are others alike, else alone.

    Args:
        member: The trial's place in its cohort.
        model: Its network.
        alone: Its passes by itself; they ask nothing of features.
        precision: Arithmetic and device.
    """

    def __init__(self, member: Member, model: nn.Module, alone: Alone, precision: Precision) -> None:
        self._member, self._model, self._alone, self._precision = member, model, alone, precision
        self.begin()

    def begin(self) -> None:
        """Look at the network anew."""
        self._network: Network | None = None
        self._passes, self._trials = 0, 0

    @property
    def together(self) -> float:
        """Trials a pass since the epoch began."""
        return self._trials / self._passes if self._passes else 1.0

    def __call__(self, inputs: Tensor, targets: Tensor, judge: Judge) -> Tensor:
        """See `Passes`."""
        if self._network is None:  # modes and what learns change from epoch to epoch, never within one
            self._network = Network(self._model)
        request = Request(self._network, inputs, judge, self._member.generator)
        self._member.ask(request, self._precision)
        self._passes += 1
        self._trials += request.together
        if request.figures is None:
            return self._alone(inputs, targets, judge)
        return request.figures

    def outputs(self, inputs: Tensor) -> Tensor:
        """See `Passes`: by itself."""
        return self._alone.outputs(inputs)
