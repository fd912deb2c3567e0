"""What tells that a life has left its bounds, or ended."""

import math

import pytest
import torch

from planaria.core.bounds import CELL, PICTURE, burst, extinct, limits
from planaria.core.infection import Spread, infectable
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig

FILM, BODY = Layout(1, None, 3), Layout(4, 3, 4)
PHOTO = Layout(3, None, 2, 3)


@pytest.mark.parametrize("layout", [FILM, BODY, PHOTO])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_is_within_its_channel_s_bound_or_not(layout, sign):
    shown, held = limits(layout)
    for channel in range(layout.channels - layout.frozen):
        limit = shown if channel < layout.visible else held
        x = torch.zeros(1, layout.channels, 5, 6)
        x[0, channel, 4, 5] = sign * limit
        assert not burst(x, layout)
        x[0, channel, 4, 5] = sign * limit * 1.001
        assert burst(x, layout)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("channel", [0, 3])
def test_what_is_no_number_is_beyond_every_bound(odd, channel):
    x = torch.zeros(2, 4, 5, 6)
    x[1, channel, 2, 3] = odd
    assert burst(x, FILM)


def test_pictures_without_life_have_the_narrow_bound():
    assert limits(FILM) == (PICTURE, CELL)
    assert limits(BODY) == (CELL, CELL)


def test_frozen_channels_and_what_an_infection_keeps_have_none():
    x = torch.zeros(1, PHOTO.channels, 3, 3)
    x[:, -3:] = 1e6
    assert not burst(x, PHOTO)
    assert not burst(x[:, :-3], PHOTO)
    laid = infectable(BODY, Spread(recovery=500))
    x = torch.zeros(1, laid.channels, 3, 3)
    x[:, BODY.channels :] = 500.0
    assert not burst(x, laid)


def test_all_are_dead_where_no_cell_is_above_the_threshold():
    rule, x = Rule(RuleConfig(channels=8)), torch.zeros(1, 8, 5, 5)
    assert extinct(x, rule)
    x[0, 3, 2, 2] = 0.1
    assert extinct(x, rule)
    x[0, 3, 2, 2] = 0.11
    assert not extinct(x, rule)
    x[0, 3] = 0
    assert not extinct(x, Rule(RuleConfig(channels=8, life="none")))
    x[0, 5, 0, 0] = 0.5
    assert not extinct(x, Rule(RuleConfig(channels=8, life_channel=5)))
