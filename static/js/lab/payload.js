// Messages as text for people. It is only ever text: nothing becomes HTML.

const WIDE = 72; // characters that go on one line
const LONG = 4000; // characters of one payload that are shown
const BYTES = 24; // bytes of a binary that are shown

/** The arguments of an event as JSON, on one line if that is short, else indented. */
export function payloadText(args) {
  return args.map((argument) => (isBytes(argument) ? bytesText(argument) : short(json(argument)))).join(', ');
}

/** An Engine.IO packet as it is sent: the digit of its type and its data. */
export function packetText({ type, data }) {
  if (isBytes(data)) return bytesText(data);
  return short(`${ENGINE_TYPES.indexOf(type)}${typeof data === 'string' ? data : data ? JSON.stringify(data) : ''}`);
}

const ENGINE_TYPES = ['open', 'close', 'ping', 'pong', 'message', 'upgrade', 'noop'];

/** "<3 bytes: 00 01 ff>" */
function bytesText(data) {
  const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const shown = [...bytes.slice(0, BYTES)].map((byte) => byte.toString(16).padStart(2, '0'));
  if (bytes.length > BYTES) shown.push('…');
  return `<${bytes.length} bytes${shown.length ? ': ' : ''}${shown.join(' ')}>`;
}

/** "1 MiB", "64 KiB", "11 B" */
export function sizeText(bytes) {
  if (bytes >= 2 ** 20) return `${+(bytes / 2 ** 20).toFixed(2)} MiB`;
  if (bytes >= 2 ** 10) return `${+(bytes / 2 ** 10).toFixed(1)} KiB`;
  return `${bytes} B`;
}

function json(value) {
  const bytesShown = (_, item) => (isBytes(item) ? bytesText(item) : item);
  const line = JSON.stringify(value, bytesShown) ?? 'undefined';
  return line.length <= WIDE ? spaced(JSON.stringify(value, bytesShown, 1)) : JSON.stringify(value, bytesShown, 2);
}

/** Indented JSON on one line: `{"data": "hello", "count": 1}`. */
function spaced(indented) {
  return indented.replace(/([[{])\n\s*/g, '$1').replace(/\n\s*([\]}])/g, '$1').replace(/\n\s*/g, ' ');
}

function short(text) {
  return text.length <= LONG ? text : `${text.slice(0, LONG)} … +${text.length - LONG}`;
}

function isBytes(value) {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}
