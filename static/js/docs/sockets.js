// The page of the sockets: what `/asyncapi.json` says, as a list of messages. Each shows its fields when it is opened.

import './words.js';
import { ROOT } from '../root.js';
import { make } from '../view/dom.js';
import { t, translate } from '../words.js';
import { exampleOf, fieldsOf, named, nameIn, tableOf } from './schema.js';

translate(document);

const trouble = document.getElementById('sockets-trouble');
const box = document.getElementById('channels');
const tagOf = ([, { tags }]) => tags?.[0].name;

fetch(`${ROOT}/asyncapi.json`)
  .then((answer) => answer.json())
  .then(show)
  .catch(() => {
    trouble.textContent = t('sockets_failed');
    trouble.hidden = false;
  });

function show(asyncapi) {
  const at = (ref) => ref.slice(2).split('/').reduce((part, name) => part[name], asyncapi);
  const messageOf = (ref) => at(at(ref).$ref);
  for (const [name, channel] of Object.entries(asyncapi.channels)) {
    if (name === 'panel') continue; // as /live
    const ways = Object.entries(asyncapi.operations).filter(([, { channel }]) => channel.$ref === `#/channels/${name}`);
    const takes = ways.filter(([, { action }]) => action === 'receive');
    const sends = ways.filter(([, { action }]) => action === 'send');
    const section = make('section', { className: 'tile channel', id: name }, ...headOf(name, channel, asyncapi));
    section.setAttribute('aria-labelledby', `${name}-title`);
    section.append(make('h3', {}, t('sockets_takes')));
    for (const tag of new Set(takes.map(tagOf))) {
      if (tag) section.append(make('h4', {}, t(`sockets_tag_${tag}`)));
      const group = takes.filter((way) => tagOf(way) === tag);
      section.append(...group.map(([id, way]) => taken(id, way, messageOf, at)));
    }
    section.append(make('h3', {}, t('sockets_sends')));
    for (const [id, way] of sends) section.append(...way.messages.map(({ $ref }) => sent(id, way, messageOf($ref), at)));
    if (name === 'live') {
      const { events } = at('#/components/schemas/Events').properties;
      section.append(make('h3', {}, t('sockets_events')), ...events.items.oneOf.map(({ $ref }) => event(nameIn($ref), at($ref))));
    }
    box.append(section);
  }
  box.append(objects(asyncapi));
  addEventListener('hashchange', open);
  open();
}

/** Open the message that the address names. */
function open() {
  const item = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!(item instanceof HTMLDetailsElement)) return;
  item.open = true;
  item.scrollIntoView({ block: 'start' });
}

function headOf(name, channel, { servers }) {
  const server = servers[nameIn(channel.servers[0].$ref)];
  const isSocketIO = server.protocol === 'socketio';
  const before = isSocketIO ? 'Socket.IO ' : `${server.protocol}://${server.host}`;
  const head = [
    make('h2', { id: `${name}-title` }, t(`sockets_${name}`)),
    make('p', { className: 'address' }, make('code', {}, before + channel.address)),
    make('p', { className: 'hint-text', lang: 'en' }, channel.description),
  ];
  if (name === 'live') head.push(make('p', { className: 'hint-text' }, t('sockets_same')));
  const query = channel.bindings?.ws.query;
  if (query) head.push(folded(`${name}-query`, [t('sockets_query')], () => [fieldsOf(query)]));
  const codes = channel['x-close-codes'];
  if (codes) head.push(folded(`${name}-codes`, [t('sockets_codes')], () => [tableOf(codes)]));
  return head;
}

/** A part whose content is made when it is opened. */
function folded(id, summary, content) {
  const details = make('details', { id }, make('summary', {}, ...summary));
  details.addEventListener('toggle', () => details.append(make('div', { className: 'inside' }, ...content())), { once: true });
  return details;
}

/** A message or an object: its name, if it has one, a line of words, and the role that it needs, if any. */
function item(id, name, words, content, role) {
  const parts = [
    name ? make('code', {}, name) : null,
    make('span', { className: 'words', lang: 'en' }, words ?? ''),
    role ? make('span', { className: 'role' }, t('sockets_role', { role })) : null,
  ];
  return folded(id, parts.filter((part) => part !== null), content);
}

/** What a client sends. A message without a name, as on the old WebSockets, is its words. */
function taken(id, way, messageOf, at) {
  const message = messageOf(way.messages[0].$ref);
  const isCommand = Boolean(message.correlationId);
  const name = isCommand ? message.name : way['x-socketio']?.event;
  const content = () => {
    const parts = contentOf(message, at);
    if (isCommand) parts.push(make('h4', {}, t('sockets_reply')), ...contentOf(messageOf(way.reply.messages[0].$ref), at));
    else if (way.reply) parts.push(make('p', { className: 'hint-text' }, t('sockets_ack')));
    return parts;
  };
  return item(id, name, way.summary, content, way['x-role']);
}

function sent(id, way, message, at) {
  const isNative = way.messages.length > 1;
  const name = isNative ? message.name : way['x-socketio']?.event;
  return item(isNative ? `${id}_${name}` : id, name, isNative ? message.summary : way.summary, () => contentOf(message, at));
}

function event(id, schema) {
  return item(id, schema.properties.event.const, schema.description, () => [fieldsOf(schema), exampleOf(schema.examples[0])]);
}

function contentOf({ payload, examples }, at) {
  const example = examples?.[0].payload ?? null; // an event may have no argument
  return [fieldsOf(at(payload.$ref)), ...(example === null ? [] : [exampleOf(example)])];
}

/** What the messages have in them: lights, runs, people … */
function objects({ components: { schemas } }) {
  const section = make('section', { className: 'tile channel', id: 'objects' }, make('h2', { id: 'objects-title' }, t('sockets_objects')));
  section.setAttribute('aria-labelledby', 'objects-title');
  for (const name of named(schemas)) {
    section.append(item(name, name, schemas[name].description, () => [fieldsOf(schemas[name])]));
  }
  return section;
}
