"""A user's mistake is a `raise` of ours; everything else is a bug and keeps its traceback."""

import numpy as np
import pytest

from vid2three.config import preset_path
from vid2three.errors import is_users_mistake, sentence


def caught(function) -> Exception:
    with pytest.raises(Exception) as info:
        function()
    return info.value


def test_a_sentence_that_we_raise_is_a_users_mistake():
    assert is_users_mistake(caught(lambda: preset_path("nonsense")))


def test_the_same_type_out_of_a_library_is_a_bug():
    assert not is_users_mistake(caught(lambda: np.zeros(3).reshape(2, 2)))


def test_a_library_error_in_our_own_line_is_a_bug():
    scope = {"__name__": "vid2three.anything", "np": np}
    assert not is_users_mistake(caught(lambda: eval("np.zeros(3).reshape(2, 2)", scope)))
    assert not is_users_mistake(caught(lambda: eval("int('x')", scope)))


def test_a_raise_of_another_package_is_a_bug():
    def foreign():
        raise ValueError("somebody else's")

    assert not is_users_mistake(caught(foreign))


def test_a_type_error_is_a_bug():
    scope = {"__name__": "recon.anything"}
    exec("def fault():\n    raise TypeError('no sentence')", scope)
    assert not is_users_mistake(caught(scope["fault"]))


def test_a_sentence_stands_on_one_line():
    assert sentence(ValueError("one\n  two")) == "one two"


def test_a_path_that_is_no_text_can_be_printed():
    assert sentence(ValueError("There is no caf\udce9.mp4.")) == "There is no caf?.mp4."
