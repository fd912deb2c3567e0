"""Near names: the name of ours that an unknown name stands for, by its meaning first and its letters after."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Also:
    """Other names of a setting, as other libraries and papers call it: `Annotated[str, Also("target image")]`."""

    names: str
    """The names, with blanks between and _ for every dash."""


_MEANT = {
    # settings of a training, as other libraries and papers call them
    "train.steps": "iterations iteration iters n_iters num_iterations n_iterations epochs epoch n_epochs "
    "num_epochs max_epochs n_batches num_steps max_steps total_steps train_steps training_steps updates",
    "train.minutes": "duration time_limit max_time time_budget budget max_minutes hours seconds max_duration timeout",
    "train.optimiser": "optimizer optim opt",
    "train.lr": "learning_rate learningrate learn_rate rate step_size eta alpha lrate",
    "train.lr_drops": "milestones lr_milestones scheduler lr_schedule schedule lr_decay decay lr_steps",
    "train.lr_factor": "gamma lr_gamma decay_factor factor decay_rate",
    "train.betas": "beta adam_betas momentum beta1 beta2",
    "train.batch": "batch_size batchsize minibatch mini_batch bs n_samples samples",
    "train.pool": "pool_size poolsize n_pool use_pool sample_pool persist_pool pool_samples",
    "train.rollout": "ca_steps nca_steps iter_n step_n min_steps max_steps_per_iteration steps_range n_steps_range "
    "step_range rollout_steps unroll unroll_steps time_steps timesteps",
    "train.warmup": "warm_up warmup_steps warmup_iterations curriculum_steps",
    "train.normalise": "normalize normalise_gradients normalize_gradients grad_norm gradient_normalization "
    "gradient_normalisation norm_grad normalize_grads",
    "train.clip": "grad_clip gradient_clipping clip_grad clip_grad_norm max_grad_norm clip_norm gradient_clip",
    "train.validate": "validation eval_every eval_frequency val_every eval_interval validation_interval",
    "train.plateau": "patience early_stopping reduce_on_plateau",
    "train.init": "pretrained resume_from from_model weights load_model checkpoint_path model_path start_from",
    "train.guardian": "safe guard rescue",
    "train.seed": "random_seed rng_seed random_state manual_seed",
    "train.device": "gpu cuda use_cuda use_gpu accelerator",
    "train.engine": "backend kernel implementation",
    "train.checkpoint": "checkpoint_every save_every save_interval checkpoint_interval save_freq save_frequency "
    "save_steps",
    # settings of a rule
    "rule.hidden": "hidden_size hidden_channels hidden_n hidden_dim hidden_width n_hidden num_hidden hidden_units "
    "hidden_layer hidden_layers fc_dim width mlp_hidden layers",
    "rule.channels": "n_channels num_channels channel_n channel channels_n state_size cell_channels nchannels "
    "state_channels in_channels",
    "rule.fire_rate": "firerate cell_fire_rate update_rate update_prob update_probability mask_prob stochastic "
    "dropout async asynchronous",
    "rule.filters": "filter kernels kernel perception perception_filters conv_filters perceive perception_kernels",
    "rule.activation": "nonlinearity act activation_function act_fn",
    "rule.bias": "use_bias biases",
    "rule.dt": "step_size time_step delta_t update_scale",
    "rule.edge": "boundary boundary_condition border padding_mode wrap torus periodic edges pad_mode circular_padding "
    "boundaries",
    "rule.life": "alive_mask alive alive_masking living_mask masking life_mask living",
    "rule.life_threshold": "alive_threshold living_threshold life_limit",
    "rule.life_channel": "alpha_channel alive_channel living_channel",
    "rule.cond": "conditions conditioning goal goal_channels embedding",
    "rule.frozen": "frozen_channels fixed fixed_channels",
    # settings of several tasks or commands; a task's own are with its fields
    "picture": "target target_path image img image_path img_path target_image target_img input photo pic emoji "
    "image_file goal_image file",
    "size": "img_size image_size target_size grid_size grid resolution size_px px dim",
    "frames": "video clip film movie video_path data dataset sequence gif animation source",
    "steps": "iterations n_steps num_steps timesteps time_steps duration ca_steps",
    "style": "texture style_image style_path target target_path target_style image img picture style_img exemplar",
    "photos": "content content_images images dataset data training_images photo",
    "backbone": "vgg network feature_extractor features encoder extractor perceptual",
    "loss": "criterion loss_function loss_fn loss_type objective metric",
    "damage_shape": "damage_type damage_kind damage_form cutout erase",
    "damage": "damage_n n_damage use_damage damage_samples num_damaged injury damages erase",
    "background": "bg ground remove_background key keying transparent",
    "trim": "crop autocrop cut_margins",
    "gram": "style_weight style_loss gram_weight",
    "content": "content_weight content_loss",
    "tv": "total_variation tv_weight smoothness",
    "ot": "optimal_transport wasserstein sliced_wasserstein swd",
    "colour": "color color_weight colour_weight color_mode",
    "grey": "gray grayscale greyscale mono",
    # recipes; other names of tasks are in their files
    "quick": "fast short small",
    "demo": "example tutorial test start hello",
    "classic": "distill published paper original growing_ca",
    "healer": "heal healing repair best",
    "life": "game_of_life gol conway conways_life conways_game_of_life lifelike alive",
    # losses, filters, activations, edges
    "l2": "mse mean_squared_error squared squared_error euclidean mse_loss mseloss rmse l2_loss quadratic",
    "l1": "mae mean_absolute_error absolute absolute_error l1_loss mae_loss l1loss huber smooth_l1",
    "manhattan": "sum_absolute sae cityblock taxicab manhattan_loss sum_l1",
    "hinge": "hinge_loss margin margin_loss",
    "sobel": "sobel_x sobel_y sobelx sobely gradient gradients edges edge slope sobel_xy prewitt derivative dx dy",
    "scharr": "scharr_x scharr_y scharrx scharry",
    "gaussian": "gauss blur gaussian_blur",
    "laplacian": "laplace lap laplacian9 laplace9 laplacian_9 second_derivative",
    "laplacian5": "laplace5 laplacian4 laplacian_5 five_point",
    "mean": "average avg box box_blur average_pool moore",
    "learned": "conv conv2d convolution learnable trainable free 3x3 learnt depthwise",
    "identity": "id self centre_pixel center none",
    "silu": "swish",
    "leaky_relu": "lrelu leakyrelu",
    "tanh": "hyperbolic_tangent",
    "circular": "torus wrap periodic toroidal cyclic wraparound",
    "zero": "zeros constant zero_pad zero_padding dirichlet none empty black",
    "replicate": "nearest reflect clamp edge border mirror neumann",
    "both": "alive true yes on pre_post before_and_after",
    "before": "pre pre_update",
    "after": "post post_update",
    "none": "off false no null disabled never",
    "all": "everything true yes on",
    # what there is a list of, splits of a data set
    "gallery": "model models pretrained weights",
    "simulators": "sim sims simulations simulation",
    "val": "validation valid dev",
    # solvers, engines, simulators, damage
    "euler": "forward_euler explicit_euler euler_forward rk1",
    "midpoint": "rk2 heun",
    "rk4": "runge_kutta rungekutta runge_kutta_4 rk",
    "dopri5": "rk45 dormand_prince dopri adaptive ode45 tsit5",
    "adjoint": "adjoint_method backsolve",
    "native": "cpu c cpp c++ openmp fast numba cython",
    "fused": "cuda gpu triton gpu_kernel nvidia",
    "fused_tf32": "tf32",
    "fused_bf16": "bf16 bfloat16 half fp16 amp mixed mixed_precision",
    "compiled": "compile torch_compile torchcompile inductor jit torchscript",
    "reference": "torch pytorch eager plain python slow default",
    "sparse": "masked skip",
    "gray_scott": "grayscott grey_scott greyscott reaction_diffusion turing gs rd",
    "lenia": "continuous_life smoothlife smooth_life orbium flow_lenia",
    "centre": "center middle hole core",
    "circle": "disc disk round ball radius",
    "speckle": "salt pepper salt_and_pepper dots dropout",
    "noise": "gaussian_noise random jitter noise_std noise_level noise_scale sigma",
    "disc": "circle disk round",
    "cut": "half line side slice",
    "hole": "square rectangle rect box block",
    "mixed": "both random mix",
    "any": "all random mixed",
    "still": "fixed share stationary static",
    "contact": "spread spreading contagion neighbour neighbor touch",
    "turn": "rotate rotation rotations isotropic",
    "mirror": "flip reflection reflect",
}  # fmt: skip
"""Our name, with _ for every dash -> its other names."""

_NOTHING_OF_OURS = (
    "classify classification classifier segment segmentation detect detection denoise denoising inpaint inpainting "
    "mnist maze audio voxel voxels mesh accuracy cross_entropy crossentropy bce kl lpips ssim"
)
"""Names for what others do and planaria doesn't, so that no name of ours is near, however alike it looks."""

SURE = 6
"""Fewest letters of a word that is recognised though one of them is wrong."""


def _by_other(*tables: Mapping[str, str]) -> dict[str, list[str]]:
    """Other name -> our names that it stands for, those of earlier tables first."""
    found: dict[str, list[str]] = {}
    for table in tables:
        for ours, others in table.items():
            for other in others.split():
                found.setdefault(other, []).append(_folded(ours))
    return found


def nearest(name: object, have: Iterable[object], also: Mapping[str, str] | None = None) -> str | None:
    """Nearest of `have` to `name`; None if nothing is near. `also` has more other names of ours, as a table.

    A name spelled alike but for capitals, dashes and blanks comes first, then the last part of a dotted name
    (`hidden` is rule.hidden), then another word for it (`iterations` is train.steps), then letters that are nearly the
    same.
    """
    names: dict[str, str] = {}
    for one in map(str, have):
        names.setdefault(_folded(one), one)
    leaves: dict[str, str] = {}
    for folded, one in names.items():
        leaves.setdefault(_leaf(folded), one)
    asked = _folded(name)
    leaf = _leaf(asked)
    if asked in _NOTHING_OF_OURS.split():
        return None
    if asked in names or leaf in leaves:
        return names.get(asked) or leaves[leaf]
    meant = _by_other(also, _MEANT) if also else _NAMES
    for other in (asked, leaf, leaf.removesuffix("s")):
        for ours in meant.get(other, ()):
            if ours in names:
                return names[ours]
    others = {
        other: names[ours] for other, every in meant.items() for ours in every if ours in names and len(other) >= SURE
    }
    known = leaf in meant or leaf in _MEANT  # a word with a meaning of its own means nothing that only looks alike
    for words, likeness in ((names, 0.8), (leaves, 0.8), (others, 0.83), (names, 1 if known else 0.6)):
        if near := get_close_matches(asked if words is names else leaf, list(words), 1, likeness):
            return words[near[0]]
    return None


def _leaf(name: str) -> str:
    """Last part of a dotted name."""
    return name.rpartition(".")[2]


def _folded(name: object) -> str:
    """Fold a name's variants of spelling: capitals, dashes, blanks."""
    return re.sub(r"[\s-]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name).strip().lstrip("-"))).lower()


_NAMES = _by_other(_MEANT)
"""Other name -> our names, of the table alone."""
