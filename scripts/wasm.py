"""Compile the kernel to WebAssembly: `src/planaria/web/engine/kernel.wasm`, which is committed beside its sources.

The compiler is `ziglang` of the development set; another version of it gives other bytes.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NATIVE = ROOT / "native"
BUILT = ROOT / "src/planaria/web/engine/kernel.wasm"
SOURCES = {
    "rollout.cpp": ("-O3",),
    "planaria.cpp": ("-Os",),
    "wasm.cpp": ("-Os",),
    "heap.cpp": ("-Os", "-fno-builtin"),  # its calloc must not become a call of calloc
}
"""Source -> flags of its own: only in the first one are steps computed."""
LARGEST = 1 << 31
"""Bytes to which the module's memory may grow."""
COMPILER = (sys.executable, "-m", "ziglang")
TARGET = ("-target", "wasm32-wasi")
FLAGS = (
    *("-std=c++17", "-fno-math-errno", "-fno-sanitize=all", "-fvisibility=hidden", "-Wall", "-Wextra"),
    *("-msimd128", "-mbulk-memory", "-DISA=plain", "-DREAL=float", "-DVBYTES=16"),
    # exceptions, but none of the C++ library's: wasm.cpp has what there is to them
    *("-fwasm-exceptions", "-mexception-handling", "-mllvm", "-wasm-enable-eh"),
    *("-U__cpp_exceptions", "-Wno-builtin-macro-redefined", "-D_LIBCPP_VERBOSE_ABORT(...)=__builtin_trap()"),
)


def exports() -> list[str]:
    """Names of the C interface."""
    text = "".join((NATIVE / name).read_text(encoding="utf-8") for name in ("planaria.h", "wasm.cpp"))
    return sorted(set(re.findall(r"^PLANARIA_API [^;{]*?(planaria_\w+)\(", text, re.MULTILINE)))


def build(target: Path) -> None:
    """Write the module to `target`. Raises `CalledProcessError` where the compiler finds a mistake."""
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for source, own in SOURCES.items():
            objects.append(str(Path(folder) / source.replace(".cpp", ".o")))
            words = [*COMPILER, "c++", *TARGET, *FLAGS, *own, "-c", source, "-o", objects[-1]]
            subprocess.run(words, cwd=NATIVE, check=True)
        linked = Path(folder) / "kernel.wasm"
        words = ["-mexec-model=reactor", "-s", f"-Wl,--max-memory={LARGEST}"]
        words += [f"-Wl,--export={name}" for name in exports()]
        subprocess.run([*COMPILER, "cc", *TARGET, *words, *objects, "-o", str(linked)], check=True)
        target.write_bytes(linked.read_bytes())


def main() -> None:
    """Build the committed module."""
    build(BUILT)
    print(f"{BUILT.relative_to(ROOT)}: {BUILT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
