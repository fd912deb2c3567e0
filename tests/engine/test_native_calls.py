"""What ends a call of the kernel before its time: signals, memory, threads that can't start. Each in a process."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from planaria.engine import native

pytestmark = [
    pytest.mark.skipif("PLANARIA_PURE" in os.environ, reason="the kernel was left out on purpose"),
    pytest.mark.skipif(find_spec("resource") is None, reason="this system has no limits to set"),
]

BEGIN = """
import os, resource, signal, threading, time, torch
from planaria.core.rule import Rule, RuleConfig
from planaria.engine import run

def rule(**settings):
    r = Rule(RuleConfig(**settings))
    rng = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for p in r.parameters():
            p.add_(torch.randn(p.shape, generator=rng) * 0.02)
    return r

def states(b, n):
    return torch.rand(b, 16, n, n, generator=torch.Generator().manual_seed(3)) * 0.2

class Alarm(Exception):
    pass

def ring(seconds, raises=True):
    "Raise at the third bell: one that is heard when a call has ended is the first, whatever rang within the call."
    heard = []
    def note(number, frame):
        heard.append(number)
        if raises and len(heard) == 3:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise Alarm
    signal.signal(signal.SIGALRM, note)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds if raises else 0)
    return heard

def limited(megabytes, deed):
    "What `deed` gives where the process may grow by so much, or the name of its exception."
    with open("/proc/self/statm") as f:
        held = int(f.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + int(megabytes * 2**20), unlimited[1]))
    try:
        return deed()
    except Exception as e:
        return type(e).__name__
    finally:
        resource.setrlimit(resource.RLIMIT_AS, unlimited)
"""

FOREVER = 2**31 - 1


def in_a_process(script: str, stack: int = 0) -> list[str]:
    """Lines that the script prints, its threads with stacks of `stack` MiB; a call that never ends fails."""
    one = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # torch's own threads are not what is looked at
    words = [sys.executable, "-c", BEGIN + script]
    if stack:
        words = ["sh", "-c", f'ulimit -s {stack * 1024} && exec "$@"', "sh", *words]
    done = subprocess.run(words, env=os.environ | one, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("settings", "shape", "steps"),
    [
        ("", "1, 40", FOREVER),
        ("", "9, 12", FOREVER),
        ("hidden=(4096,), life='none', fire_rate=1.0", "1, 700", 1),
        ("hidden=(4096,), life='none', fire_rate=1.0", "3, 500", 1),
        ("fire_rate=0.0", "1, 4", FOREVER),
    ],
    ids=["many steps", "many samples", "a huge grid", "huge grids", "cells at rest"],
)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_signal_is_obeyed_within_a_call(settings, shape, steps, threads):
    assert in_a_process(f"""
torch.set_num_threads({threads})
r, x = rule({settings}).requires_grad_(False), states({shape})
before = x.clone()
ring(0.1)
try:
    run(r, x, {steps}, engine="native")
except Alarm:
    print("obeyed", torch.equal(x, before))
""") == ["obeyed True"]


def test_a_signal_is_obeyed_while_others_still_work():
    """The calling thread's own sample is dead at once; it waits for the thread that has the living one."""
    assert in_a_process(f"""
torch.set_num_threads(2)
r, x = rule().requires_grad_(False), states(2, 30)
x[0] = 0.0
ring(0.1)
try:
    run(r, torch.cat([x, x.flip(0)]), {FOREVER}, engine="native")
except Alarm:
    print("obeyed")
""") == ["obeyed"]


def test_a_signal_is_obeyed_on_the_way_back_which_can_be_gone_again():
    assert in_a_process("""
torch.set_num_threads(2)
r, x = rule(hidden=(1024,), life="none"), states(2, 100)
y = run(r, x, 15, engine="native").sum()
ring(0.1)
try:
    torch.autograd.grad(y, list(r.parameters()), retain_graph=True)
except Alarm:
    print("obeyed")
first, second = (torch.autograd.grad(y, list(r.parameters()), retain_graph=True) for _ in range(2))
print(all(torch.equal(a, b) for a, b in zip(first, second)))
""") == ["obeyed", "True"]


def test_a_handler_that_only_notes_lets_the_call_end_whole():
    assert in_a_process("""
torch.set_num_threads(2)
r, x = rule(hidden=(1024,), life="none").requires_grad_(False), states(1, 200)
want = run(r, x, 6, engine="native")
heard = ring(0.1, raises=False)
seen = []
while not heard:
    seen.append(torch.equal(run(r, x, 6, engine="native"), want))
print(all(seen), heard == [signal.SIGALRM])
""") == ["True True"]


def test_a_call_in_another_thread_is_left_alone():
    assert in_a_process("""
torch.set_num_threads(2)
r, x = rule(hidden=(1024,), life="none").requires_grad_(False), states(1, 200)
want, got = run(r, x, 6, engine="native"), []
worker = threading.Thread(target=lambda: got.append(run(r, x, 6, engine="native")))
ring(0.1)
try:
    worker.start()
    while True:
        time.sleep(0.01)
except Alarm:
    while not got:
        time.sleep(0.01)
print(torch.equal(got[0], want))
""") == ["True"]


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux holds a process to its memory")


@linux
@pytest.mark.parametrize(
    ("shape", "steps", "trains", "megabytes"),
    [
        ("1, 300", 4, False, range(1, 60, 3)),
        ("4, 100", 4, False, range(1, 40, 2)),
        ("4, 60", 24, True, range(2, 40, 2)),
    ],
    ids=["one sample", "samples", "with a trace"],
)
def test_memory_that_ends_is_an_error_in_every_thread(shape, steps, trains, megabytes):
    found = in_a_process(f"""
torch.set_num_threads(3)
r, x = rule(life="none").requires_grad_({trains}), states({shape})
y = torch.empty_like(x)
want = run(r, x, {steps}, engine="native").detach()
def deed():
    return torch.equal(run(r, x, {steps}, engine="native").detach(), want)
for size in {megabytes}:
    print(limited(size, deed))
print(deed())
""")
    assert set(found) == {"MemoryError", "True"}
    assert found[-1] == "True", "afterwards all is as before"


@linux
def test_memory_that_ends_on_the_way_back_is_an_error():
    found = in_a_process("""
torch.set_num_threads(3)
r, x = rule(life="none"), states(4, 100)
y = run(r, x, 3, engine="native").sum()
def deed():
    return torch.autograd.grad(y, list(r.parameters()), retain_graph=True)[0]
want = deed()
for size in range(1, 40, 3):
    got = limited(size, deed)
    print(got if isinstance(got, str) else torch.equal(got, want))
print(torch.equal(deed(), want))
""")
    assert set(found) == {"MemoryError", "True"}
    assert found[-1] == "True"


@linux
@pytest.mark.parametrize("shape", ["1, 64", "9, 32"])
def test_threads_that_cannot_start_are_done_without(shape):
    """Stacks of 64 MiB: within 50 MiB none of seven threads can start, within 150 two; the bytes are the same."""
    found = in_a_process(
        f"""
r, x = rule(), states({shape})
torch.set_num_threads(1)
want = run(r, x, 40, engine="native").detach()
torch.set_num_threads(8)
got = [limited(size, lambda: run(r, x, 40, engine="native").detach()) for size in (50, 150)]
torch.set_num_threads(1)
for y in got:
    print(y if isinstance(y, str) else torch.equal(y, want))
""",
        stack=64,
    )
    assert found == ["True", "True"]


@linux
def test_threads_that_find_no_memory_to_start_with_end_nothing():
    """Limits about the size of a stack leave a new thread next to nothing, not even room for an exception."""
    found = in_a_process("""
r, x = rule().requires_grad_(False), states(5, 32)
torch.set_num_threads(8)
for size in range(1, 40):
    y = limited(size, lambda: run(r, x, 40, engine="native"))
    print(y if isinstance(y, str) else "done")
""")
    assert set(found) <= {"MemoryError", "done"}
    assert len(found) == 39


def test_the_main_thread_is_the_one_that_obeys():
    assert native._obeys()
