// Stock Socket.IO JavaScript clients, old and new, driven over a pipe: one command a line on stdin, one report a
// line on stdout, both JSON. A socket is known by the number its `connect` command gives it.
//
//   {"do": "connect", "socket": 1, "url", "version": "1" … "4", "transport", "namespace", "options": {…}}
//       the transport "upgrade" polls and then changes to a WebSocket
//   {"do": "emit", "socket": 1, "event", "args": […], "ack": 7 | null}
//   {"do": "disconnect" | "reconnect", "socket": 1}
//   {"do": "forget", "socket": 0}: leave with every socket, and answer {"socket": 0, "is": "forgotten"} as the last report
//
//   {"socket": 1, "is": "connect", "args": [recovered, id]}
//   {"socket": 1, "is": "upgrade", "args": []}
//   {"socket": 1, "is": "disconnect" | "connect_error", "args": [reason]}
//   {"socket": 1, "is": "event", "event", "args": […]}      {"socket": 1, "is": "ack", "ack": 7, "args": […]}
//
// Bytes are {"type": "Buffer", "data": […]} in both directions, as Node writes them.

import { createInterface } from "node:readline";
import io1 from "socket.io-client-1";
import io20 from "socket.io-client-2.0";
import io22 from "socket.io-client-2.2";
import io25 from "socket.io-client-2.5";
import { io as io3 } from "socket.io-client-3";
import { io as io4 } from "socket.io-client-4";

const libraries = { 1: io1, "2.0": io20, 2.2: io22, 2.5: io25, 3: io3, 4: io4 };
const sockets = new Map();

const report = (socket, is, more = {}) => process.stdout.write(JSON.stringify({ socket, is, ...more }) + "\n");

// Versions 1 and 2 cannot listen to every event.
function hearAll(socket, heard) {
  const onevent = socket.onevent;
  socket.onevent = function (packet) {
    heard(...packet.data);
    onevent.call(this, packet);
  };
}

const bytes = (key, value) => (value?.type === "Buffer" ? Buffer.from(value.data) : value);

const commands = {
  connect({ socket: number, url, version, transport, namespace, options }) {
    const transports = transport === "upgrade" ? ["polling", "websocket"] : [transport];
    const socket = libraries[version](url + namespace, { transports, forceNew: true, ...options });
    sockets.set(number, socket);
    socket.io.on("open", () => socket.io.engine.once("upgrade", () => report(number, "upgrade", { args: [] })));
    socket.on("connect", () => report(number, "connect", { args: [Boolean(socket.recovered), socket.id] }));
    socket.on("disconnect", (reason) => report(number, "disconnect", { args: [reason] }));
    socket.on("connect_error", (error) => report(number, "connect_error", { args: [error.message] }));
    socket.on("error", (refused) => report(number, "connect_error", { args: [refused.message ?? refused] })); // 1 and 2
    if (socket.onAny) socket.onAny((event, ...args) => report(number, "event", { event, args }));
    else hearAll(socket, (event, ...args) => report(number, "event", { event, args }));
  },

  emit({ socket: number, event, args, ack }) {
    const socket = sockets.get(number);
    const answered = (...answer) => sockets.get(number) === socket && report(number, "ack", { ack, args: answer });
    socket.emit(event, ...args, ...(ack === null ? [] : [answered]));
  },

  reconnect({ socket: number }) {
    sockets.get(number).disconnect().connect();
  },

  disconnect({ socket: number }) {
    sockets.get(number).disconnect();
    sockets.delete(number);
  },

  forget() {
    for (const socket of sockets.values()) {
      socket.offAny?.();
      socket.off();
      socket.disconnect();
    }
    sockets.clear();
    report(0, "forgotten");
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line, bytes);
    commands[command.do](command);
  })
  .on("close", () => process.exit(0));
