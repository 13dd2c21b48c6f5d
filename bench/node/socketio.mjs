// Node socket.io, doing what the panel does on the default namespace, and its `set_light` on `/panel`; with `--express`,
// `/led` and `/lights` over REST too.

import { createServer } from 'node:http';
import express from 'express';
import { Server } from 'socket.io';

const [port, ...flags] = process.argv.slice(2);
const EPOCH = '12b6a0f5c3d94e7f12b6a0f5c3d94e7f';
let level = 0;
let rev = 0;
let io;

function light(via) {
  return {
    id: 'led', name: 'Light', pin: 21, level, on: level > 0, effect: null, transition: null, actual: level, online: true,
    reason: null, away_since: null, by: { name: 'bench', via }, at: Date.now() / 1000, undo: null, target: level,
  };
}

function inRange(wanted) {
  return Math.min(Math.max(Math.trunc(Number(wanted)), 0), 100);
}

function restApp() {
  const app = express();
  app.use(express.json());
  app.get('/led', (request, response) => response.json({ level }));
  app.post('/led', (request, response) => {
    const wanted = Number(request.body?.level);
    if (!Number.isInteger(wanted) || wanted < 0 || wanted > 100) return response.status(400).json({ message: 'level' });
    level = wanted;
    io.emit('led', { level });
    return response.json({ level });
  });
  app.get('/lights', (request, response) => response.json({
    epoch: EPOCH, rev, lights: { led: light('rest') }, hardware: { pins: 'mock', why: 'there are none', fix: null },
  }));
  app.patch('/lights/led', (request, response) => {
    const wanted = Number(request.body?.level);
    if (!Number.isInteger(wanted) || wanted < 0 || wanted > 100) return response.status(400).json({ message: 'level' });
    level = wanted;
    rev += 1;
    io.emit('led', { level });
    return response.json(light('rest'));
  });
  return app;
}

const http = flags.includes('--express') ? createServer(restApp()) : createServer((request, response) => response.writeHead(404).end());
http.keepAliveTimeout = 75_000;
io = new Server(http, { perMessageDeflate: false, httpCompression: false });

let events = 0;
let heartbeat = null;

io.on('connection', (socket) => {
  let count = 0;
  heartbeat ??= setInterval(() => io.emit('my_response', { data: 'Server generated event', count: ++events }), 10_000);
  socket.on('led', (sent) => {
    level = inRange(sent.level);
    io.emit('led', { level });
  });
  socket.on('my_broadcast_event', ({ data }) => io.emit('my_response', { data, count: ++count }));
  socket.on('my_event', ({ data }, ack) => {
    socket.emit('my_response', { data, count: ++count });
    ack?.();
  });
});

const panel = io.of('/panel');
panel.on('connection', (socket) => {
  socket.on('ask', (asked, ack) => {
    level = inRange(asked.level);
    rev += 1;
    const state = light('panel');
    const event = { rev, event: 'light_changed', light: 'led', by: state.by, at: state.at, state };
    panel.emit('events', { epoch: EPOCH, rev, events: [event] });
    ack({ reply: asked.id, ok: true, rev, light: state });
  });
});

http.listen({ port: Number(port), host: '127.0.0.1', backlog: 2048 });
