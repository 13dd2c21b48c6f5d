// Runs the page's reducer: `{path, state, events}` comes in on stdin, each state of the way goes out on stdout.
//
// Every state is frozen before the next event, so that a reducer which writes into one throws.

import { readFileSync } from 'node:fs';

const { path, state, events } = JSON.parse(readFileSync(0, 'utf8'));
// A data: URL is always a module; a .js file without a package.json is one in newer Nodes only.
const { EMPTY, apply, isLive, isOwn, shown } = await import(
  `data:text/javascript,${encodeURIComponent(readFileSync(path, 'utf8'))}`
);

function frozen(value) {
  if (value && typeof value === 'object') Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

const states = [frozen(state ?? EMPTY)];
for (const event of events) states.push(frozen(apply(states.at(-1), frozen(event))));
const last = states.at(-1);
const lights = Object.values(last.lights ?? {});
process.stdout.write(
  JSON.stringify({
    state: last,
    same: states.length > 1 && last === states.at(-2),
    live: isLive(last),
    shown: Object.fromEntries(lights.map(({ id }) => [id, shown(last, id)])),
    own: lights.filter((light) => isOwn(last, light)).map(({ id }) => id),
  }),
);
