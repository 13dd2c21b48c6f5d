// The transport over a native WebSocket, `/live`, with JSON in both directions.

import { ROOT } from './root.js';

export function openWebSocket({ resume, name, follow, received, closed }) {
  const url = new URL(`${ROOT}/live`, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  if (name) url.searchParams.set('name', name);
  if (follow.length) url.searchParams.set('follow', follow.join(','));
  if (resume) {
    url.searchParams.set('epoch', resume.epoch);
    url.searchParams.set('rev', resume.rev);
  }
  const socket = new WebSocket(url);
  const waiting = new Map();
  let lastId = 0;
  let refused = null;

  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (!('reply' in frame)) return received(frame);
    if (frame.reply === null) refused = frame.problem; // the reply to no command: the connection itself is refused
    waiting.get(frame.reply)?.(frame);
    waiting.delete(frame.reply);
  };
  socket.onclose = ({ code }) => closed({ restarting: code === 1012, refused }); // RFC 6455 registry: service restart

  return {
    exchange(command) {
      const id = (lastId += 1);
      socket.send(JSON.stringify({ ...command, id }));
      return new Promise((resolve) => waiting.set(id, resolve));
    },
    close() {
      socket.onmessage = socket.onclose = null;
      socket.close();
    },
  };
}
