// Engine.IO 3's own parsers, of Socket.IO 1 and 2: a list of jobs on stdin, a list of answers on stdout, both JSON.
//
//   {"do": "encode", "parser": 1 | 2, "binary": true, "packets": […]}: the body, as base64
//   {"do": "decode", "parser": 1 | 2, "binary": true, "body"}: its packets
//
// A packet is {"type": "message", "data"}; bytes are {"base64": …}.

import parser1 from "engine.io-parser-1";
import parser2 from "engine.io-parser-2";
import { text } from "node:stream/consumers";

const parsers = { 1: parser1, 2: parser2 };

const work = {
  encode({ parser, binary, packets }) {
    const revived = packets.map(({ type, data }) => ({ type, data: data?.base64 ? Buffer.from(data.base64, "base64") : data }));
    let body;
    parsers[parser].encodePayload(revived, binary, (encoded) => (body = encoded));
    return Buffer.from(body).toString("base64");
  },

  decode({ parser, binary, body }) {
    const bytes = Buffer.from(body, "base64");
    const packets = [];
    parsers[parser].decodePayload(binary ? bytes : bytes.toString(), ({ type, data }) => {
      packets.push({ type, data: Buffer.isBuffer(data) ? { base64: data.toString("base64") } : data });
    });
    return packets;
  },
};

console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map((job) => work[job.do](job))));
