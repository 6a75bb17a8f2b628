"""All that a search's trials say, together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from search.decisions.history import History
from search.insight.effects import Effect, Interaction, effects_of, interactions_of
from search.insight.rungs import Agreement, Stopped, agreements_of, stopped_of
from search.insight.surface import Surface


@dataclass(frozen=True)
class Insight:
    """What a search's trials say.

    Args:
        effects: What each parameter does, those that are told from chance first; empty where there are too few trials.
        interactions: What pairs of them do beside it, the strongest first.
        agreements: How early epochs rank trials as late ones do.
        stopped: What trials that were stopped early lacked.
    """

    effects: Sequence[Effect] = field(default_factory=tuple)
    interactions: Sequence[Interaction] = field(default_factory=tuple)
    agreements: Sequence[Agreement] = field(default_factory=tuple)
    stopped: Sequence[Stopped] = field(default_factory=tuple)

    @property
    def told(self) -> list[Effect]:
        """The parameters that matter."""
        return [effect for effect in self.effects if effect.told]

    @property
    def untold(self) -> list[Effect]:
        """Those whose effect is not told from chance: it may be there, and it is not large."""
        return [effect for effect in self.effects if not effect.told]

    @property
    def regret(self) -> float | None:
        """How many of the stopped trials would have beaten the best one, as far as can be expected."""
        chances = [one.chance for one in self.stopped if one.chance is not None]
        return sum(chances) if chances else None

    def to_dict(self) -> dict[str, Any]:
        """As plain data that JSON can carry."""
        return {
            "effects": [
                {
                    "parameter": effect.name,
                    "branches": {switch: list(options) for switch, options in effect.branches.items()},
                    "trials": effect.trials,
                    "matters": effect.told,
                    "chance": effect.chance,
                    "share": effect.share,
                    "share_within": effect.share_within,
                    "ped_anova": effect.density,
                    "best": effect.best,
                    "worst": effect.worst,
                    "gain": effect.gain,
                    "margin": effect.margin,
                    "values": list(effect.marginal.values),
                    "means": effect.marginal.means.tolist(),
                    "deviations": effect.marginal.deviations.tolist(),
                }
                for effect in self.effects
            ],
            "interactions": [
                {
                    "parameters": list(pair.names),
                    "share": pair.share,
                    "values": [list(values) for values in pair.values],
                    "means": pair.means.tolist(),
                }
                for pair in self.interactions
            ],
            "agreements": [dict(vars(one)) for one in self.agreements],
            "stopped": [{**vars(one), "short": one.short} for one in self.stopped],
        }


def insight_of(history: History, seed: int = 0) -> Insight:
    """Look at a search; what there are too few trials for is left empty.

    Args:
        history: The search.
        seed: Of what is drawn at random.
    """
    try:
        surface = Surface(history, seed)
    except ValueError:
        surface = None
    effects = effects_of(history, surface) if surface is not None else []
    return Insight(
        effects=effects,
        interactions=interactions_of(effects, surface) if surface is not None else [],
        agreements=agreements_of(history, surface),
        stopped=stopped_of(history, surface),
    )
