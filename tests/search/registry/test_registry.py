"""A winner gets into MLflow's registry once, whatever happens on the way, and the alias is the winner's."""

from __future__ import annotations

import shutil

import mlflow
import pytest

from search import register
from search.checkpoints import SEARCH, Checkpoints
from search.export.export import export_best
from search.overview import load_study
from search.store.databases import prepare
from search.store.layout import Store
from search.study import Study
from search.view import words
from search.view.answer import sentences
from tests.search.registry.parts import client_of, crowned, registered, run_of, studied, versions


@pytest.fixture(scope="module")
def trained(empty, tmp_path_factory):
    """A store with a study of one trial."""
    root = tmp_path_factory.mktemp("trained") / "mlruns"
    shutil.copytree(empty, root)
    studied(Store(root))
    return root


@pytest.fixture
def small(trained, tmp_path) -> Study:
    """That study, in a store of the test's own."""
    shutil.copytree(trained, tmp_path / "small" / "mlruns")
    return load_study(Store(tmp_path / "small" / "mlruns"), "small")


def test_the_winner_is_a_version_that_its_run_leads_to(store, monkeypatch, capfd):
    # Neither the program around us nor its environment says where.
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "sqlite:///nowhere.db")
    before = mlflow.get_tracking_uri()
    study = studied(store, name="a.b-c_d", trials=2)
    run = run_of(study)
    capfd.readouterr()
    heard = registered(study, run)
    assert capfd.readouterr() == ("", "")
    assert mlflow.get_tracking_uri() == before
    assert heard.phases == ["exporting the winner", "judging the winner", "registering the winner"]
    assert heard.notes == [
        "the winner is version 1 of MLflow's registered model 'a.b-c_d': models:/a.b-c_d@winner"
    ]
    assert heard.troubles == []

    client, version, result = client_of(store), crowned(store, "a.b-c_d"), study.result()
    assert (str(version.version), version.run_id, version.status) == ("1", run, "READY")
    tags = {key: version.tags[key] for key in ("study.name", "trial.number", "score")}
    assert tags == {
        "study.name": "a.b-c_d",
        "trial.number": str(result.best.number),
        "score": str(result.best.score),
    }
    assert version.tags["study.uid"] == register.find_study(store, "a.b-c_d").user_attrs[register.UID]
    assert len(version.tags["weights.sha256"]) == 64
    assert "mean_test_accuracy" not in version.tags  # nothing was confirmed
    recipe = f"Trial {result.best.number}: {words.recipe(result.best.params)}"
    assert version.description.split("\n\n") == [recipe, *sentences(result, study.spec)]
    (output,) = client.get_run(run).outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert model.params == {name: str(value) for name, value in result.best.params.items()}
    assert model.artifact_location == version.source
    assert model.tags["mlflow.modelVersions"] == '[{"name": "a.b-c_d", "version": 1}]'
    assert '"models:/a.b-c_d@winner"' in client.get_registered_model("a.b-c_d").description


def test_what_is_there_is_not_made_again(small, monkeypatch):
    study, store = small, small.store
    registered(study)
    monkeypatch.setattr("search.export.export.export_best", None)
    heard = registered(study)
    assert (heard.phases, heard.notes, heard.troubles) == ([], [], [])
    client = client_of(store)
    client.update_model_version("small", "1", "an older answer")
    client.set_model_version_tag("small", "1", "score", "0.1")
    client.set_model_version_tag("small", "1", "stage", "approved")
    assert registered(study).troubles == []
    version = crowned(store)
    assert version.description.endswith(sentences(study.result(), study.spec)[-1])
    assert version.tags["score"] == str(study.result().best.score)
    assert version.tags["stage"] == "approved"  # what others say of it stays
    assert versions(store) == ["1"]


def test_another_winner_is_another_version_and_has_the_alias(small):
    first, store = small, small.store
    registered(first)
    more = studied(store, trials=4)  # four more
    assert more.result().best.number != first.result().trials[0].number
    heard = registered(more)
    assert heard.notes[0].startswith("the winner is version 2 of")
    assert versions(store) == ["1", "2"]
    version = crowned(store)
    assert (str(version.version), version.tags["trial.number"]) == ("2", str(more.result().best.number))
    before = client_of(store).get_model_version("small", "1")
    assert before.tags["weights.sha256"] != version.tags["weights.sha256"]
    # Somebody gave the alias away.
    client_of(store).set_registered_model_alias("small", "winner", "1")
    assert registered(more).notes == []
    assert str(crowned(store).version) == "2"
    assert versions(store) == ["1", "2"]


def test_a_study_of_the_same_name_has_versions_of_its_own(small, tmp_path):
    store = small.store
    registered(small)
    other = Store(tmp_path / "other", mlflow=store.mlflow_uri)
    prepare(other)
    study = studied(other)  # the very same training
    assert registered(study).notes[0].startswith("the winner is version 2 of")
    one, two = (client_of(store).get_model_version("small", number) for number in ("1", "2"))
    assert one.tags["weights.sha256"] == two.tags["weights.sha256"]
    assert one.tags["study.uid"] != two.tags["study.uid"]


STEPS = (
    "create_logged_model",
    "log_model_artifacts",
    "set_logged_model_tags",
    "finalize_logged_model",
    "log_outputs",
    "create_registered_model",
    "create_model_version",
    "update_model_version",
    "set_model_version_tag",
    "set_registered_model_alias",
)


def test_a_kill_between_any_two_steps_leaves_nothing_that_the_next_run_does_not_mend(
    small, tmp_path, monkeypatch
):
    study, store = small, small.store
    once = export_best(study, tmp_path / "once")  # which takes longest

    def exported(study, folder, **told):
        shutil.copytree(tmp_path / "once", folder)
        return once

    monkeypatch.setattr("search.export.export.export_best", exported)
    run, result = run_of(study), study.result()
    client = client_of(store)
    experiment = client.get_run(run).info.experiment_id
    for step in STEPS:
        real = getattr(type(client), step)

        def killed(*arguments, real=real, **settings):
            real(*arguments, **settings)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(type(client), step, killed)
            with pytest.raises(KeyboardInterrupt):
                registered(study, run, result)
        assert registered(study, run, result).troubles == [], step
        assert versions(store) == ["1"], step
        (model,) = client.search_logged_models([experiment])
        assert model.status == "READY", step
        assert model.tags["mlflow.modelVersions"] == '[{"name": "small", "version": 1}]', step
        outputs = [one.model_id for one in client.get_run(run).outputs.model_outputs]
        assert outputs.count(model.model_id) == 1, step
        version = crowned(store)
        assert version.tags.keys() >= {"score", "weights.sha256"}, step
        assert version.description.startswith("Trial 0: "), step
        client.delete_registered_model("small")
        if STEPS.index(step) < STEPS.index("log_outputs"):
            client.delete_logged_model(model.model_id)


def test_what_goes_wrong_is_told_and_ends_nothing(small, monkeypatch):
    study, store = small, small.store
    heard = registered(study, None)
    assert heard.troubles == [
        "the winner could not be registered in MLflow (MLflow lacks the study's run); the study's next run tries again"
    ]
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = type(study)(study.spec, Store(store.root, mlflow="http://127.0.0.1:9"))
    (trouble,) = registered(away, "some").troubles
    assert trouble.startswith("the winner could not be registered in MLflow (")
    assert "refused" in trouble
    assert "\n" not in trouble
    run = run_of(study)
    place = Checkpoints(store, "small").place(SEARCH, 0)
    place.put("best.pt", b"cut short")
    (trouble,) = registered(study, run).troubles
    assert "are not whole" in trouble
    assert versions(store) == []


@pytest.mark.parametrize(
    "changes", [{"registered": False}, {"trainable": "tests.search.parts:Logged"}], ids=["off", "own"]
)
def test_a_study_that_is_not_to_be_registered_asks_mlflow_nothing(small, monkeypatch, changes):
    monkeypatch.setattr("search.registry.registry.Registry", None)
    heard = registered(Study(small.spec.model_copy(update=changes), small.store))
    assert (heard.phases, heard.notes, heard.troubles) == ([], [], [])


def test_weights_that_are_gone_are_not_registered(small):
    study, store = small, small.store
    Checkpoints(store, "small").place(SEARCH, 0).clear()
    assert registered(study).troubles == []
    assert versions(store) == []
