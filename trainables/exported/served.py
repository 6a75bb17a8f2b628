"""An exported network as MLflow loads and serves one: from tables of pictures to tables of classes.

MLflow calls this a loader module (``mlflow.pyfunc``); it needs a function `_load_pyfunc`, and nothing of MLflow's.
"""

from __future__ import annotations

from typing import Any

from spaces import InputError
from trainables.exported.exported import Exported

IMAGE = "image"
"""The column of pictures: a file's bytes each, in any format that a study reads."""
LABEL, PROBABILITY, PROBABILITIES, REASON = "label", "probability", "probabilities", "reason"
"""What comes out: the likeliest class, its probability, those of all in `model.json`'s order; why there are none."""


class Served:
    """A network behind MLflow's interface.

    Args:
        exported: The network.
    """

    def __init__(self, exported: Exported) -> None:
        self.exported = exported

    def predict(self, data: Any, params: Any = None) -> Any:
        """What the network says of each picture of a table.

        One picture that cannot be read does not cost the others their answer: its label is empty, its probability 0,
        its probabilities none, and `REASON` says why. Of a picture that can be, the reason is empty.

        Args:
            data: A pandas table with the column `IMAGE`.
            params: There are none.

        Returns:
            A table with the same index: `LABEL` (text), `PROBABILITY` (calibrated), `PROBABILITIES` (a list, one a
            class), `REASON` (text).

        Raises:
            InputError: There is no such column, or something in it is no bytes.
        """
        if IMAGE not in data:
            raise InputError(
                f"a table of pictures must have the column {IMAGE!r}, but has {', '.join(map(str, data)) or 'none'}"
            )
        said = list(self.exported.predict(map(_picture, data[IMAGE])))
        likeliest = [one.best()[0] if one.probabilities else ("", 0.0) for one in said]
        columns = {
            LABEL: [label for label, _ in likeliest],
            PROBABILITY: [share for _, share in likeliest],
            PROBABILITIES: [list(one.probabilities) for one in said],
            REASON: [one.reason for one in said],
        }
        return data[[]].assign(**columns)


def _picture(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise InputError(
            f"the column {IMAGE!r} must hold the bytes of a picture's file in each row, but one is a "
            f"{type(value).__name__}"
        )
    return bytes(value)


def _load_pyfunc(data_path: str) -> Served:
    """The network of a folder, for MLflow.

    Whoever loads a model of MLflow's runs the code that comes with it; so an architecture that is code of somebody's
    own is run here too. It does not come with the model, but is imported from where the model is loaded.
    """
    return Served(Exported.load(data_path, trust=True))
