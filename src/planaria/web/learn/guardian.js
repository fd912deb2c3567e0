// The guardian, as planaria.training.guardian: it sees failures of a training.

/** How many losses are remembered. */
export const MEMORY = 32;
const JUMP = 10;
const PATIENCE = 3;
const BOUND = 1e4;

/** The fault in the last states or in their loss; empty where there is none. `recent` are former losses, newest last. */
export function trouble(states, loss, recent, alpha) {
  const bounded = states.every((x) => x.every((v) => Math.abs(v) < BOUND));
  if (!Number.isFinite(loss) || !bounded) return "explosion";
  if (!states.some((x) => lives(x, alpha))) return "extinction";
  const usual = recent.length >= MEMORY ? recent.toSorted((a, b) => a - b)[Math.floor(recent.length / 2)] : Infinity;
  return Math.min(...recent.slice(1 - PATIENCE), loss) > JUMP * usual ? "jump of the loss" : "";
}

/** Whether any cell of a state has a life value above `threshold`; `alpha` is its channel's range of places. */
export function lives(x, [first, end], threshold = 0) {
  for (let i = first; i < end; i++) if (x[i] > threshold) return true;
  return false;
}
