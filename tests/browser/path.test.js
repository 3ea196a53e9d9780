// The page below a path of another site, behind a reverse proxy.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';

import { refusal } from './support/network.js';
import { TestServer } from './support/server.js';

const PATH = '/team/chat';

/** A site that forwards what is below `PATH` to the server. All other targets are its own. */
class Site {
  /** Targets outside of `PATH` that were requested. */
  others = [];
  #server;
  #sockets = new Set();
  #reason;

  /** With `strips`, the server gets the targets without `PATH`. */
  static async before(server, { strips }) {
    const site = new Site();
    site.#server = createServer((client) => site.#join(client, server.pagePort, strips));
    site.#server.listen(0, '127.0.0.1');
    await once(site.#server, 'listening');
    site.port = site.#server.address().port;
    return site;
  }

  async close() {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Resets all connections. Responds to all requests with status 503 and `reason`, as a full server does. */
  refuse(reason) {
    this.#reason = reason;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Each connection has one request, because the server closes it after the response. */
  async #join(client, port, strips) {
    this.#add(client);
    const [bytes] = await once(client, 'data').catch(() => []);
    if (!bytes) return client.destroy();
    client.pause();
    const head = bytes.toString('latin1');
    const [, method, target] = /^(\S+) (\S+)/u.exec(head);
    if (!target.startsWith(`${PATH}/`)) {
      this.others.push(target);
      return client.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    }
    if (this.#reason) return client.end(refusal(this.#reason));
    const forwarded = strips ? target.slice(PATH.length) : target;
    const server = connect(port, '127.0.0.1');
    this.#add(server);
    server.write(Buffer.from(head.replace(`${method} ${target}`, `${method} ${forwarded}`), 'latin1'));
    client.pipe(server).pipe(client);
  }

  #add(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

for (const strips of [true, false]) {
  test(`the page works below a path, behind a proxy that ${strips ? 'removes' : 'forwards'} it`, async (t) => {
    const server = await TestServer.start(t, { args: strips ? [] : ['--path', PATH] });
    const site = await Site.before(server, { strips });
    t.after(() => site.close());
    const path = `${PATH}/#kitchen`;
    const ana = await server.openPage({ port: site.port, path });
    const bo = await server.openPage({ port: site.port, path: `${PATH}/` });
    await ana.waitForConversation('#kitchen');
    await ana.rename('ana');
    await bo.followLink('#kitchen');
    await ana.say('Is the kettle on?');
    await bo.waitForMessage('Is the kettle on?', 'ana');

    // The session is stored for this path.
    await ana.reload();
    await ana.waitForMessage('Is the kettle on?', 'ana');
    assert.equal(await ana.nickname(), 'ana');
    const keys = await ana.page.evaluate(() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)]);
    assert.deepEqual(keys.filter((key) => !key.startsWith(`chinwag${PATH}.`)), []);

    await ana.page.getByRole('button', { name: 'Invite' }).click();
    await ana.page.getByRole('dialog').waitFor();
    await ana.page.waitForFunction(() => document.querySelector('#code').naturalWidth > 0);
    const address = await ana.page.locator('#address').textContent();
    assert.equal(address, `http://chat.lan:${site.port}${PATH}/#kitchen`);

    // The icon changes while the page is not in view.
    await ana.setHidden(true);
    await bo.say('It is.');
    await ana.page.waitForFunction(() => document.querySelector('#icon').href.endsWith('/icon-unread.svg'));
    assert.deepEqual(site.others, []);
  });
}

test('below a path, a page that is refused shows the reason', async (t) => {
  const server = await TestServer.start(t);
  const site = await Site.before(server, { strips: true });
  t.after(() => site.close());
  const ana = await server.openPage({ port: site.port, path: `${PATH}/`, outage: true });
  site.refuse('It is full.');
  await ana.page.getByRole('status').filter({ hasText: 'It is full. Trying again…' }).waitFor();
  assert.deepEqual(site.others, []);
});
