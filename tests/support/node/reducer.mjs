// Runs the pages' reducers. A line on stdin is `{path, view, state, events, language}`; the line on stdout is what `view`
// says of the last state, or `{error}`. `view` is the source of a function of the page's module, the last state, and whether
// the last event left the very same one.
//
// Every state is frozen before the next event, so that a reducer which writes into one throws.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const modules = new Map();

/** The module of this path, for a page in this language: its words ask for that when they are loaded. */
function load(path, language) {
  const key = `${language} ${path}`;
  Object.defineProperty(globalThis, 'navigator', { value: { languages: [language] }, configurable: true });
  if (!modules.has(key)) modules.set(key, import(urlOf(path, language)));
  return modules.get(key);
}

/** A data: URL of the module and of those it imports. It is always a module; a .js file without a package.json is not. */
function urlOf(path, language) {
  const urlBeside = (name) => urlOf(join(dirname(path), name), language);
  const source = readFileSync(path, 'utf8').replace(/from '(\.[^']+)'/g, (_, name) => `from '${urlBeside(name)}'`);
  return `data:text/javascript;base64,${Buffer.from(`${source}\n// ${language}`).toString('base64')}`;
}

function frozen(value) {
  const open = value && typeof value === 'object' && !Object.isFrozen(value);
  if (open) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

async function run({ path, view, state, events, language }) {
  const page = await load(path, language);
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
