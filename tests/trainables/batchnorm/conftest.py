"""What the tests of this folder are given."""

import pytest

from tests.trainables.batchnorm.parts import WITH, network


@pytest.fixture(params=WITH)
def model(request):
    return network(request.param)
