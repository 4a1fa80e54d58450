"""Scenes laid together from clips of their objects, against renders of the scenes themselves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from generator.compose import lay_together
from generator.data import Orbit, make_clip
from generator.grammar import CATEGORIES, Attributes, make_scene
from generator.parts import Part, Scene, part_of, scene_of
from generator.words import long_caption

ORBIT = Orbit(20.0, 40.0)
MUG = Attributes("mug", "round", "red", "white", "plain", "matte")
ON_TABLE = replace(MUG, relation="on", other_category="table", other_style="square", other_color="blue")


def clip_of(shown: Attributes, size: int, orbit: Orbit = ORBIT, seed: int = 0) -> torch.Tensor:
    traced, _ = make_clip(make_scene(shown, np.random.default_rng(seed)), orbit, 24, size, size)
    return torch.from_numpy(np.ascontiguousarray(traced.transpose(0, 3, 1, 2))).float() / 255


def laid(shown: Attributes | Scene, orbit: Orbit = ORBIT, size: int = 128) -> torch.Tensor:
    scene = shown if isinstance(shown, Scene) else scene_of(shown)
    assert scene is not None
    known = [part.attributes for part in scene.parts]
    return lay_together([clip_of(each, 64, orbit) for each in known if each], scene, orbit, (size, size))


def share(colors: torch.Tensor, name: str) -> torch.Tensor:
    """Return where a frame [3,h,w] is red or blue."""
    red, green, blue = colors
    return (red - blue.maximum(green) > 0.2) if name == "red" else (blue - red.maximum(green) > 0.2)


def test_several_are_told_from_one():
    assert scene_of(None) is scene_of(MUG) is None
    assert scene_of(replace(MUG, count=3)) == Scene((Part(long_caption(MUG), MUG, 3),))
    found = scene_of(ON_TABLE)
    assert found is not None
    assert found.relation == "on"
    mug, table = (part.attributes for part in found.parts)
    assert mug == MUG
    assert table is not None
    assert (table.category, table.style, table.color, table.relation) == ("table", "square", "blue", "")


@pytest.mark.parametrize("count", [2, 4])
def test_equal_objects_stand_where_the_grammar_has_them(count):
    """The same mug, alone and several times: outlines, colours and depth are nearly those of the traced scene."""
    scene = replace(MUG, count=count)
    made, true = laid(scene), clip_of(scene, 128)
    mine, theirs = made[:, 3] > 0.5, true[:, 3] > 0.5
    iou = (mine & theirs).sum() / (mine | theirs).sum()
    assert iou > 0.7  # a little farther apart than there, and as small for it
    both = mine & theirs
    assert (made[:, 4] - true[:, 4]).abs()[both].median() < 0.06
    assert (made[:, :3] - true[:, :3]).abs().amax(1)[both].median() < 0.08
    assert (made[:, :3].amin(1)[~mine] > 0.4).all()  # white around


def test_what_stands_on_something_is_above_it():
    made = laid(ON_TABLE)
    for frame in made[::6]:
        rows = {name: torch.nonzero(share(frame[:3], name))[:, 0].float() for name in ("red", "blue")}
        assert len(rows["red"]) > 100
        assert rows["red"].mean() + 10 < rows["blue"].mean()
        assert rows["red"].max() > rows["blue"].min() - 4  # it does not float


def test_several_stand_on_something_beside_each_other():
    frame = laid(replace(ON_TABLE, count=2))[0]
    red, blue = share(frame[:3], "red"), share(frame[:3], "blue")
    rows = [torch.nonzero(each)[:, 0].float() for each in (red, blue)]
    assert rows[0].mean() + 10 < rows[1].mean()
    covered = red.any(dim=0).int()
    assert int((covered.diff() == 1).sum()) == 2  # with a gap between them


def test_either_of_two_may_be_several():
    table = replace(MUG, category="table", style="square", color="blue")
    frame = laid(Scene((part_of(MUG),), "next to", (part_of(table, 2),)))[0]
    red, blue = share(frame[:3], "red"), share(frame[:3], "blue")
    assert int((blue.any(dim=0).int().diff() == 1).sum()) == 2
    assert torch.nonzero(red)[:, 1].max() < torch.nonzero(blue)[:, 1].min()


def test_things_that_differ_stand_in_a_row_on_one_ground():
    """Three of three heights and widths, from left to right, and then four in two rows."""
    looks = [replace(MUG, color=color, second_color=color) for color in ("red", "blue", "green")]
    table, tower = (replace(look, category=name) for look, name in zip(looks[1:], ("table", "tower")))
    parts = [part_of(replace(each, style=CATEGORIES[each.category].styles[0])) for each in (MUG, table, tower)]
    frame = laid(Scene(tuple(parts)))[0]
    red, blue = share(frame[:3], "red"), share(frame[:3], "blue")
    green = frame[1] - frame[0].maximum(frame[2]) > 0.15
    columns = [torch.nonzero(each)[:, 1] for each in (red, blue, green)]
    assert columns[0].max() < columns[1].min()
    assert columns[1].max() < columns[2].min()
    feet = [int(torch.nonzero(each)[:, 0].max()) for each in (red, blue, green)]
    assert max(feet) - min(feet) < 8
    both = laid(Scene((*parts[:2], part_of(parts[2].attributes, 2))))  # type: ignore[arg-type]
    assert int(share(both[0, :3], "red").sum()) > int(share(both[12, :3], "red").sum())  # hidden from behind


def test_what_stands_next_to_something_is_left_of_it_in_front_and_right_behind():
    made = laid(replace(ON_TABLE, relation="next to"))
    for frame, sign in ((made[0], 1), (made[12], -1)):
        columns = {name: torch.nonzero(share(frame[:3], name))[:, 1].float().mean() for name in ("red", "blue")}
        assert sign * (columns["blue"] - columns["red"]) > 30


def test_what_stands_in_front_hides_what_is_behind():
    made = laid(replace(ON_TABLE, relation="in front of"))
    red = [int(share(frame[:3], "red").sum()) for frame in (made[0], made[12])]
    assert red[0] > 2 * red[1]
    assert made[0, 4][share(made[0, :3], "red")].mean() < made[0, 4][share(made[0, :3], "blue")].mean() - 0.1


def test_a_lid_that_is_not_seen_from_below_is_stood_upon():
    below = Orbit(-5.0, 40.0)
    chest = replace(ON_TABLE, other_category="chest", other_style="flat")
    frame = laid(chest, below)[0]
    rows = {name: torch.nonzero(share(frame[:3], name))[:, 0].float().mean() for name in ("red", "blue")}
    assert rows["red"] + 10 < rows["blue"]


def test_a_part_of_a_turn_and_a_clip_that_shows_nothing():
    part = Orbit(15.0, 40.0, start_deg=-45.0, span_deg=90.0)
    assert laid(replace(MUG, count=2), part)[:, 3].amax(dim=(1, 2)).min() > 0.9
    nothing = torch.ones(4, 5, 16, 16)
    nothing[:, 3] = 0
    empty = lay_together([nothing], Scene((part_of(MUG, 2),)), ORBIT, (32, 32))
    assert empty.shape == (4, 5, 32, 32)
    assert bool((empty[:, 3] == 0).all() and (empty[:, :3] == 1).all())
