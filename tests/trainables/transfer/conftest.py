"""What the tests of this folder are given."""

import pytest

from tests.trainables.transfer.parts import ARCHITECTURES


@pytest.fixture(params=ARCHITECTURES)
def architecture(request):
    return request.param
