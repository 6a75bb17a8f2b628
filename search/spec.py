"""A study, written down: what to search, on what, for how long."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from spaces import InputError, SearchSpace, load_space
from spaces.document import Document, parse_value, read_document
from trainables.config import KNOBS, Fixed

STUDIES = Path(__file__).parent / "studies"
"""The built-in studies."""


class StudySpec(Fixed):
    """All that makes a study; what a study holds constant (`Fixed`) is part of it.

    Args:
        name: The study's name in the ledger, in MLflow and on disk.
        description: For people.
        data: A data set's name.
        split_seed: Of the split into train, val and test.
        space: A preset's name, a YAML file, or ``package.module:attribute``.
        narrow: Changes to the space, by qualified parameter name (see `SearchSpace.narrow`).
        trials: How many trials the search has in all.
        time: Seconds after which no new trial begins; none for no limit.
        searcher: Who proposes recipes.
        scheduler: Who stops weak trials early.
        eta: One in `eta` goes on at each rung.
        grace: Epochs before a trial may be stopped; ``auto`` covers warm-up and the first unfreezing.
        seed: Of the searcher and of the trials.
        finalists: How many of the best are trained again; 0 for no confirmation.
        finalist_seeds: With how many new seeds each.
        workers: Trials at a time; none takes what the machine has.
        cpus_per_trial: Cores of one trial.
        gpus_per_trial: Share of a GPU of one trial; none takes a whole one where there is one.
        trainable: ``package.module:attribute`` of a function that makes a trial's trainable.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,90}$")]
    description: str = ""
    data: str = "digits"
    split_seed: int = Field(default=0, ge=0)
    space: str = "finetune"
    narrow: dict[str, Any] = Field(default_factory=dict)
    trials: int = Field(default=40, ge=1)
    time: float | None = Field(default=None, gt=0)
    searcher: Literal["tpe", "random"] = "tpe"
    scheduler: Literal["asha", "none"] = "asha"
    eta: float = Field(default=3.0, gt=1)
    grace: int | Literal["auto"] = "auto"
    seed: int = Field(default=0, ge=0)
    finalists: int = Field(default=3, ge=0)
    finalist_seeds: int = Field(default=3, ge=1)
    workers: int | None = Field(default=None, ge=1)
    cpus_per_trial: int = Field(default=1, ge=1)
    gpus_per_trial: float | None = Field(default=None, ge=0)
    trainable: str = "trainables.builder:from_params"

    @model_validator(mode="after")
    def _grace_is_an_epoch(self) -> StudySpec:
        if self.grace != "auto" and not 1 <= self.grace <= self.epochs:
            raise ValueError(
                f"`1 <= grace <= epochs` must hold, but got grace={self.grace}, epochs={self.epochs}"
            )
        return self

    def fixed(self) -> Fixed:
        """What the study holds constant, alone."""
        return Fixed.model_validate({name: getattr(self, name) for name in Fixed.model_fields})

    def search_space(self) -> SearchSpace:
        """The space with the study's changes.

        Raises:
            InputError: Unknown space, or a change that is none.
        """
        return load_space(self.space).narrow(self.narrow)


CHANGEABLE = frozenset(
    {
        "description",
        "trials",
        "time",
        "finalists",
        "finalist_seeds",
        "workers",
        "cpus_per_trial",
        "gpus_per_trial",
    }
)
"""What may differ when a study is continued: how much of it, and on what; not what it is."""


def built_in_studies() -> tuple[str, ...]:
    """Names of the studies that come with the project."""
    return tuple(sorted(path.stem for path in STUDIES.glob("*.yaml")))


def load_spec(name_or_path: str, overrides: Mapping[str, Any] | None = None) -> StudySpec:
    """The spec of a built-in study or of a YAML file, with changes.

    Args:
        name_or_path: ``digits``, or a path that ends in .yaml or .yml.
        overrides: Field names of the spec, or qualified parameter names (which narrow the space), to
            values. A name of both kinds narrows the space where the space has it.

    Raises:
        InputError: One sentence that says what is wrong, and on which line of which file.
    """
    path, document = _read(name_or_path)
    data = document.data
    if not isinstance(data, dict):
        raise InputError(f"{path}: a study must be a mapping of settings, but got {type(data).__name__}")
    settings = {"name": path.stem, **data}
    if overrides:
        settings = _overridden(settings, dict(overrides))
    try:
        spec = StudySpec.model_validate(settings)
    except ValidationError as error:
        raise InputError(_sentence(error, path, document, overrides or {})) from None
    _reject_double_rule(spec)
    return spec


def _read(name_or_path: str) -> tuple[Path, Document]:
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = STUDIES / f"{name_or_path}.yaml"
        if name_or_path not in built_in_studies():
            close = get_close_matches(name_or_path, built_in_studies(), n=1)
            raise InputError(
                f"a study must be one of {', '.join(built_in_studies())} or a .yaml file, but got "
                f"{name_or_path!r}" + (f" (did you mean {close[0]!r}?)" if close else "")
            )
    return path, read_document(path)


def _overridden(settings: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Put each override where it belongs: a setting of the spec, or a change of the space."""
    other_data = "data" in overrides and overrides["data"] != settings.get("data", "digits")
    for key in ("space", "narrow"):
        if key in overrides:
            settings[key] = overrides.pop(key)
    leaves = load_space(str(settings.get("space", "finetune"))).leaves()
    narrow = dict(settings.get("narrow") or {})
    for key, value in overrides.items():
        name = key.removeprefix("narrow.").removeprefix("space.")
        if name in leaves:
            narrow[name] = value
        elif key in StudySpec.model_fields:
            settings[key] = value
        else:
            known = [*StudySpec.model_fields, *leaves]
            close = get_close_matches(name, known, n=1)
            raise InputError(
                f"{key!r} is neither a setting of a study nor a parameter of its space"
                + (
                    f"; did you mean {close[0]!r}?"
                    if close
                    else f"; settings: {', '.join(StudySpec.model_fields)}"
                )
            )
    if other_data and "name" not in overrides:
        settings["name"] = _name_for(settings, str(overrides["data"]))
    return {**settings, "narrow": narrow}


def _name_for(settings: Mapping[str, Any], data: str) -> str:
    """A study on other data is another study: it gets the data set's name unless it is given one."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(data.replace(":", "-")).name).strip("-.")
    return words or str(settings["name"])


def _reject_double_rule(spec: StudySpec) -> None:
    both = sorted((set(spec.search_space().leaves()) & set(KNOBS)) & spec.model_fields_set)
    if both:
        raise InputError(
            f"{both[0]!r} is searched by the space {spec.space!r}, so it must not be a setting too; "
            f"fix or narrow it with `narrow: {{{both[0]}: …}}`"
        )


def _sentence(error: ValidationError, path: Path, document: Document, overrides: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    where = tuple(part for part in first["loc"] if part in StudySpec.model_fields or isinstance(part, int))
    name = ".".join(str(part) for part in where)
    law = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][0])
        close = get_close_matches(key, StudySpec.model_fields, n=1)
        law = f"{key!r} is no setting of a study" + (f"; did you mean {close[0]!r}?" if close else "")
        where = first["loc"]
    elif name:
        law = f"{name}: {law[0].lower()}{law[1:]}, but got {first['input']!r}"
    place = "" if where and where[0] in overrides else f"{path.name}, line {document.line(where)}: "
    return f"{place}{law}"


def parse_setting(text: str) -> tuple[str, Any]:
    """``key=value`` as typed after ``--set``; the value is read as YAML.

    Raises:
        InputError: There is no ``=``, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set must have the form key=value, but got {text!r}")
    return key.strip(), parse_value(value, source=f"--set {key.strip()}")
