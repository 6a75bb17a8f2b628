"""What trains: a cluster with what a spec uses of it, from the spec to trainings that are over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from search import register
from search.execution.clusters import cluster_of
from search.execution.cores import with_threads, within_memory
from search.execution.resources import find_resources
from search.execution.sharing import most_workers, share_cards
from search.spec import StudySpec
from spaces import SearchSpace
from trainables.config import Fixed

if TYPE_CHECKING:
    from search.checkpoints import Checkpoints
    from search.decisions.program import Phases
    from search.execution.cluster import Cluster
    from search.execution.resources import Resources
    from search.ledger import Ledger
    from search.store.patience import Patience
    from search.view.view import View
    from trainables.material import Material

T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """What trainings have in common.

    Args:
        spec: Who trains, with how many cores and processes.
        fixed: The constants, every ``auto`` decided.
        material: Images and weights.
    """

    spec: StudySpec
    fixed: Fixed
    material: Material


class Engine:
    """A cluster that is being started, and what of it trainings may use; see `engine_for`.

    Args:
        spec: What they run on.
        cluster: Entered, and told to start.
        resources: What they have, as far as that is known before anything is measured.

    Attributes:
        spec: The same, with what has been measured of what it leaves open about cores.
        resources: Likewise.
    """

    def __init__(self, spec: StudySpec, cluster: Cluster, resources: Resources) -> None:
        self.spec, self._cluster = spec, cluster
        self.resources = resources

    def compute(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function where the device is."""
        return self._cluster.compute(function, *arguments)

    def take_cores(self, material: Material, known: int | None = None) -> StudySpec:
        """Decide how many cores a training has, where the spec leaves it open, and say the spec that has it.

        Args:
            material: What is trained on.
            known: As many as trainings of the same study had before.
        """
        self.spec, self.resources = with_threads(self.spec, self.resources, self._cluster, material, known)
        return self.spec

    def fit_memory(self, memory: float | None) -> None:
        """Let no more train at a time than there is memory for: peak of one, MiB, or none where nobody knows."""
        self.resources = within_memory(self.spec, self.resources, memory)

    def decided(self, wanted: Fixed, material: Material) -> Fixed:
        """Constants with every ``auto`` decided here and now.

        Args:
            wanted: The constants.
            material: What is trained on.
        """
        from trainables.settling import settle

        return self.compute(settle, wanted, material, self.spec.threads)

    def settled(
        self, ledger: Ledger, wanted: Fixed, material: Material, decided: Fixed | None = None
    ) -> Fixed:
        """Constants with every ``auto`` decided, once and for all of a ledger's life.

        Args:
            ledger: Where it is written down.
            wanted: The constants.
            material: What is trained on.
            decided: What was decided already, for a ledger that has nothing yet.
        """
        spec = self.spec
        fixed = register.settled_once(ledger, wanted)
        if fixed is None:
            fixed = decided if decided is not None else self.decided(wanted, material)
            register.write_settled(ledger, fixed)
        else:
            from trainables.precision import pick_device

            self.compute(pick_device, fixed.device)  # a study begun on a GPU goes on on one
        if spec.processes > 1 and wanted.compile == "auto":
            # It may have been settled for trials of one process.
            fixed = fixed.model_copy(update={"compile": False})
        return fixed

    def share(self, *kinds: tuple[SearchSpace, Kind]) -> None:
        """Measure how many trainings fit on a card, of the hungriest kind; see `search.execution.sharing.share_cards`.

        Args:
            *kinds: Spaces of recipes, and what their trainings have in common.
        """
        found = [
            share_cards(self.resources, kind.spec, space, kind.fixed, kind.material, self._cluster)
            for space, kind in kinds
        ]
        self.resources = min(found, key=lambda one: one.workers)

    def train(
        self,
        program: Phases,
        kind: Kind,
        checkpoints: Checkpoints,
        uid: str,
        view: View,
        patience: Patience,
        others: Mapping[str, Kind] | None = None,
    ) -> None:
        """Run what there is to run, to its end.

        Args:
            program: What that is.
            kind: Of which kind its trainings are.
            checkpoints: Where they go.
            uid: What no other study is called.
            view: Told when they begin.
            patience: Waits for a disk that is full.
            others: Phase → its trainings' kind, where that is another one.

        Raises:
            KeyboardInterrupt: Stopped by the user; what was running goes on the next time.
        """
        if program.is_done:
            return
        from search.execution.keeper import reach
        from search.execution.seat import Shared
        from search.execution.tuner import execute

        self._cluster.ready()
        view.on_phase("")
        spec = self.spec
        silence = None if spec.silence == "auto" else spec.silence
        with reach(checkpoints.root, may_grow=self._cluster.may_grow) as way:

            def shared(kind: Kind, others: Mapping[str, Shared]) -> Shared:
                return Shared(
                    kind.spec.trainable,
                    kind.fixed,
                    kind.material,
                    kind.spec.threads,
                    kind.spec.processes,
                    kind.spec.sharded,
                    way,
                    others,
                )

            theirs = {phase: shared(other, {}) for phase, other in (others or {}).items()}
            execute(program, shared(kind, theirs), self.resources, checkpoints.place, uid, silence, patience)


@contextmanager
def engine_for(spec: StudySpec, others: Sequence[StudySpec] = (), *, early: bool) -> Iterator[Engine]:
    """An engine whose cluster starts meanwhile, and is given back afterwards.

    Args:
        spec: What it runs on.
        others: Further specs whose own code its trainings may need.
        early: Start at once; false waits until there is something to train, since perhaps nothing is.

    Raises:
        InputError: What the spec asks for is not there.
    """
    with cluster_of(spec, others) as cluster:
        gpus = 0 if spec.device == "cpu" else cluster.gpus
        together = 1 if spec.together == "auto" else spec.together
        resources = find_resources(
            spec.workers, spec.cores, spec.gpus_per_trial, gpus, together, cluster.cores, spec.processes
        )
        cluster.start(resources, most_workers(resources, spec, gpus), early=early)
        yield Engine(spec, cluster, resources)
