// Node's `ws` as most use it, to hold an edge against: sends back each message.
//
//   node echo_ws.js HOST PORT
//
// Ends with its standard input.
const { WebSocketServer } = require("ws");

const [host, port] = process.argv.slice(2);
const server = new WebSocketServer({ host, port: Number(port), backlog: 4096 });
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
process.stdin.on("end", () => process.exit(0)).resume();
