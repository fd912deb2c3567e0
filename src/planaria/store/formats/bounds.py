"""Bounds: turn a rule with clipped states into one without clipping."""

import torch

from planaria.core.filters import reaches
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError

MOST_PARAMETERS = 16_000_000


def within(rule: Rule, bound: float) -> Rule:
    """Rule that acts as `rule` does, with its states clipped to `-bound`..`bound` after every step.

    One more layer does it: from the state after the step, `relu(y + bound) - relu(y - bound) - bound` is the state cut
    off. `rule` has one hidden layer bent by relu, the filter `identity` first, dt 1, and nothing frozen. Cells that
    don't act stay as they are, which is within bounds if they began so. Raises `UserError` where that takes too much.
    """
    config, c = rule.config, rule.config.channels
    width, filters = config.hidden[0], len(reaches(config.filters))
    count = (width + 2 * c) * (c * filters + 4 * c) + 4 * c * c
    if count > MOST_PARAMETERS:
        raise UserError(f"a rule of {c:,} channels that keeps within bounds has {count:,} parameters; that is too many")
    cut = Rule(
        RuleConfig(**{**config.__dict__, "hidden": (width + 2 * c, 4 * c), "bias": "all"})
    )  # neurons, then the state's positive and negative part
    eye = torch.eye(c)
    with torch.no_grad():
        for p in cut.parameters():
            p.zero_()
        first, second, last = cut.weights
        first[:width] = rule.weights[0]
        first[width:, ::filters] = torch.cat([eye, -eye])
        if len(rule.biases):
            cut.biases[0][:width] = rule.biases[0]
        state = torch.cat([eye, -eye], 1)
        for part, sign in ((slice(0, c), 1.0), (slice(c, 2 * c), -1.0)):
            second[part, :width], second[part, width:] = rule.weights[1], state
            cut.biases[1][part] = sign * bound + (rule.biases[1] if len(rule.biases) > 1 else 0.0)
        second[2 * c :, width:] = torch.eye(2 * c)
        last[:, :c], last[:, c : 2 * c], last[:, 2 * c :] = eye, -eye, -state
        cut.biases[2][:] = -bound
    return cut
