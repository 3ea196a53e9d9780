// The page of the Lisp tutorial with which this chat began: a list, an input,
// and a socket to port 12345 of localhost, in the style of its day. It is
// served from a port of its own, as a developer following the tutorial would.

import { once } from 'node:events';
import { createServer } from 'node:http';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <link rel="icon" href="data:,">
    <title>Chat in Lisp</title>
  </head>
  <body>
    <ul id="echo"></ul>
    <div><input id="input" placeholder="say something"></div>
    <script>
      window.onload = function () {
        var echo = document.getElementById('echo');
        var input = document.getElementById('input');
        var socket = new WebSocket('ws://localhost:12345/');

        socket.addEventListener('message', function (event) {
          var item = document.createElement('li');
          item.textContent = event.data;
          echo.appendChild(item);
        });

        input.addEventListener('keyup', function (event) {
          if (event.key !== 'Enter') return;
          socket.send(input.value);
          input.value = '';
        });
      };
    </script>
  </body>
</html>
`;

/** Serves the page on a free port of loopback. */
export async function serveTutorial() {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
    response.end(PAGE);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
