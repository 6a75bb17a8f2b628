"""MLflow as a projection of the ledger: it can be written again from it, and no point is doubled."""

from search.tracking.projection import Projection
from search.tracking.provenance import provenance
from search.tracking.states import mlflow_states

__all__ = ["Projection", "mlflow_states", "provenance"]
