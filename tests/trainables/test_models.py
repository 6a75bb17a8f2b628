import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from spaces import InputError
from tests.conftest import QUIET_CPU, quadrants, small_dataset
from trainables.builder import from_params
from trainables.config import Fixed
from trainables.data import Images
from trainables.data.batches import Split
from trainables.material import prepare
from trainables.models import glyphs
from trainables.models.backbone import Backbone, find_backbone, load_weights
from trainables.models.network import make_network
from trainables.strategies.layers import head_names

SHARED = Path(__file__).parents[3] / "shared"
RESNET = Backbone("test_resnet", "test_resnet")


def pretrained(architecture="test_resnet", classes=7, channels=3, **arguments) -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    model = timm.create_model(architecture, num_classes=classes, in_chans=channels, **arguments)
    return model.state_dict()


def arrays(state):
    return {name: tensor.numpy() for name, tensor in state.items()}


# --- names ---------------------------------------------------------------------------------------------


def test_the_built_in_backbone_is_a_timm_architecture_with_statistics_of_its_own():
    backbone = find_backbone(Fixed(model="glyphs"))
    assert timm.is_model(backbone.architecture)
    assert (backbone.mean, backbone.std) == ((glyphs.MEAN,), (glyphs.STD,))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("test_resent", "test_resnet"), ("glyph", "glyphs"), ("mobilenetv2100", "mobilenetv2_100")],
)
def test_a_name_with_a_slip_is_answered_with_the_one_that_was_meant(typed, meant):
    with pytest.raises(InputError, match=rf"'{typed}'; close: .*\b{meant}\b"):
        find_backbone(Fixed(model=typed))


def test_statistics_are_those_of_the_weights_if_there_are_weights():
    assert find_backbone(Fixed(model="test_resnet", pretrained=True)).mean == (0.5, 0.5, 0.5)
    assert find_backbone(Fixed(model="test_resnet", pretrained=False)).mean is None
    assert find_backbone(Fixed(model="test_resnet", pretrained="a.pt", mean=(0.1,), std=(0.2,))).std == (0.2,)


def test_a_transformer_is_built_for_the_size_of_image_that_is_asked_for():
    recipe = {"strategy": "full", "strategy.full.lr": 1e-3}
    for asked in ({"image_size": 32}, {"model_args": {"img_size": 32}}):
        fixed = Fixed(model="test_vit", pretrained=False, epochs=1, warmup_epochs=0, **asked, **QUIET_CPU)
        material = prepare(small_dataset(), fixed)
        assert material.train.pixels.shape[1] == 32
        assert next(from_params(recipe, fixed, 0, material).epochs()).epoch == 1
    assert find_backbone(Fixed(model="test_vit")).size == 160


def test_two_sizes_of_image_are_refused():
    with pytest.raises(InputError, match=r"image_size=64, img_size=32"):
        find_backbone(Fixed(model="test_vit", image_size=64, model_args={"img_size": 32}))


def test_an_argument_that_the_architecture_does_not_take_is_named():
    with pytest.raises(InputError, match="'test_resnet' cannot take 'pad_typ'"):
        make_network(replace(RESNET, arguments={"pad_typ": "same"}), None, classes=4, channels=3)


# --- weights from files --------------------------------------------------------------------------------

WRAPPERS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model": lambda state: {"model": state, "args": {"lr": 0.1}},
    "parallel": lambda state: {"module." + name: tensor for name, tensor in state.items()},
    "parameters": lambda state: {
        name: torch.nn.Parameter(tensor) if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    },
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_weights_from_a_pytorch_file_are_those_that_were_saved(wrapper, tmp_path):
    state = pretrained()
    torch.save(WRAPPERS[wrapper](state), tmp_path / "w.pt")
    loaded = load_weights(RESNET, str(tmp_path / "w.pt"))
    assert set(loaded) == set(state)
    assert all(np.array_equal(loaded[name], tensor.numpy()) for name, tensor in state.items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_weights_of_every_arithmetic_reach_the_network(dtype, suffix, tmp_path):
    state = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in pretrained().items()
    }
    path = tmp_path / f"w.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(state, path)
    model = make_network(RESNET, load_weights(RESNET, str(path)), classes=4, channels=3)
    head = head_names(model)
    assert head == {"fc.weight", "fc.bias"}
    for name, tensor in model.state_dict().items():
        if name not in head:
            assert torch.equal(tensor, state[name].to(tensor.dtype)), name
    assert model.fc.weight.shape[0] == 4


class Burglar:
    """A pickle that runs code where it is loaded without care."""

    def __init__(self, loot: Path) -> None:
        self.loot = loot

    def __reduce__(self):
        return (Path.touch, (self.loot,))


def test_a_file_that_would_run_code_is_refused_and_does_not(tmp_path):
    loot = tmp_path / "loot"
    for number, burglar in enumerate([Burglar(loot), {"model": Burglar(loot)}]):
        for save in (torch.save, lambda what, path: path.write_bytes(pickle.dumps(what))):
            path = tmp_path / f"{number}.pt"
            save(burglar, path)
            with pytest.raises(InputError, match="not a readable file of weights"):
                load_weights(RESNET, str(path))
            assert not loot.exists()
    with path.open("rb") as file:
        pickle.load(file)  # noqa: S301 (the proof that it would have)
    assert loot.exists()


@pytest.mark.parametrize("what", [[1, 2], {"epoch": 3}, {"model": "x"}, {1: torch.zeros(2)}])
def test_a_file_of_something_else_is_refused(what, tmp_path):
    torch.save(what, tmp_path / "w.pt")
    with pytest.raises(InputError, match="dictionary of tensors"):
        load_weights(RESNET, str(tmp_path / "w.pt"))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no file .*gone\.pt"):
        load_weights(RESNET, str(tmp_path / "gone.pt"))


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    state = {"fc.weight": torch.arange(50.0)}
    torch.save(state, folder / "w.pt")
    torch.save(state, folder / "old.pt", _use_new_zipfile_serialization=False)
    save_file(state, folder / "w.safetensors")
    return folder, {path: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_torn_and_random_files_are_refused_in_one_sentence(whole_files, data):
    folder, files = whole_files
    path, content = data.draw(st.sampled_from(sorted(files.items())))
    torn = st.integers(0, len(content) - 1).map(lambda length: content[:length])
    broken = folder / f"broken{path.suffix}"
    broken.write_bytes(data.draw(torn | st.binary(max_size=200)))
    with pytest.raises(InputError, match=r"not a readable file of weights: .+"):
        load_weights(RESNET, str(broken))


# --- weights into the network --------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [(3, 1), (1, 3)])
@pytest.mark.parametrize("architecture", ["test_resnet", "test_convnext", "test_efficientnet"])
def test_a_grey_image_looks_the_same_through_adapted_channels(architecture, old, new):
    """The first layer answers a grey image as before, whether it is given in one channel or in three."""
    state = pretrained(architecture, channels=old)
    reference = timm.create_model(architecture, num_classes=7, in_chans=old)
    reference.load_state_dict(state)
    adapted = make_network(Backbone(architecture, architecture), arrays(state), classes=7, channels=new)
    grey = torch.rand(2, 1, 32, 32)
    with torch.inference_mode():
        features = [
            model.eval().forward_features(grey.expand(-1, channels, -1, -1))
            for model, channels in ((reference, old), (adapted, new))
        ]
    assert features[0].std() > 0
    assert torch.allclose(*features, rtol=1e-3, atol=1e-3 * float(features[0].std()))


def test_weights_of_another_network_are_named():
    with pytest.raises(
        InputError, match=r"model 'test_resnet', but the file lacks \d+ of its \d+ tensors, 'bn1"
    ):
        make_network(RESNET, arrays(pretrained("test_convnext")), classes=4, channels=3)
    wrong = {**arrays(pretrained()), "layer1.0.conv1.weight": np.zeros((2, 2, 1, 1), np.float32)}
    with pytest.raises(
        InputError, match=r"'layer1.0.conv1.weight' is \(2, 2, 1, 1\) in the file and \(\d+, "
    ):
        make_network(RESNET, wrong, classes=4, channels=3)


def test_the_shared_weights_are_never_written_to():
    weights = arrays(pretrained())
    for array in weights.values():
        array.flags.writeable = False  # as Ray's object store has them
    before = {name: array.copy() for name, array in weights.items()}
    model = make_network(RESNET, weights, classes=4, channels=3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert all(np.array_equal(before[name], array) for name, array in weights.items())


# --- real weights, real photographs --------------------------------------------------------------------

CLASSES = ("Apple", "Asparagus", "Banana", "Carrots", "Juice", "Mushroom", "Onion", "Yoghurt")
SIDE, EACH = 96, 9


def photographs(split: str):
    """Up to `EACH` square photographs of each class, [N, SIDE, SIDE, 3], and labels."""
    pixels, labels = [], []
    for label, name in enumerate(CLASSES):
        files = sorted((SHARED / "data" / "grocery" / split / name).iterdir())
        for file in files[:: max(1, len(files) // EACH)][:EACH]:
            with Image.open(file) as image:
                short = min(image.size)
                left, top = (image.width - short) // 2, (image.height - short) // 2
                square = image.convert("RGB").crop((left, top, left + short, top + short))
            pixels.append(np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BILINEAR)))
            labels.append(label)
    return np.stack(pixels), np.array(labels, dtype=np.int64)


def test_real_weights_see_real_photographs():
    weights = SHARED / "weights" / "mobilenetv2_100.safetensors"
    if not weights.is_file() or not (SHARED / "data" / "grocery").is_dir():
        pytest.skip(
            f"needs {weights.name} and the grocery photographs in a folder `shared` beside the checkout"
        )
    fixed = Fixed(
        model="mobilenetv2_100", pretrained=str(weights), model_args={"pad_type": "same"},
        mean=(0.5,) * 3, std=(0.5,) * 3, image_size=SIDE, **QUIET_CPU,
    )  # fmt: skip
    (train, train_labels), (test, test_labels) = photographs("train"), photographs("test")
    small = small_dataset(channels=3)
    dataset = replace(
        small,
        classes=CLASSES,
        train=Images(train, train_labels),
        val=Images(test, test_labels),
        test=quadrants(4, 3, 0),
    )
    material = prepare(dataset, fixed)

    def accuracy(of) -> float:
        model = make_network(material.backbone, of, classes=len(CLASSES), channels=3).eval()
        features = []
        for images in (material.train, material.val):
            with torch.inference_mode():
                parts = [
                    functional.normalize(model.forward_head(model.forward_features(x), pre_logits=True))
                    for x, _ in (
                        (material.normalise(batch), rows)
                        for batch, rows in Split(images, torch.device("cpu")).in_order(32)
                    )
                ]
            features.append(torch.cat(parts).numpy())
        probe = LogisticRegression(C=100.0, max_iter=200).fit(features[0], train_labels)
        return float(probe.score(features[1], test_labels))

    real, random = accuracy(material.weights), accuracy(None)
    assert real > 0.6  # 0.74 when this was written; chance is 1/8
    assert real > random + 0.2


# --- a new classifier ------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["test_efficientnet", "test_resnet", "test_convnext"])
def test_a_new_classifier_on_pretrained_features_begins_no_larger_than_torchs_own_layers(architecture):
    backbone = Backbone(architecture, architecture)
    weights = arrays(pretrained(architecture))
    torch.manual_seed(1)
    made = make_network(backbone, None, classes=10, channels=3).get_classifier().weight.detach()
    torch.manual_seed(1)
    head = make_network(backbone, weights, classes=10, channels=3).get_classifier().weight.detach()
    usual = 1 / (3 * head.shape[1]) ** 0.5
    assert float(head.std()) <= 1.5 * usual
    if architecture == "test_efficientnet":  # timm begins it by its outputs: at five times that
        assert float(made.std()) > 4 * usual
        assert float(head.std()) == pytest.approx(usual)
        assert torch.allclose(head / head.std(), made / made.std())
    else:
        assert torch.equal(head, made)
