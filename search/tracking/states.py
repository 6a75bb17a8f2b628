"""What MLflow says of a study's trials, to be compared with the ledger."""

from search.store.layout import Store
from search.store.quiet import hushed
from search.tracking.writer import NUMBER, PARENT, PHASE


def mlflow_states(store: Store, study_name: str, phase: str = "search") -> dict[int, tuple[str, str]]:
    """Each trial's run status (FINISHED, KILLED, …) and its tag ``trial.state``, by trial number.

    Args:
        store: Whose MLflow.
        study_name: The study's name; one that MLflow does not know has no trials.
        phase: The study's phase.

    Raises:
        ValueError: If a trial has more than one run.
    """
    with hushed():
        from mlflow import MlflowClient

        client = MlflowClient(store.mlflow_uri)
        experiment = client.get_experiment_by_name(study_name)
        states: dict[int, tuple[str, str]] = {}
        token: str | None = None
        while experiment is not None:
            page = client.search_runs(
                [experiment.experiment_id], f"tags.`{PHASE}` = '{phase}'", page_token=token
            )
            for run in page:
                tags = run.data.tags
                if PARENT not in tags:
                    continue
                number = int(tags[NUMBER])
                if number in states:
                    raise ValueError(
                        f"a trial must have one run, but trial {number} of {study_name} has more"
                    )
                states[number] = (run.info.status, tags.get("trial.state", ""))
            token = page.token or None
            if token is None:
                break
        return states
