// Reads pairs of JavaScript texts as JSON lines from stdin, and says for each whether both have the same tokens, by acorn.
import { tokenizer } from 'acorn';
import { createInterface } from 'node:readline';

const tokensOf = (text) =>
  [...tokenizer(text, { ecmaVersion: 'latest', sourceType: 'module' })].map(({ type, value }) => [type.label, String(value)]);

for await (const line of createInterface({ input: process.stdin })) {
  const [one, other] = JSON.parse(line).map((text) => JSON.stringify(tokensOf(text)));
  console.log(JSON.stringify(one === other));
}
