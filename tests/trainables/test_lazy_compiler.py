"""Torch's compiler is not imported by what does not compile, and is whole where it is wanted."""

from __future__ import annotations

import subprocess
import sys

TRAIN = """
import sys
from tests.conftest import QUIET_CPU, small_dataset
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.material import prepare

fixed = Fixed(model="test_resnet", pretrained=False, epochs=2, compile=False, **QUIET_CPU)
material = prepare(small_dataset(), fixed)
for optimizer in ("adamw", "sgd", "nadam", "lion"):
    params = {"strategy": "full", "strategy.full.lr": 1e-3, "batch_size": 16, "optimizer": optimizer}
    trainable = from_params(params, fixed, 0, material)
    list(trainable.epochs())
    trainable.load_state_dict(trainable.state_dict())
"""

COMPILE = """
import torch
from trainables import lazy_compiler
import timm.optim

assert torch._dynamo.config.cache_size_limit == 1_000_000  # timm's
layer = torch.nn.Linear(3, 3)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
layer(torch.ones(1, 3)).sum().backward()
optimizer.step()  # while there is only the stand-in
compiled = torch.compile(lambda x: x.sin() + 1, backend="eager")
assert torch.equal(compiled(torch.zeros(3)), torch.ones(3))
assert type(torch._dynamo).__name__ == "module"
assert torch._dynamo.config.cache_size_limit == 1_000_000
optimizer.step()
assert optimizer.state_dict()["param_groups"][0]["lr"] == 0.1
"""

DISABLED = """
import torch
from trainables import lazy_compiler
import timm

@torch._dynamo.disable
def again(x):
    return x + 1

@torch.compiler.disable(recursive=False)
def once(x):
    return x + 1

assert once(1) == again(1) == 2
assert again.__name__ == "again"
"""

PART_OF_IT = """
import torch
from trainables import lazy_compiler
import timm
import torch._dynamo.utils as utils
import sys

assert utils is sys.modules["torch._dynamo.utils"] is torch._dynamo.utils
assert torch._dynamo is sys.modules["torch._dynamo"] and type(torch._dynamo).__name__ == "module"
import torchvision
boxes = torchvision.ops.roi_align(torch.rand(1, 3, 8, 8), torch.tensor([[0.0, 0, 0, 4, 4]]), 2)
assert boxes.shape == (1, 3, 2, 2)
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_does_not_import_the_compiler():
    said = run(TRAIN + "print(sorted(name for name in sys.modules if name.startswith('torch._dynamo')))")
    assert said.strip() == "['torch._dynamo']"  # the stand-in


def test_what_is_compiled_finds_the_whole_compiler():
    run(COMPILE)


def test_what_is_to_be_left_out_of_compiling_is_taken_in_all_its_forms():
    run(DISABLED)


def test_who_imports_a_part_of_it_gets_the_whole_and_each_part_once():
    run(PART_OF_IT)
