// Node socket.io, doing what the panel does on the default namespace; with `--express`, `/led` over REST too.

import { createServer } from 'node:http';
import express from 'express';
import { Server } from 'socket.io';

const [port, ...flags] = process.argv.slice(2);
let level = 0;
let io;

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
    level = Math.min(Math.max(Math.trunc(Number(sent.level)), 0), 100);
    io.emit('led', { level });
  });
  socket.on('my_broadcast_event', ({ data }) => io.emit('my_response', { data, count: ++count }));
  socket.on('my_event', ({ data }, ack) => {
    socket.emit('my_response', { data, count: ++count });
    ack?.();
  });
});

http.listen({ port: Number(port), host: '127.0.0.1', backlog: 2048 });
