"""Both networks against the paper's sections 3.1 and 3.2, and the fast unpooling against the plain one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from generator.architecture import FEATURE_LAYERS, Architecture
from generator.networks import TwoStage, as_features, collapsed, unpool_conv, widened

# A 3x3 convolution from m to n maps has 9 * m * n weights and n biases; a fully connected layer m * n and n.
STAGE1 = {
    "image1": 9 * 1 * 64 + 64,  # 640: Conv(3, 3, 64) on the grey picture
    "image2": 9 * 64 * 64 + 64,  # 36,928: Conv(3, 3, 64)
    "attribute1": 7 * 512 + 512,  # 4,096: FC(512) on seven poses
    "attribute2": 512 * 1792 + 1792,  # 919,296: FC(1792), 1792 = 16 * 16 * 7
    "fuse1": 9 * 71 * 64 + 64,  # 40,960: Conv(3, 3, 64) on 64 + 7 maps
    "fuse2": 9 * 64 * 128 + 128,  # 73,856
    "fuse3": 9 * 128 * 128 + 128,  # 147,584
    "fuse4": 9 * 128 * 64 + 64,  # 73,792
    "decode1": 9 * 64 * 64 + 64,  # 36,928: after unpooling
    "decode2": 9 * 64 * 1 + 1,  # 577
}
STAGE2 = {
    "conv1": 9 * 2 * 64 + 64,  # 1,216: source and stage 1's picture
    "conv2": 9 * 64 * 64 + 64,  # 36,928, then pooling
    "conv3": 9 * 64 * 128 + 128,  # 73,856
    "conv4": 9 * 128 * 128 + 128,  # 147,584
    "conv5": 9 * 128 * 128 + 128,  # 147,584
    "conv6": 9 * 128 * 64 + 64,  # 73,792
    "conv7": 9 * 64 * 64 + 64,  # 36,928: after unpooling
    "conv8": 9 * 64 * 1 + 1,  # 577
}
SHAPES = {
    "stage1.image1": (64, 32, 32),
    "stage1.image2": (64, 32, 32),
    "stage1.attribute1": (512,),
    "stage1.attribute2": (1792,),
    "stage1.fuse1": (64, 16, 16),
    "stage1.fuse2": (128, 16, 16),
    "stage1.fuse3": (128, 16, 16),
    "stage1.fuse4": (64, 16, 16),
    "stage1.decode1": (64, 32, 32),
    "stage1.decode2": (1, 32, 32),
    "stage2.conv1": (64, 32, 32),
    "stage2.conv2": (64, 32, 32),
    "stage2.conv3": (128, 16, 16),
    "stage2.conv4": (128, 16, 16),
    "stage2.conv5": (128, 16, 16),
    "stage2.conv6": (64, 16, 16),
    "stage2.conv7": (64, 32, 32),
    "stage2.conv8": (1, 32, 32),
}
INPUTS = {"stage1.fuse1": (71, 16, 16), "stage2.conv1": (2, 32, 32), "stage2.conv3": (64, 16, 16)}


@pytest.fixture(scope="module")
def network() -> TwoStage:
    torch.manual_seed(1)
    return TwoStage(Architecture()).eval()


def watched(network: TwoStage, x: Tensor, wish: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Input and output of every layer in one pass, in the order of the work."""
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    hooks = [
        module.register_forward_hook(lambda _, given, out, name=name: seen.update({name: (given[0], out)}))
        for name, module in network.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    ]
    with torch.no_grad():
        network(x, wish)
    for hook in hooks:
        hook.remove()
    return seen


def test_every_layer_has_the_number_of_parameters_that_the_paper_gives_it(network: TwoStage) -> None:
    for stage, layers in ((network.stage1, STAGE1), (network.stage2, STAGE2)):
        found = {
            name: sum(parameter.numel() for parameter in layer.parameters())
            for name, layer in stage.named_children()
        }
        assert found == layers


def test_the_networks_have_1_853_122_parameters_together(network: TwoStage) -> None:
    # Stage 1: 640 + 36,928 + 4,096 + 919,296 + 40,960 + 73,856 + 147,584 + 73,792 + 36,928 + 577
    assert sum(STAGE1.values()) == 1_334_657
    # Stage 2: 1,216 + 36,928 + 73,856 + 147,584 + 147,584 + 73,792 + 36,928 + 577
    assert sum(STAGE2.values()) == 518_465
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_853_122


def test_every_layer_gives_the_shape_that_the_paper_says_in_the_papers_order(network: TwoStage) -> None:
    seen = watched(network, torch.randn(2, 1, 32, 32), torch.eye(7)[:2])
    assert {name: tuple(out.shape[1:]) for name, (_, out) in seen.items()} == SHAPES
    assert list(seen) == list(SHAPES)
    for name, shape in INPUTS.items():
        assert tuple(seen[name][0].shape[1:]) == shape


def test_a_relu_follows_every_convolution_but_the_last_and_no_fully_connected_layer(
    network: TwoStage,
) -> None:
    seen = watched(network, torch.randn(2, 1, 32, 32), torch.eye(7)[:2])
    # Pictures have both signs, one-hot vectors not; the fusion takes in maps of the attribute without a ReLU.
    after_linear = {"stage1.image1", "stage1.attribute2", "stage1.fuse1", "stage2.conv1"}
    for name, (given, out) in seen.items():
        assert (given.min() < 0) == (name in after_linear), name
        assert out.min() < 0, name  # so that a missing ReLU shows above


def test_stage_one_in_parts_is_stage_one(network: TwoStage) -> None:
    x, wish = torch.randn(1, 1, 32, 32), torch.eye(7)
    stage1 = network.stage1
    with torch.no_grad():
        maps = stage1.encode_image(x)
        assert maps.shape == (1, 64, 16, 16)
        assert stage1.encode_attribute(wish).shape == (7, 7, 16, 16)
        fused = torch.cat([maps.expand(7, -1, -1, -1), stage1.encode_attribute(wish)], 1)
        parts = stage1.draw(stage1.fuse1(fused))
        torch.testing.assert_close(parts, stage1(x.expand(7, -1, -1, -1), wish))


def test_stage_two_gives_the_maps_before_unpooling_and_any_other_layer(network: TwoStage) -> None:
    x, drawn = torch.randn(2, 2, 1, 32, 32)
    with torch.no_grad():
        image, layers = network.stage2(x, drawn)
    assert image.shape == (2, 1, 32, 32)
    assert tuple(layers) == FEATURE_LAYERS
    sides = {"conv1": (64, 32), "conv2": (64, 32), "pool": (64, 16), "conv6": (64, 16), "conv7": (64, 32)}
    for name, maps in layers.items():
        count, side = sides.get(name, (128, 16))
        assert maps.shape == (2, count, side, side)
        assert maps.min() >= 0


def test_both_stages_follow_each_other_and_features_have_length_one(network: TwoStage) -> None:
    x, wish = torch.randn(3, 1, 32, 32), torch.eye(7)[:3]
    with torch.no_grad():
        drawn, image, features = network(x, wish)
        expected, layers = network.stage2(x, network.stage1(x, wish))
    maps = layers["conv6"]
    assert drawn.shape == image.shape == (3, 1, 32, 32)
    assert torch.equal(image, expected)
    assert features.shape == (3, 16 * 16 * 64)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(features[1].view(16, 16, 64), maps[1].permute(1, 2, 0) / maps[1].norm())


def test_features_of_nothing_are_zero_and_not_nan() -> None:
    assert torch.equal(as_features(torch.zeros(1, 2, 3, 3)), torch.zeros(1, 18))


@pytest.mark.parametrize("size", [64, 34, 2])
def test_other_sizes_work_and_only_the_attribute_grows(size: int) -> None:
    half = size // 2
    network = TwoStage(Architecture(size=size, attribute_size=3)).eval()
    with torch.no_grad():
        drawn, image, features = network(torch.randn(2, 1, size, size), torch.eye(3)[:2])
    assert drawn.shape == image.shape == (2, 1, size, size)
    assert features.shape == (2, half * half * 64)
    assert network.stage1.attribute2.out_features == half * half * 7
    convolutions = 1_853_122 - STAGE1["attribute1"] - STAGE1["attribute2"]
    attribute = 3 * 512 + 512 + 512 * 7 * half**2 + 7 * half**2
    assert sum(parameter.numel() for parameter in network.parameters()) == convolutions + attribute


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 33},
        {"size": 0},
        {"attribute_size": 0},
        {"maps": -1},
        {"fused_maps": 10_000},
        {"size": True},
        {"attribute_maps": 7.0},
        {"feature_layer": "conv9"},
    ],
)
def test_sizes_that_make_no_network_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Architecture(**wrong)  # type: ignore[arg-type]


def test_weights_begin_as_he_et_al_say() -> None:
    torch.manual_seed(3)
    network = TwoStage(Architecture())
    for name, layer in network.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            assert layer.bias is not None
            assert not layer.bias.any(), name
            fan_in = layer.weight[0].numel()
            spread = 5 * (1 / (2 * layer.weight.numel())) ** 0.5  # five standard errors of a deviation
            assert layer.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=spread), name


def test_two_layers_for_a_wish_draw_the_same_as_one() -> None:
    torch.manual_seed(4)
    wide = TwoStage(Architecture(attribute_size=35, maps=8, fused_maps=8, attribute_maps=35)).eval()
    for bias in (wide.stage1.attribute1.bias, wide.stage1.attribute2.bias):
        nn.init.normal_(bias)
    narrow = collapsed(wide)
    assert narrow.architecture.attribute_hidden == 35
    assert not narrow.training
    count = [sum(one.numel() for one in network.state_dict().values()) for network in (wide, narrow)]
    assert count[1] < count[0] / 8
    again = TwoStage(wide.architecture).eval()
    again.load_state_dict(widened(narrow.state_dict(), 512))
    assert again.stage1.attribute2.weight[:, 35:].std() > 0.01  # so that the rest can be trained
    pictures, wishes = torch.randn(3, 1, 32, 32), torch.rand(3, 35)
    with torch.no_grad():
        for other in (narrow, again):
            for one, same in zip(wide(pictures, wishes), other(pictures, wishes), strict=True):
                torch.testing.assert_close(one, same, atol=1e-4, rtol=1e-4)


def unpool(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C, 2 H, 2 W): values at even rows and columns, zeros elsewhere."""
    batch, maps, height, width = x.shape
    out = x.new_zeros(batch, maps, 2 * height, 2 * width)
    out[:, :, ::2, ::2] = x
    return out


def unpool_conv_plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``unpool`` and then the 3x3 convolution, as the paper says it: the oracle of the fast way."""
    return nn.functional.conv2d(unpool(x), weight, bias, padding=1)


def test_unpooling_puts_each_value_in_the_top_left_of_a_block_of_zeros() -> None:
    x = torch.arange(1.0, 5.0).view(1, 1, 2, 2)
    assert unpool(x)[0, 0].tolist() == [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 1, 1, 1), (2, 5, 3, 7), (1, 64, 16, 16)])
def test_fast_unpooling_equals_the_plain_one_with_all_gradients(shape: tuple[int, int, int, int]) -> None:
    torch.manual_seed(4)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, shape[1], 3, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(6, dtype=torch.float64, requires_grad=True)
    plain, fast = unpool_conv_plain(x, weight, bias), unpool_conv(x, weight, bias)
    torch.testing.assert_close(fast, plain)
    upstream = torch.randn_like(plain)
    for found, expected in zip(
        torch.autograd.grad(fast, (x, weight, bias), upstream),
        torch.autograd.grad(plain, (x, weight, bias), upstream),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)


def test_fast_unpooling_keeps_the_narrow_type_under_autocast(network: TwoStage) -> None:
    x = torch.randn(2, 64, 16, 16).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        narrow = network.stage2.conv7(x)
    assert narrow.dtype == torch.bfloat16
    with torch.no_grad():
        plain = unpool_conv_plain(x, network.stage2.conv7.weight, network.stage2.conv7.bias)  # type: ignore[arg-type]
    torch.testing.assert_close(narrow.float(), plain, rtol=0.02, atol=0.05)
