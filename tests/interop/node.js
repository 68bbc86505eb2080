// SPDX-License-Identifier: MIT
// node.js listen|connect PATH COUNT: talks over a socket's path or a byte pipe in mayfly's frames, by Node's own libuv.
// The one that listens says so, and sends every message back until its peer leaves; the one that connects sends COUNT
// messages of growing size, wants each back, and leaves. What came of it is the exit status: 0, or 1 with the reason on
// stderr.
'use strict';
const net = require('net');

function frame(message) {
  const header = Buffer.alloc(4);
  header.writeInt32BE(message.length);
  return Buffer.concat([header, message]);
}

// Calls `deliver` with each whole message.
function read(socket, deliver) {
  let buffered = Buffer.alloc(0);
  socket.on('data', (data) => {
    buffered = Buffer.concat([buffered, data]);
    while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
      const end = 4 + buffered.readInt32BE(0);
      deliver(buffered.subarray(4, end));
      buffered = buffered.subarray(end);
    }
  });
}

function fail(error) {
  console.error(String(error));
  process.exit(1);
}

function listen(pipe) {
  const server = net.createServer((socket) => {
    read(socket, (message) => socket.write(frame(message)));
    socket.on('error', fail);
    socket.on('close', () => process.exit(0));
  });
  server.on('error', fail);
  server.listen(pipe, () => console.log('listening'));
}

function connect(pipe, count) {
  const socket = net.connect(pipe);
  const message = (number) => Buffer.alloc(number * number * 10, number);
  let next = 0;
  read(socket, (answer) => {
    if (!answer.equals(message(next))) fail(`message ${next} came back with ${answer.length} bytes`);
    if (++next === count) process.exit(0);
    socket.write(frame(message(next)));
  });
  socket.on('error', fail);
  socket.on('close', () => fail('the peer left'));
  socket.on('connect', () => socket.write(frame(message(0))));
}

const [what, pipe, count] = process.argv.slice(2);
what === 'listen' ? listen(pipe) : connect(pipe, Number(count));
