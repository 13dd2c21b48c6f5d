// The steps of a show as its sheet changes them. A step is as the panel has it: `{fade: {level, seconds}, label}`. Pure.

export const KINDS = ['set', 'fade', 'effect', 'wait', 'repeat', 'parallel'];
export const EFFECTS = ['pulse', 'blink', 'candle', 'none'];
const PATH = /^steps\[\d+\](\.repeat\.steps\[\d+\]|\.parallel\.branches\[\d+\]\[\d+\])*/;

const FRESH = {
  set: () => ({ level: 50 }),
  fade: () => ({ level: 50, seconds: 10 }),
  effect: () => ({ effect: 'candle' }),
  wait: () => ({ seconds: 5 }),
  repeat: () => ({ times: 3, steps: [] }),
  parallel: () => ({ branches: [[], []] }),
};

/** A new step of a kind. */
export function freshStep(kind) {
  return { [kind]: FRESH[kind]() };
}

export function kindOf(step) {
  return KINDS.find((kind) => kind in step);
}

/** The lists of steps inside a step, each with its path: one of a repeat, one for each branch of a parallel step. */
export function listsIn(step, path) {
  if (step.repeat) return [{ path: `${path}.repeat.steps`, steps: step.repeat.steps }];
  return (step.parallel?.branches ?? []).map((steps, n) => ({ path: `${path}.parallel.branches[${n}]`, steps }));
}

/** How long the steps take, in seconds: of steps at the same time the longest count, of an endless repeat one round. */
export function secondsOf(steps) {
  return steps.reduce((sum, step) => sum + secondsOfStep(step), 0);
}

function secondsOfStep(step) {
  const inner = listsIn(step, '').map(({ steps }) => secondsOf(steps));
  if (step.repeat) return (step.repeat.times || 1) * inner[0];
  return Math.max(step[kindOf(step)].seconds ?? 0, ...inner);
}

/** Whether only a stop ends them. */
export function isEndless(steps) {
  return steps.some((step) => step.repeat?.times === 0 || listsIn(step, '').some((list) => isEndless(list.steps)));
}

/** On, off or level: what a step sets. */
export function verbOf({ level, on }) {
  if (on === false) return 'off';
  return level === undefined ? 'on' : 'level';
}

/** What a step sets after somebody chose another verb. */
export function withVerb({ light, level = 50 }, verb) {
  return { ...(light !== undefined && { light }), ...(verb === 'level' ? { level } : { on: verb === 'on' }) };
}

/** The step that a refusal names: of `steps[1].repeat.steps[0].fade.level` it is `steps[1].repeat.steps[0]`. */
export function pathIn(field) {
  return field?.match(PATH)?.[0] ?? null;
}
