// A peer made with the ws package. It reads commands, one JSON object per line,
// and answers each with a line of JSON. python/peer.py understands the same.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createInterface } from "node:readline";
import { WebSocket, WebSocketServer } from "ws";

// Client

// deflate has the parameters of permessage-deflate; none: what ws does by itself.
const deflateOptions = ({ serverNoTakeover, clientNoTakeover, serverBits, clientBits }) => ({
  serverNoContextTakeover: serverNoTakeover, clientNoContextTakeover: clientNoTakeover,
  serverMaxWindowBits: serverBits, clientMaxWindowBits: clientBits, threshold: 0,
});

async function dial({ url, protocols = [], ca, deflate }) {
  const options = { ca: ca && readFileSync(ca) };
  if (deflate) options.perMessageDeflate = deflateOptions(deflate);
  const ws = new WebSocket(url, protocols, options);
  const queue = [];
  let wake = () => {};
  ws.on("message", (data, isBinary) => { queue.push({ data, isBinary }); wake(); });
  ws.ended = new Promise((resolve) =>
    ws.on("close", (code, reason) => { resolve({ code, reason: reason.toString() }); wake(); }));
  ws.next = async () => {
    while (queue.length === 0) {
      if (ws.readyState === WebSocket.CLOSED) throw new Error("closed while waiting for a message");
      await new Promise((resolve) => (wake = resolve));
    }
    return queue.shift();
  };
  await new Promise((resolve, reject) => ws.on("open", resolve).on("error", reject));
  return ws;
}

const text = (size) => Buffer.from("aé€😀".repeat(size / 10) + "x".repeat(size % 10));
const binary = (size) => Buffer.from({ length: size }, (_, i) => i * 7 + size);
const make = (size, isBinary) => (isBinary ? binary(size) : text(size));

async function expect(ws, want, wantBinary) {
  const { data, isBinary } = await ws.next();
  if (isBinary !== wantBinary || !data.equals(want)) {
    throw new Error(`sent ${want.length} bytes, binary ${wantBinary}; got ${data.length}, binary ${isBinary}`);
  }
}

async function finish(ws) {
  ws.close(1000);
  return ws.ended;
}

const commands = {
  // Sends messages of the sizes, each after the echo of the one before.
  async echo({ sizes, ...to }) {
    const ws = await dial(to);
    for (const size of sizes) {
      for (const isBinary of [true, false]) {
        const data = make(size, isBinary);
        ws.send(data, { binary: isBinary });
        await expect(ws, data, isBinary);
      }
    }
    return { protocol: ws.protocol, extensions: ws.extensions, ...(await finish(ws)) };
  },

  // Sends all messages and then looks at the echoes.
  async batch({ sizes, ...to }) {
    const ws = await dial(to);
    sizes.forEach((size, i) => ws.send(make(size, i % 2 === 0), { binary: i % 2 === 0 }));
    for (const [i, size] of sizes.entries()) await expect(ws, make(size, i % 2 === 0), i % 2 === 0);
    return finish(ws);
  },

  // Sends one message in fragments of the sizes, with pings between them.
  async fragments({ sizes, ...to }) {
    const ws = await dial(to);
    for (const isBinary of [true, false]) {
      const data = make(sizes.reduce((a, b) => a + b), isBinary);
      let at = 0;
      sizes.forEach((size, i) => {
        ws.send(data.subarray(at, (at += size)), { binary: isBinary, fin: i === sizes.length - 1 });
        ws.ping();
      });
      await expect(ws, data, isBinary);
    }
    return finish(ws);
  },

  async ping({ payload, ...to }) {
    const ws = await dial(to);
    const pong = new Promise((resolve) => ws.on("pong", resolve));
    ws.ping(payload);
    const got = (await pong).toString();
    await finish(ws);
    return { payload: got };
  },

  // Closes, with no code if there is none, and returns what came back.
  async close({ code, reason, ...to }) {
    const ws = await dial(to);
    ws.close(code, reason);
    return ws.ended;
  },

  // Waits for the server to close.
  async closed(to) {
    return (await dial(to)).ended;
  },

  async toobig({ size, ...to }) {
    const ws = await dial(to);
    ws.send(binary(size));
    return ws.ended;
  },

  // Goes away without a close frame, after an echo.
  async terminate(to) {
    const ws = await dial(to);
    ws.send("last words");
    await ws.next();
    ws.terminate();
    return ws.ended;
  },

  // Opens a server.
  async listen({ cert, key, deflate }) {
    const server = cert
      ? https.createServer({ cert: readFileSync(cert), key: readFileSync(key) })
      : http.createServer();
    const perMessageDeflate = deflate ? deflateOptions(deflate) : false;
    const wss = new WebSocketServer({ server, perMessageDeflate, handleProtocols: (offered) => offered.has("chat.v2") && "chat.v2" });
    wss.on("connection", serve);
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { port: server.address().port };
  },

  // Waits for the end of the server's connection with ?id=.
  async ended({ id }) {
    return ending(id).promise;
  },
};

// Server

const endings = new Map();
function ending(id) {
  if (!endings.has(id)) {
    const e = {};
    e.promise = new Promise((resolve) => (e.resolve = resolve));
    endings.set(id, e);
  }
  return endings.get(id);
}

function serve(ws, request) {
  const { pathname, searchParams: q } = new URL(request.url, "http://peer");
  const n = Number(q.get("n"));
  let echoes = 0;
  ws.on("close", (code, reason) => ending(q.get("id")).resolve({ code, reason: reason.toString(), echoes }));
  ws.on("error", () => {}); // close follows
  switch (pathname) {
    case "/echo":
      return ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
    case "/fragments": // echoes in fragments of n bytes
      return ws.on("message", (data, isBinary) => {
        for (let at = 0; at < data.length; at += n) {
          ws.send(data.subarray(at, at + n), { binary: isBinary, fin: at + n >= data.length });
          ws.ping();
        }
      });
    case "/batch": // n messages at once; counts their echoes, which are -1 from a wrong one on
      ws.on("message", (data, isBinary) => {
        echoes = !isBinary && data.toString() === `message ${echoes}` ? echoes + 1 : -1;
      });
      for (let i = 0; i < n; i++) ws.send(`message ${i}`);
      return;
    case "/ping": // sends the pong's payload as a message
      ws.on("pong", (data) => ws.send(data.toString()));
      return ws.ping(q.get("payload"));
    case "/close":
      return ws.close(q.has("code") ? Number(q.get("code")) : undefined, q.get("reason") ?? undefined);
    case "/terminate":
      return ws.on("message", () => ws.terminate());
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { run, ...args } = JSON.parse(line);
  const answer = await commands[run](args).catch((e) => ({ error: `${e.code ?? ""} ${e.stack}` }));
  console.log(JSON.stringify(answer));
}
process.exit(0);
