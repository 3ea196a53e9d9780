// What stands between a page and its server, and changes what they say.

/**
 * For `prepare` of a visit. `request` and `event` get what the page asks and what
 * the server says, and `ways`: `tell(event)` the page, `ask(request)` the server,
 * `close({ code, reason })` the connection. True if they have dealt with it. What
 * is returned has in `requests` what the page has asked.
 */
export function between({ request, event }) {
  const requests = [];
  const prepare = (page) =>
    page.routeWebSocket(/./u, (socket) => {
      const server = socket.connectToServer();
      const ways = {
        tell: (event) => socket.send(JSON.stringify(event)),
        ask: (request) => server.send(JSON.stringify(request)),
        close: async (options) => {
          await socket.close(options);
          await server.close();
        },
      };
      const pass = (handle, on) => (frame) => handle?.(JSON.parse(frame), ways) || on.send(frame);
      const isOurs = pass(request, server);
      socket.onMessage((frame) => {
        requests.push(JSON.parse(frame));
        isOurs(frame);
      });
      server.onMessage(pass(event, socket));
    });
  return Object.assign(prepare, { requests });
}
