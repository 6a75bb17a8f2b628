"""How an exported network is used without this project: a few lines of Python that do what a study's validation did."""

from __future__ import annotations

from trainables.exported import Description

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Channels → Pillow's name of them."""


def snippet(description: Description) -> str | None:
    """Python that prints the class of ``image.jpg``, with torch, safetensors, Pillow and the network's own code.

    Args:
        description: Of the network.

    Returns:
        None where a picture becomes numbers in a way that takes more than a few lines: a window of values, or
        channels that no ordinary picture has.
    """
    shown = description.input
    if shown.window is not None or shown.channels not in MODES:
        return None
    module, _, function = description.architecture.rpartition(":")
    imports = ["import json", "", "import numpy", *([] if module else ["import timm"]), "import torch"]
    imports += ["from PIL import Image, ImageOps", "from safetensors.torch import load_file"]
    imports += [f"from {module} import {function}"] if module else []
    made = function if module else "timm.create_model"
    named = "" if module else 'about["architecture"], '
    return "\n".join(
        [
            *imports,
            "",
            'about = json.load(open("model.json", encoding="utf-8"))',
            f'options = dict(num_classes={description.classes}, in_chans={shown.channels}, **about["model_args"])',
            f"network = {made}({named}**options)",
            'network.load_state_dict(load_file("model.safetensors"))',
            f'image = ImageOps.exif_transpose(Image.open("image.jpg")).convert("{MODES[shown.channels]}")',
            *_square(description),
            f"pixels = torch.tensor(numpy.array(image)).view(1, *image.size, {shown.channels})"
            ".permute(0, 3, 1, 2).float()",
            *_seen(description),
            'mean, std = (torch.tensor(about["input"][name]).view(1, -1, 1, 1) for name in ("mean", "std"))',
            "with torch.inference_mode():",
            "    logits = network.eval()((pixels / 255 - mean) / std)",
            'probabilities = (logits / about["temperature"]).softmax(1)[0]',
            'print(about["labels"][probabilities.argmax()], float(probabilities.max()))',
        ]
    )


def _square(description: Description) -> list[str]:
    """Of a picture of any shape, as the study's decoding made one."""
    wanted = description.input.preprocessing
    side, how = wanted.side, f"Image.Resampling.{wanted.interpolation.upper()}"
    if wanted.fit == "squash":
        return [f"image = image.resize(({side}, {side}), {how}, reducing_gap=3.0)"]
    if wanted.fit == "pad":
        return [
            f"within = [max(1, round(length * {side} / max(image.size))) for length in image.size]",
            f"within = image.resize(within, {how}, reducing_gap=3.0)",
            f"image = Image.new(image.mode, ({side}, {side}))",
            f"image.paste(within, (({side} - within.width) // 2, ({side} - within.height) // 2))",
        ]
    return [
        "edge = min(image.size)",
        "left, top = (image.width - edge) / 2, (image.height - edge) / 2",
        "middle = (left, top, left + edge, top + edge)",
        f"image = image.resize(({side}, {side}), {how}, middle, reducing_gap=3.0)",
    ]


def _seen(description: Description) -> list[str]:
    """The part of the square that the network sees, at its size."""
    shown = description.input
    side, lines = shown.preprocessing.side, []
    if shown.side is not None:
        seen = max(1, round(shown.side * shown.crop_pct))
        if seen != shown.size:  # as the study resized its arrays
            side = shown.size + 2 * round(shown.size * (shown.side / seen - 1) / 2)
            lines.append(
                f'pixels = torch.nn.functional.interpolate(pixels, ({side}, {side}), mode="bilinear", antialias=True)'
            )
            lines.append("pixels = pixels.round().clamp(0, 255)")
    if edge := (side - shown.size) // 2:
        lines.append(f"pixels = pixels[:, :, {edge}:{edge + shown.size}, {edge}:{edge + shown.size}]")
    elif side != shown.size:
        lines.append(f"pixels = pixels[:, :, :{shown.size}, :{shown.size}]")
    return lines
