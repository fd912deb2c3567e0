import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from planaria.losses.quality import FAINTEST, MOST_DECIBELS, psnr, spectrum, ssim


def pair(b: int = 3, v: int = 3, h: int = 24, w: int = 31) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth pictures, and the same with noise: neither quite alike nor quite different."""
    rng = torch.Generator().manual_seed(1)
    coarse = torch.rand(b, v, 4, 5, generator=rng, dtype=torch.double)
    x = torch.nn.functional.interpolate(coarse, (h, w), mode="bilinear")
    sizes = torch.tensor([0.02, 0.1, 0.4], dtype=torch.double)[:b].view(b, 1, 1, 1)
    return x, (x + torch.randn(b, v, h, w, generator=rng, dtype=torch.double) * sizes).clamp(0, 1)


def test_psnr_is_scikit_images():
    x, y = pair()
    want = [peak_signal_noise_ratio(a.numpy(), b.numpy(), data_range=1) for a, b in zip(x, y, strict=True)]
    assert psnr(x, y).tolist() == pytest.approx(want, rel=1e-12)
    assert psnr(y, x).tolist() == psnr(x, y).tolist()
    assert psnr(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.1)).item() == pytest.approx(20)
    assert psnr(x, x).tolist() == [MOST_DECIBELS] * 3


@pytest.mark.parametrize("shape", [(1, 24, 31), (3, 24, 31), (3, 11, 11), (1, 12, 40)])
def test_ssim_is_scikit_images(shape):
    x, y = pair(3, *shape)
    want = [
        structural_similarity(
            a.numpy(), b.numpy(), data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            channel_axis=0,
        )
        for a, b in zip(x, y, strict=True)
    ]  # fmt: skip
    assert ssim(x, y).tolist() == pytest.approx(want, rel=1e-10)
    assert ssim(x.float(), y.float()).tolist() == pytest.approx(want, abs=1e-4)
    assert 0 < want[2] < want[1] < want[0] < 1


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 9), (10, 40)])
def test_ssim_of_small_pictures(size):
    x, y = pair(3, 1, *size)
    torch.testing.assert_close(ssim(x, x), torch.ones(3, dtype=torch.double))
    assert (ssim(x, y) < 1).all()


def test_ssim_of_flat_pictures_by_hand():
    x, y = torch.full((1, 1, 6, 20), 0.2, dtype=torch.double), torch.full((1, 1, 6, 20), 0.7, dtype=torch.double)
    assert ssim(x, y).item() == pytest.approx((2 * 0.14 + 1e-4) / (0.04 + 0.49 + 1e-4))


def test_ssim_can_be_learned_from():
    x, y = pair(1, 1, 12, 12)
    torch.autograd.gradcheck(lambda z: ssim(z, y), x.requires_grad_())


def test_spectrum_of_one_wave():
    """A wave of 5 cycles on 40 cells is 0.125 cycles a cell: the fourth of 16 rings ends there, and holds it all."""
    wave = 0.5 + 0.25 * torch.sin(torch.arange(40, dtype=torch.double) * 2 * math.pi * 5 / 40)
    found = spectrum(wave.expand(1, 1, 40, 40))[0]
    held = sum(
        0.125 - 1 / 32 < math.hypot(min(i, 40 - i), min(j, 40 - j)) / 40 <= 0.125 for i in range(40) for j in range(40)
    )
    # two of 1,600 frequencies share the wave's power, amplitude**2 / 2 a cell
    assert found[3].item() == pytest.approx(math.log10(1600 * 0.25**2 / 2 / held))
    assert (found[torch.arange(16) != 3] == math.log10(FAINTEST)).all()


def test_spectrum_does_not_know_place_size_or_mean():
    rng = torch.Generator().manual_seed(2)
    x = torch.rand(2, 3, 32, 48, generator=rng, dtype=torch.double)
    here = spectrum(x)
    assert here.shape == (2, 16)
    torch.testing.assert_close(spectrum(x.roll((5, 7), (2, 3))), here)
    torch.testing.assert_close(spectrum(x.flip(3)), here)
    torch.testing.assert_close(spectrum(x + 0.3), here)
    torch.testing.assert_close(spectrum(x / 10), here - 2)
    large = spectrum(torch.rand(1, 1, 200, 300, generator=rng, dtype=torch.double))
    torch.testing.assert_close(large, torch.full_like(large, math.log10(1 / 12)), atol=0.1, rtol=0)


def test_spectrum_sees_a_blur():
    x = torch.rand(1, 1, 64, 64)
    blurred = (x + x.roll(1, 2) + x.roll(1, 3) + x.roll((1, 1), (2, 3))) / 4
    lost = spectrum(x)[0] - spectrum(blurred)[0]
    assert lost[0] < 0.1 < 1 < lost[-1]


def test_spectrum_of_tiny_grids():
    for size in ((1, 1), (1, 2), (4, 4), (3, 50)):
        found = spectrum(torch.rand(2, 1, *size))
        assert found.shape == (2, 16)
        assert found.isfinite().all()
    four = spectrum(torch.rand(1, 1, 4, 4))[0]  # frequencies 0.25 and 0.5, and a diagonal between: rings 7, 11, 15
    assert len(set(four.tolist())) == 3
