// A client of meridian.v1 on Node's `ws`, for scripts/demo. It takes its task as JSON in its first
// argument and tells what happens as JSON lines; it runs until its standard input ends.
// Times are of the monotonic clock, in ms, which all processes of a machine share.
'use strict';
const WebSocket = require('ws');

const task = JSON.parse(process.argv[2]);
const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;
const tell = (event) => process.stdout.write(JSON.stringify(event) + '\n');

let socket = null;
let cursor = null;
let turn = 0;
let ready = false;
let ackTimer = null;
const waiting = new Map(); // id -> the send that has no outcome yet

function transmit(send) {
  if (!ready) return;
  send.tried = now();
  socket.send(JSON.stringify({ t: 'send', id: send.id, to: send.to, body: send.body }));
}

function onFrame(frame) {
  if (frame.t === 'welcome') {
    ready = true;
    tell({ e: 'open', t: now(), resumed: frame.resumed, edge: frame.edge });
    for (const send of waiting.values()) transmit(send);
  } else if (frame.t === 'accepted') {
    const send = waiting.get(frame.id);
    if (send) tell({ e: 'accepted', to: send.to, n: send.body.n, t: now() });
    waiting.delete(frame.id);
  } else if (frame.t === 'rejected') {
    const send = waiting.get(frame.id);
    if (send && frame.retryable) setTimeout(() => transmit(send), 100);
    else if (send) tell({ e: 'rejected', to: send.to, n: send.body.n, code: frame.code });
  } else if (frame.t === 'msg') {
    cursor = frame.cursor;
    tell({ e: 'got', from: frame.from, n: frame.body.n, t: now() });
    if (ackTimer === null) {
      ackTimer = setTimeout(() => {
        ackTimer = null;
        if (ready) socket.send(JSON.stringify({ t: 'ack', cursor }));
      }, 50);
    }
  }
}

function connect() {
  const url = task.edges[turn++ % task.edges.length].replace('http:', 'ws:') + '/ws';
  const mine = new WebSocket(url, 'meridian.v1', { handshakeTimeout: 3000 });
  socket = mine;
  mine.on('open', () => {
    const hello = { t: 'hello', user: task.user, device: 'node' };
    if (cursor !== null) hello.cursor = cursor;
    mine.send(JSON.stringify(hello));
  });
  mine.on('message', (data) => onFrame(JSON.parse(data.toString())));
  mine.on('error', () => {});
  mine.on('close', () => {
    if (ready) tell({ e: 'closed', t: now() });
    ready = false;
    setTimeout(connect, 100);
  });
}

function talk() {
  let n = 0;
  const timer = setInterval(() => {
    if (n === task.count) {
      clearInterval(timer);
      return;
    }
    n++;
    for (const to of task.to) {
      const send = { id: `${task.user}-${to}-${n}`, to, body: { n } };
      waiting.set(send.id, send);
      tell({ e: 'sent', to, n, t: now() });
      transmit(send);
    }
  }, task.every_ms);
}

// What has no outcome after 10 s is unknown: it is sent again with the same id.
setInterval(() => {
  for (const send of waiting.values()) if (now() - (send.tried || 0) > 10000) transmit(send);
}, 500);
process.stdin.resume();
process.stdin.on('data', (data) => { if (data.toString().includes('go')) talk(); });
process.stdin.on('end', () => process.exit(0));
connect();
