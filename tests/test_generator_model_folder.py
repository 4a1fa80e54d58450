"""A model of the user's: found in a folder or the hub's cache, never over the network unasked; licence, fingerprint."""

import json
import socket
import struct

import pytest

from generator.model_folder import find_model, fingerprint, licence_of, read_json, weight_files


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty cache of the hub, and a network that must not be touched."""
    from huggingface_hub import constants

    def touched(*_args, **_kwargs):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(socket, "getaddrinfo", touched)
    monkeypatch.setattr(socket.socket, "connect", touched)
    return tmp_path / "cache"


def cached(cache, name, files):
    """Lay files out as the hub's cache does, and return the snapshot's folder."""
    folder = cache / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(snapshot.name)
    for file, text in files.items():
        (snapshot / file).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / file).write_text(text)
    return snapshot


def test_a_folder_is_found_and_called_by_its_name(tmp_path):
    (tmp_path / "my-wan").mkdir()
    found = find_model(str(tmp_path / "my-wan"), "the model", [])
    assert (found.folder, found.name) == (tmp_path / "my-wan", "my-wan")


def test_a_model_in_the_hubs_cache_is_found_by_name_and_by_path_without_a_network(hub_cache):
    snapshot = cached(hub_cache, "Wan-AI/Wan2.1", {"model_index.json": "{}"})
    by_name = find_model("Wan-AI/Wan2.1", "the model", ["model_index.json"])
    assert (by_name.folder, by_name.name) == (snapshot, "Wan-AI/Wan2.1")
    assert find_model(str(snapshot), "the model", []).name == "Wan-AI/Wan2.1"


def test_a_name_that_is_not_there_is_refused_without_a_network_and_with_the_cure(hub_cache):
    with pytest.raises(FileNotFoundError, match=r"no folder Wan-AI/Wan2\.1, .* pass --allow-download to fetch it"):
        find_model("Wan-AI/Wan2.1", "the model", ["*"])


def test_canary_the_network_is_touched_where_a_download_is_allowed(hub_cache):
    with pytest.raises((AssertionError, ValueError), match=r"the network was touched|cannot be reached"):
        find_model("Wan-AI/Wan2.1", "the model", ["*"], allow_download=True)


@pytest.mark.parametrize(
    "name", ["nowhere", "/no/such/folder", "../a/b", "a/../b", "a/b/c", "C:\\models\\wan", "a b/c"]
)
def test_what_is_no_name_is_not_asked_for(hub_cache, name):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        find_model(name, "the model", ["*"], allow_download=True)


def test_a_single_file_is_refused_with_the_cure(tmp_path):
    (tmp_path / "wan.safetensors").touch()
    with pytest.raises(ValueError, match="is a file; pass the model as a folder"):
        find_model(str(tmp_path / "wan.safetensors"), "the model", [])


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\nlanguage:\n- en\n---\n# Wan", "apache-2.0"),
        ("---\r\ntags: [a]\r\nlicense: 'mit'\r\n---\r\n", "mit"),
        ("---\nlicense: other\nlicense_name: own-community\nlicense_link: LICENSE\n---", "own-community"),
        ("---\nlicense: other\n---\n", "other"),
        ("# No front matter\nlicense: mit\n", "unknown"),
        ("---\nlicense: \x1b[31mred\n---\n", "[31mred"),
        ("", "unknown"),
    ],
)
def test_the_licence_is_what_the_card_says(tmp_path, card, licence):
    (tmp_path / "README.md").write_bytes(card.encode())
    assert licence_of(tmp_path) == licence


def test_without_a_card_the_licence_is_that_of_its_text(tmp_path):
    (tmp_path / "LICENSE.txt").write_text("\n\n                 Apache License\n           Version 2.0, January 2004\n")
    assert licence_of(tmp_path) == "apache-2.0"
    (tmp_path / "LICENSE.txt").write_text("# LTXV Open Weights License\n\nDate: today\n")
    assert licence_of(tmp_path) == "LTXV Open Weights License (LICENSE.txt)"


def test_the_fingerprint_tells_any_trained_change_of_a_large_file(tmp_path):
    file = tmp_path / "model.safetensors"
    content = bytearray(24 * 2**20)
    file.write_bytes(content)
    before = fingerprint(tmp_path, [file])
    assert before == fingerprint(tmp_path, [file, file])
    for place in range(0, len(content), 2**20):  # training changes weights everywhere
        content[place] ^= 1
    file.write_bytes(content)
    assert before != fingerprint(tmp_path, [file])
    file.rename(tmp_path / "other.safetensors")
    file.write_bytes(bytes(24 * 2**20 + 1))
    assert before != fingerprint(tmp_path, [file])


def test_the_fingerprint_tells_the_last_byte_of_any_file(tmp_path):
    for size in (1, 2**20, 2**22 + 2**20, 24 * 2**20 + 3):
        file = tmp_path / f"{size}.safetensors"
        file.write_bytes(bytes(size))
        before = fingerprint(tmp_path, [file])
        with file.open("r+b") as opened:
            opened.seek(size - 1)
            opened.write(b"\1")
        assert fingerprint(tmp_path, [file]) != before


def safetensors(path):
    header = b"{}"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


def test_weights_are_one_file_or_all_parts_of_an_index(tmp_path):
    one = safetensors(tmp_path / "model.safetensors")
    assert weight_files(tmp_path) == [one]
    parts = [safetensors(tmp_path / f"model-0000{k}-of-00002.safetensors") for k in (1, 2)]
    index = {"weight_map": {"a": parts[1].name, "b": parts[0].name, "c": parts[1].name}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert weight_files(tmp_path) == parts
    parts[1].unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks model-00002-of-00002.safetensors: the model is there in part"):
        weight_files(tmp_path)


def test_an_index_that_leads_out_of_the_folder_is_refused(tmp_path):
    safetensors(tmp_path / "outside.safetensors")
    (tmp_path / "part").mkdir()
    index = {"weight_map": {"a": "../outside.safetensors"}}
    (tmp_path / "part" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(FileNotFoundError, match="is there in part"):
        weight_files(tmp_path / "part")


def test_a_variant_is_taken_where_it_is_asked_for(tmp_path):
    half = safetensors(tmp_path / "model.fp16.safetensors")
    with pytest.raises(ValueError, match=r"pass --generator\.variant fp16"):
        weight_files(tmp_path)
    assert weight_files(tmp_path, "fp16") == [half]
    full = safetensors(tmp_path / "model.safetensors")
    assert weight_files(tmp_path) == [full]


def test_pickled_weights_are_refused_with_the_cure(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(
        ValueError, match=r"pickled weights alone \(pytorch_model.bin\).* take a copy of the model with"
    ):
        weight_files(tmp_path)


@pytest.mark.parametrize("text", ["", "[", "[1]", "[" * 100_000, "\x00"])
def test_settings_that_are_none_are_refused_by_name(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json (is not JSON|must hold settings)"):
        read_json(tmp_path / "config.json")
