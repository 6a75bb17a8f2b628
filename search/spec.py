"""A study, written down: what to search, on what, for how long."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import ConfigDict, Field, PrivateAttr, field_validator, model_validator

from search.usage import Usage
from spaces import SearchSpace, load_space
from spaces.errors import shown
from trainables.config import Fixed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}")

LIMITS = ("trials", "budget_epochs", "time", "gpu_hours")
"""Settings that end a search; those that are typed take the place of a file's. All but the first are the study's."""

TRIALS = 40
"""Of a study that names no limit."""

OWN_CORE = "trainables.builder:from_params"
"""The trainable of a study that names none: the project's AMP loop."""


class StudySpec(Usage, Fixed):
    """All that makes a study; what it holds constant (`Fixed`) and what it runs on (`Usage`) are part of it.

    Args:
        name: The study's name in the ledger, in MLflow and on disk.
        description: For people.
        hypothesis: What the study is to find out, a sentence: judged at its end, as far as that can be, and kept.
        data: A data set's name: a built-in, a folder or file, ``torchvision:NAME``, ``hf:ID``, or
            ``package.module:attribute``.
        split_seed: Of the split into train, val and test.
        folds: Parts of train and val together, each of which judges a training on the others; a trial's score
            is the mean. 1 for the data set's own train and val alone.
        holdouts: Splits of train and val together that are drawn anew, likewise; not both.
        space: A preset's name, a YAML file, or ``package.module:attribute``.
        narrow: Changes to the space, by qualified parameter name (see `SearchSpace.narrow`).
        trials: How many trials the search has in all; none for no such limit (40 where there is no other).
        budget_epochs: How many epochs search and confirmation may train together.
        time: Seconds that search and confirmation may take. What the confirmation may need is kept, half at most;
            when the rest is over no trial begins or goes on, and the last of it finishes the best.
        gpu_hours: The same in hours of all GPUs that the study uses.
        enough: The search ends by itself once no new recipe is expected to gain so much score.
        searcher: Who proposes recipes.
        scheduler: Who stops weak trials early.
        warm_start: Names of earlier studies of the same space that the searcher learns from; ``all`` for every one.
        eta: One in `eta` goes on at each rung; the scheduler's own if none.
        grace: Epochs before a trial may be stopped; ``auto`` covers warm-up and the first unfreezing.
        seed: Of the searcher and of the trials.
        finalists: How many of the best are trained again; 0 for no confirmation.
        finalist_seeds: With how many new seeds the one that is ahead and the baseline are measured; it is found with
            others, three at most.
        preflight: Whether a study is looked at before its first trial; see `search.preflight`.
        registered: Whether the winner becomes a version of the registered model in MLflow that is called as the study.
        trainable: ``package.module:attribute`` of a function that makes a trial's trainable.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    name: str
    description: str = ""
    hypothesis: str = ""
    data: str = "digits"
    split_seed: int = Field(default=0, ge=0, lt=2**32)
    folds: int = Field(default=1, ge=1, le=100)
    holdouts: int = Field(default=1, ge=1, le=100)
    space: str = "finetune"
    narrow: dict[str, Any] = Field(default_factory=dict)
    trials: int | None = Field(default=None, ge=1)
    budget_epochs: int | None = Field(default=None, ge=1)
    time: float | None = Field(default=None, gt=0)
    gpu_hours: float | None = Field(default=None, gt=0)
    enough: float | None = Field(default=None, gt=0)
    searcher: Literal["default", "tpe", "gp", "random"] = "default"
    scheduler: Literal["default", "asha", "hyperband", "promotion", "none"] = "default"
    warm_start: tuple[str, ...] = ()
    eta: float | None = Field(default=None, gt=1)
    grace: int | Literal["auto"] = "auto"
    seed: int = Field(default=0, ge=0)
    finalists: int = Field(default=3, ge=0)
    finalist_seeds: int = Field(default=3, ge=1)
    preflight: bool = True
    registered: bool = True
    trainable: str = OWN_CORE

    _drawn_from: SearchSpace | None = PrivateAttr(default=None)

    @field_validator("name")
    @classmethod
    def _name_is_a_file_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(
                "a study's name must be at most 91 letters, digits, `.`, `_` and `-`, the first a letter or "
                f"a digit, but got {shown(name)}"
            )
        return name

    @model_validator(mode="after")
    def _grace_is_an_epoch(self) -> StudySpec:
        if self.grace != "auto" and not 1 <= self.grace <= self.epochs:
            raise ValueError(
                f"`1 <= grace <= epochs` must hold, but got grace={self.grace}, epochs={self.epochs}"
            )
        return self

    @field_validator("warm_start", mode="before")
    @classmethod
    def _one_name_is_a_list(cls, names: object) -> object:
        return (names,) if isinstance(names, str) else names

    @model_validator(mode="after")
    def _learns(self) -> StudySpec:
        needs = [name for name in ("warm_start", "enough") if getattr(self, name)]
        if needs and self.searcher != "default":
            raise ValueError(f"`{needs[0]}` needs `searcher: default`, but got searcher={self.searcher!r}")
        return self

    @model_validator(mode="after")
    def _own_core_can(self) -> StudySpec:
        if self.together not in {1, "auto"} and self.trainable != OWN_CORE:
            raise ValueError(
                f"`together` above 1 needs the project's own core, but got trainable={self.trainable!r}"
            )
        if self.sharded and self.trainable != OWN_CORE:
            raise ValueError(f"`sharded` needs the project's own core, but got trainable={self.trainable!r}")
        if self.processes > 1 and self.compile is True:
            raise ValueError(
                f"`compile` needs trials of one process, but got compile=true, processes_per_trial={self.processes}"
            )
        return self

    @model_validator(mode="after")
    def _folds_or_holdouts(self) -> StudySpec:
        if self.folds > 1 and self.holdouts > 1:
            raise ValueError(
                f"one of `folds` and `holdouts` must be 1, but got folds={self.folds}, holdouts={self.holdouts}"
            )
        return self

    @property
    def trainings(self) -> int:
        """How many trainings make one trial."""
        return max(self.folds, self.holdouts)

    @property
    def budget(self) -> int:
        """Epochs of a whole trial, all its folds."""
        return self.trainings * self.epochs

    @property
    def most_trials(self) -> int | None:
        """How many trials may begin; none where another limit ends the search."""
        if self.trials is None and not any(getattr(self, limit) for limit in LIMITS if limit != "trials"):
            return TRIALS
        return self.trials

    def limits(self) -> str:
        """What limits the study, in words."""
        words = {
            "trials": f"{self.most_trials} trials",
            "budget_epochs": f"{self.budget_epochs} epochs",
            "time": f"{self.time:g} seconds" if self.time else "",
            "gpu_hours": f"{self.gpu_hours:g} GPU-hours" if self.gpu_hours else "",
        }
        if self.most_trials == 1:
            words["trials"] = "1 trial"
        there = {"trials": self.most_trials, "budget_epochs": self.budget_epochs}
        given = " or ".join(words[limit] for limit in LIMITS if there.get(limit, getattr(self, limit)))
        includes = self.finalists and any(getattr(self, limit) for limit in LIMITS if limit != "trials")
        return f"{given} with the confirmation" if includes else given

    def fixed(self) -> Fixed:
        """What the study holds constant, alone."""
        held = {name: getattr(self, name) for name in Fixed.model_fields}
        if self.processes > 1:  # which cannot be compiled
            held["compile"] = False
        return Fixed.model_validate(held)

    def search_space(self) -> SearchSpace:
        """The space with the study's changes.

        Raises:
            InputError: Unknown space, or a change that is none.
        """
        if self._drawn_from is not None:
            return self._drawn_from
        return load_space(self.space).narrow(self.narrow)

    def drawing_from(self, space: SearchSpace) -> StudySpec:
        """The same spec with its space at hand: a study of the ledger needs no file of its space."""
        spec = self.model_copy()
        spec._drawn_from = space
        return spec


CHANGEABLE = frozenset(
    {
        "description",
        "hypothesis",
        *LIMITS,
        "enough",
        "finalists",
        "finalist_seeds",
        "preflight",
        "registered",
        "workers",
        "gpus_per_trial",
        "processes_per_trial",
        "sharded",
        "together",
        "silence",
        "ray_address",
    }
)
"""What may differ when a study is continued: how much of it, and on what; not what it is."""
