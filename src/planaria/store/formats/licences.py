"""Licences: terms of use of published weights, which the licence of a format's home doesn't give."""

NO_LICENCE = "no licence: for your own machine, not to be passed on"
PUBLISHED: dict[str, str] = {
    "a55e2726e59797cb9f503cea81526005445845acbf30c16080f0b3c208411d73": NO_LICENCE,
    "6a1719e0484b82529b06926ed61e3f33ef71a68c05738e4eea97cec719f8dd20": NO_LICENCE,
    "0408ac1aaca2e2060c64612909564d973985bd2cc332cda48a8cada1285f6c07": NO_LICENCE,
    "6920b6d69160fd614d7b67b9ed5fecad7fc746069dc3977039548a94e4f8ef81": "CC-BY-4.0",
    "e4fc6cf03accac43d5f6d96fe3cce4dbef3a25100ebe82252aedc5cc25c2a8c2": "CC-BY-4.0",
    "eb9ca62d996fd9ad542f1cb58616a1fc67ee781d164fb9840152dbf4fb4aba24": NO_LICENCE,
    "21478cfdab972f7b076ebd11ed30c99f6c7cbc356938f0187c7dcc44d61ddd38": NO_LICENCE,
    "577fd02551516888613d131d58287ad6cabed62cf1b667ec9042d1406b736b3e": NO_LICENCE,
    "7d638c822cf04a9455e83b5e4f959246f8c8e70ce7def800eb54bdf691d011de": NO_LICENCE,
    "d61ca236019c90c4865fcd93d2cb0019bbd5e9f7f4749fbeae3ac56accd842c0": "Apache-2.0",
}
"""SHA-256 of a file as its authors published it -> its licence: infect_bird_to_lizard, nca_bird and nca_lizard of
differentiable-morphogenesis, ex1_butterfly and ex3_lizard of Distill, chest_sobel and retina_laplacian of erikhelmut,
A pencil sketch and Grid of Image-Manipulation, texture-bubbles of Monash."""


def code_licence(code: str) -> str:
    """Licence `code` of a format's home in words; empty where it has none, "?" where it isn't known."""
    return {"": "code without a licence", "?": "code of a licence that is not known"}.get(code, f"code {code}")


def licence(digest: str, code: str) -> str:
    """Licence of a file by its SHA-256, in words: its own where it is known, else that of its home's `code`."""
    return PUBLISHED.get(digest) or f"{code_licence(code)}; of these weights nothing is known"
