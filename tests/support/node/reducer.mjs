// Runs the pages' reducers. A line on stdin is `{path, view, state, events}`; the line on stdout is what `view` says of
// the last state, or `{error}`. `view` is the source of a function of the page's module, the last state, and whether the
// last event left the very same one.
//
// Every state is frozen before the next event, so that a reducer which writes into one throws.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

globalThis.navigator ??= { languages: ['en'] }; // what the words of the pages ask for
const modules = new Map();

function load(path) {
  if (!modules.has(path)) modules.set(path, import(urlOf(path)));
  return modules.get(path);
}

/** A data: URL of the module and of those it imports. It is always a module; a .js file without a package.json is not. */
function urlOf(path) {
  const importsOf = (source) => source.replace(/from '(\.[^']+)'/g, (_, name) => `from '${urlOf(join(dirname(path), name))}'`);
  return `data:text/javascript;base64,${Buffer.from(importsOf(readFileSync(path, 'utf8'))).toString('base64')}`;
}

function frozen(value) {
  const open = value && typeof value === 'object' && !Object.isFrozen(value);
  if (open) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

async function run({ path, view, state, events }) {
  const page = await load(path);
  const states = [frozen(state ?? page.EMPTY)];
  for (const event of events) states.push(frozen(page.apply(states.at(-1), frozen(event))));
  const last = states.at(-1);
  const same = states.length > 1 && last === states.at(-2);
  return new Function(`return (${view})`)()(page, last, same);
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = await run(JSON.parse(line)).catch((error) => ({ error: error.stack }));
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
