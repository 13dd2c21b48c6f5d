// Node `ws`, doing what the panel does on `/live`: one sets the light, everybody is told.

import { WebSocketServer } from 'ws';

const EPOCH = '12b6a0f5c3d94e7f';
const state = {
  id: 'led', name: 'Light', pin: 21, level: 0, on: true, effect: null, transition: null, actual: 0, online: true,
  reason: null, away_since: null, by: { name: 'bench', via: 'live' }, at: 0, undo: { level: 0, on: true, effect: null }, target: 0,
};
let rev = 0;

const server = new WebSocketServer({
  port: Number(process.argv[2]), host: '127.0.0.1', backlog: 2048, perMessageDeflate: false,
});

function setLight(sent) {
  const level = Math.min(Math.max(Math.trunc(Number(sent)), 0), 100);
  rev += 1;
  Object.assign(state, { level, target: level, actual: level, at: Date.now() / 1000 });
  const event = { rev, event: 'light_changed', light: 'led', by: state.by, at: state.at, state };
  return JSON.stringify({ epoch: EPOCH, rev, events: [event] });
}

server.on('connection', (socket) => {
  socket.send(JSON.stringify({ epoch: EPOCH, rev, state: { lights: { led: state } } }));
  socket.on('message', (text) => {
    const asked = JSON.parse(text);
    if (asked.do === 'ping') return socket.send(JSON.stringify({ reply: asked.id, ok: true }));
    const event = setLight(asked.level);
    for (const client of server.clients) client.send(event);
    socket.send(JSON.stringify({ reply: asked.id, ok: true, rev, light: state }));
  });
});
