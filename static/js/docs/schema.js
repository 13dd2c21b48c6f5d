// JSON Schemas as tables of fields.

import { make } from '../view/dom.js';
import { t } from '../words.js';

/** The name in a reference to a schema. */
export const nameIn = (ref) => ref.split('/').at(-1);

/** A table of the fields of a schema; of one that is no object, its type. */
export function fieldsOf(schema) {
  const fields = Object.entries(schema.properties ?? {});
  if (!fields.length) return make('p', { className: 'hint-text' }, schema.type === 'object' ? t('sockets_no_fields') : typeOf(schema));
  const isNeeded = ([name]) => Boolean(schema.required?.includes(name));
  fields.sort((one, other) => isNeeded(other) - isNeeded(one)); // those first, each in its order
  const rows = fields.map(([name, field]) => {
    const needed = isNeeded([name]) ? make('span', { className: 'needed' }, t('sockets_needed')) : null;
    const meaning = make('td', { lang: 'en' }, describedBy(field));
    return make('tr', {}, make('th', { scope: 'row' }, make('code', {}, name), needed), make('td', {}, typeOf(field)), meaning);
  });
  return table(['sockets_field', 'sockets_type', 'sockets_means'], rows);
}

/** A table of what each code means. */
export function tableOf(codes) {
  const rows = Object.entries(codes).map(([code, means]) => make('tr', {}, make('th', { scope: 'row' }, code), make('td', { lang: 'en' }, means)));
  return table(['sockets_code', 'sockets_means'], rows);
}

function table(heads, rows) {
  const head = make('tr', {}, ...heads.map((key) => make('th', { scope: 'col' }, t(key))));
  return make('table', {}, make('thead', {}, head), make('tbody', {}, ...rows));
}

const describedBy = ({ description, anyOf = [] }) => description ?? anyOf.find((kind) => kind.description)?.description ?? '';

/** The type of a field in words; what has fields of its own is a link to them. */
export function typeOf(schema) {
  const type = make('span', { className: 'type' });
  type.append(...partsOf(schema));
  return type;
}

function partsOf(schema) {
  if (schema.$ref) return [make('a', { href: `#${nameIn(schema.$ref)}` }, nameIn(schema.$ref))];
  if ('const' in schema) return [JSON.stringify(schema.const)];
  const either = schema.anyOf ?? schema.oneOf;
  if (either && !schema.properties) return joined(either.map(partsOf));
  if (schema.enum) return joined(schema.enum.map((value) => [JSON.stringify(value)]));
  if (schema.type === 'array') return around('sockets_list', schema.items ?? {});
  if (schema.type === 'object' && typeof schema.additionalProperties === 'object') return around('sockets_map', schema.additionalProperties);
  if (!schema.type) return [t('sockets_any')];
  const { minimum, maximum } = schema;
  const range = minimum !== undefined && maximum !== undefined ? ` ${minimum}..${maximum}` : minimum !== undefined ? ` ≥ ${minimum}` : '';
  return [[schema.type].flat().join(' | ') + range];
}

function joined(parts) {
  return parts.flatMap((part, index) => (index ? [' | ', ...part] : part));
}

/** The words around a type, which may be a link. */
function around(key, inner) {
  const [before, after] = t(key, { of: '\0' }).split('\0');
  return [before, ...partsOf(inner), after].filter((part) => part !== '');
}

export function exampleOf(value) {
  const text = make('pre', {}, make('code', {}, JSON.stringify(value, null, 2)));
  return make('div', { className: 'example' }, make('p', { className: 'caption' }, t('sockets_example')), text);
}

/** The names of the schemas that others refer to as a part of them, in their order. */
export function named(schemas) {
  const found = new Set();
  const search = (value, isTop) => {
    if (value === null || typeof value !== 'object') return;
    if (typeof value.$ref === 'string' && !isTop) found.add(nameIn(value.$ref));
    for (const [key, part] of Object.entries(value)) if (key !== 'examples') search(part, false);
  };
  for (const [name, schema] of Object.entries(schemas)) if (name !== 'Events') search(schema, true);
  return [...found].sort();
}
