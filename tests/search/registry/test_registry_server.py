"""The same on a server of MLflow's, which keeps the files itself."""

from __future__ import annotations

import pytest

from search.store.databases import prepare
from search.store.layout import Store, sqlite_url
from search.store.quiet import hushed
from tests.search.registry.parts import client_of, crowned, registered, run_of, studied, versions
from tests.search.servers import mlflow_server
from trainables.exported import Exported


@pytest.mark.timeout(300)
def test_a_server_has_the_model_and_gives_it_back(store, tmp_path):
    with mlflow_server(tmp_path, sqlite_url(store.mlflow_db)) as server:
        remote = Store(tmp_path / "remote", mlflow=server.url)
        prepare(remote)
        study = studied(remote)
        run = run_of(study)
        assert registered(study, run).troubles == []
        assert registered(study, run).notes == []
        assert versions(remote) == ["1"]
        version = crowned(remote)
        assert version.source.startswith("mlflow-artifacts:/")
        with hushed():
            from mlflow.artifacts import download_artifacts

            got = download_artifacts(
                version.source, tracking_uri=server.url, dst_path=str(tmp_path / "got")
            )  # fmt: skip
        assert Exported.load(f"{got}/data/winner").description.source.study == "small"
        (output,) = client_of(remote).get_run(run).outputs.model_outputs
        assert output.model_id in version.source
