"""A study, written down: what to search, on what, for how long."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from search.usage import Usage
from spaces import InputError, SearchSpace, load_space, locate, preset_names
from spaces.document import Document, parse_value, read_document
from spaces.errors import did_you_mean, known_names, shown
from spaces.laws import broken_law
from trainables.config import HELD, KNOBS, Fixed
from trainables.data.naming import BUILT_IN, absolute

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}")

STUDIES = Path(__file__).parent / "studies"
"""The built-in studies."""


LIMITS = ("trials", "budget_epochs", "time", "gpu_hours")
"""Settings that end a search; those that are typed take the place of a file's."""

TRIALS = 40
"""Of a study that names no limit."""

OWN_CORE = "trainables.builder:from_params"
"""The trainable of a study that names none: the project's AMP loop."""


class StudySpec(Usage, Fixed):
    """All that makes a study; what it holds constant (`Fixed`) and what it runs on (`Usage`) are part of it.

    Args:
        name: The study's name in the ledger, in MLflow and on disk.
        description: For people.
        data: A data set's name: a built-in, a folder or file, ``torchvision:NAME``, ``hf:ID``, or
            ``package.module:attribute``.
        split_seed: Of the split into train, val and test.
        folds: Parts of train and val together, each of which judges a training on the others; a trial's score
            is the mean. 1 for the data set's own train and val alone.
        holdouts: Splits of train and val together that are drawn anew, likewise; not both.
        space: A preset's name, a YAML file, or ``package.module:attribute``.
        narrow: Changes to the space, by qualified parameter name (see `SearchSpace.narrow`).
        trials: How many trials the search has in all; none for no such limit (40 where there is no other).
        budget_epochs: How many epochs all trials of the search may train together.
        time: Seconds that the search may take. No trial begins or goes on after them; before, what they are
            needed for is to finish the best.
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
        trainable: ``package.module:attribute`` of a function that makes a trial's trainable.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    name: str
    description: str = ""
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
        """What ends the search, in words."""
        words = {
            "trials": f"{self.most_trials} trials",
            "budget_epochs": f"{self.budget_epochs} epochs",
            "time": f"{self.time:g} seconds" if self.time else "",
            "gpu_hours": f"{self.gpu_hours:g} GPU-hours" if self.gpu_hours else "",
        }
        if self.most_trials == 1:
            words["trials"] = "1 trial"
        there = {"trials": self.most_trials, "budget_epochs": self.budget_epochs}
        return " or ".join(words[limit] for limit in LIMITS if there.get(limit, getattr(self, limit)))

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
        *LIMITS,
        "enough",
        "finalists",
        "finalist_seeds",
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


def built_in_studies() -> tuple[str, ...]:
    """Names of the studies that come with the project."""
    return tuple(sorted(path.stem for path in STUDIES.glob("*.yaml")))


def load_spec(name_or_path: str, overrides: Mapping[str, Any] | None = None) -> StudySpec:
    """The spec of a built-in study or of a YAML file, with changes.

    Args:
        name_or_path: ``digits``, or a path that ends in .yaml or .yml. Files that it names (``space``,
            ``pretrained``) are looked for in its own folder first.
        overrides: Field names of the spec, or qualified parameter names (which narrow the space), to
            values. A name of both kinds narrows the space where the space has it.

    Raises:
        InputError: One sentence that says what is wrong, and on which line of which file.
    """
    path, document = _read(str(name_or_path))
    data = document.data
    if not isinstance(data, dict):
        raise InputError(f"{path.name}: a study must be a mapping of settings, but got {shown(data)}")
    given = dict(overrides or {})
    settings = {"name": path.stem, **data}
    for key in ("space", "pretrained", "data"):
        if key in data:
            settings[key] = _beside(path, data[key], folders=key == "data")
    if isinstance(given.get("data"), str):
        given["data"] = absolute(given["data"])
    if given:
        settings = _overridden(settings, given)
    try:
        spec = StudySpec.model_validate(settings)
    except ValidationError as error:
        place, law = broken_law(error, StudySpec.model_fields)
        raise InputError(_placed(law, place, path, document, given)) from None
    _check_narrow(spec, path, document, given)
    _reject_double_rule(spec, path, document, given)
    if spec.trainable != StudySpec.model_fields["trainable"].default and not callable(locate(spec.trainable)):
        raise InputError(f"`trainable` must name a function, but {shown(spec.trainable)} is none")
    return spec


def spec_like(spec: StudySpec, overrides: Mapping[str, Any]) -> StudySpec:
    """A study as another one, but for `overrides`, among them its name.

    Args:
        spec: The other one.
        overrides: As for `load_spec`.

    Raises:
        InputError: There is no new name, or a change makes no sense.
    """
    if overrides.get("name") in {None, spec.name}:
        raise InputError(f"a study like {spec.name!r} must have a name of its own: --name")
    settings = _overridden(json.loads(spec.model_dump_json()), dict(overrides))
    try:
        made = StudySpec.model_validate(settings)
    except ValidationError as error:
        raise InputError(broken_law(error, StudySpec.model_fields)[1]) from None
    made.search_space()
    return made


def _read(name_or_path: str) -> tuple[Path, Document]:
    path = Path(name_or_path)
    if path.suffix.lower() not in {".yaml", ".yml"}:
        names = built_in_studies()
        if name_or_path not in names:
            raise InputError(
                f"a study must be one of {', '.join(names)} or a .yaml file, "
                f"but got {shown(name_or_path)}{did_you_mean(name_or_path, names)}"
            )
        path = STUDIES / f"{name_or_path}.yaml"
    return path, read_document(path)


def _beside(path: Path, value: object, *, folders: bool) -> object:
    """A file that a study names, or a folder where it may be one, from the study's own folder where it is there."""
    try:
        given = isinstance(value, str) and bool(value) and value not in BUILT_IN
        beside = path.parent / str(value)
        found = given and ((folders and beside.is_dir()) or (bool(beside.suffix) and beside.is_file()))
    except (OSError, ValueError):  # too long for a name, or with a zero byte in it
        found = False
    return os.path.abspath(path.parent / str(value)) if found else value


def _overridden(settings: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Put each override where it belongs: a setting of the spec, or a change of the space."""
    other_data = "data" in overrides and overrides["data"] != settings.get("data", "digits")
    if any(limit in overrides for limit in LIMITS):
        settings = {key: value for key, value in settings.items() if key not in LIMITS}
    settings = dict(settings)
    for key in ("space", "narrow"):
        if key in overrides:
            settings[key] = overrides[key]
    changes = settings.get("narrow", {})
    if not isinstance(settings.get("space", ""), str) or not isinstance(changes, dict):
        return settings  # validation has the sentence for it
    leaves = load_space(settings.get("space", StudySpec.model_fields["space"].default)).leaves()
    narrow = dict(changes)
    if "space" in overrides and "narrow" not in overrides:
        # The file's changes are of the file's space: a space of the user's own means what it says, and what
        # another preset does not have cannot be meant.
        kept = leaves if settings["space"] in preset_names() else {}
        narrow = {name: change for name, change in narrow.items() if name in kept}
    for key, value in overrides.items():
        name = key.removeprefix("narrow.").removeprefix("space.")
        if name in leaves:
            narrow[name] = value
        elif key in StudySpec.model_fields:
            if key != "narrow":
                settings[key] = value
        elif name.partition(".")[0] in HELD and name.count(".") >= 2:
            held = settings.get("options", {})
            settings["options"] = {**held, name: value} if isinstance(held, dict) else held
        else:
            known = known_names(name, [*StudySpec.model_fields, *leaves])
            raise InputError(
                f"{shown(key)} is neither a setting of a study nor a parameter of its space{known}"
            )
    if other_data and "name" not in overrides:
        settings["name"] = _name_for(settings, str(overrides["data"]))
    return {**settings, "narrow": narrow}


def _name_for(settings: Mapping[str, Any], data: str) -> str:
    """A study on other data is another study: it gets the data set's name unless it is given one."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(data.replace(":", "-")).name).strip("-._")
    return words[:91] or str(settings["name"])


def _check_narrow(spec: StudySpec, path: Path, document: Document, given: Mapping[str, Any]) -> None:
    """A change of the space that is none, with its line."""
    space = load_space(spec.space)
    for name, change in spec.narrow.items():
        try:
            space.narrow({name: change})
        except InputError as error:
            typed = any(name in (key, key.partition(".")[2]) for key in given) or "narrow" in given
            where = "" if typed else f"{path.name}, line {document.line(('narrow', name))}: "
            raise InputError(f"{where}{error}") from None
    spec.search_space()  # all changes together


def _reject_double_rule(spec: StudySpec, path: Path, document: Document, given: Mapping[str, Any]) -> None:
    leaves = set(spec.search_space().leaves())
    both = sorted((leaves & set(KNOBS) & spec.model_fields_set) | (leaves & set(spec.options)))
    if both:
        law = (
            f"{both[0]!r} is searched by the space {spec.space!r}, so it must not be a setting too; "
            f"fix or narrow it with `narrow: {{{both[0]}: …}}`"
        )
        raise InputError(_placed(law, (both[0],), path, document, given))


def _placed(
    law: str, place: tuple[str | int, ...], path: Path, document: Document, given: Mapping[str, Any]
) -> str:
    """The sentence `law` with file and line, unless what it is about was typed and not read."""
    # A law about several fields has no place of its own; it names them with their values.
    names = [str(place[0])] if place else [name for name in StudySpec.model_fields if f"{name}=" in law]
    if any(name in given for name in names):
        return law
    written = [line for name in names if (line := document.lines.get((name, *place[1:])))]
    line = max(written) if written else document.line(place)
    return f"{path.name}, line {line}: {law}"


def parse_setting(text: str) -> tuple[str, Any]:
    """``key=value`` as typed after ``--set``; the value is read as YAML.

    Raises:
        InputError: There is no ``=``, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set must have the form key=value, but got {shown(text)}")
    return key.strip(), parse_value(value, source=f"--set {key.strip()}")
