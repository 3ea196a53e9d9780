// What becomes of the texts that people write: links, code, emphasis, emoji
// and mentions.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './support/browser.js';
import { renderer } from './support/renderer.js';

const ATTRIBUTES = 'rel="noopener noreferrer nofollow" target="_blank"';

let browser;

before(async () => {
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
});

test('an address becomes a link, without the sentence around it', async (t) => {
  const render = await renderer(t, browser);
  const link = (typed, href = typed) => `<a href="${href}" ${ATTRIBUTES}>${typed}</a>`;

  await render.all({
    'http://a.example/': link('http://a.example/'),
    'see https://a.example/b?c=d#e.': `see ${link('https://a.example/b?c=d#e')}.`,
    'HTTP://A.example': link('HTTP://A.example', 'http://a.example/'),
    'http://192.168.1.20:8080/': link('http://192.168.1.20:8080/'),
    '(http://a.example/b)': `(${link('http://a.example/b')})`,
    'http://a.example/b_(c)': link('http://a.example/b_(c)'),
    '(http://a.example/b_(c)),': `(${link('http://a.example/b_(c)')}),`,
    '[x](http://a.example/)': `[x](${link('http://a.example/')})`,
    '<http://a.example/>': `&lt;${link('http://a.example/')}&gt;`,
    '“http://a.example/”…': `“${link('http://a.example/')}”…`,
    '*http://a.example/b_c_d*': `<strong>${link('http://a.example/b_c_d')}</strong>`,
    'http://a.example/*b* http://b.example/:joy:': `${link('http://a.example/*b')}* ${link('http://b.example/:joy')}:`,
    '看http://a.example/，好的': `看${link('http://a.example/')}，好的`,
    'http://bücher.example/': link('http://bücher.example/', 'http://xn--bcher-kva.example/'),
  });
});

test('what hides where it leads, or leads elsewhere, stays text', async (t) => {
  const render = await renderer(t, browser);
  await render.unchanged(
    'http://bank.example@evil.example/',
    'http://a:b@evil.example/',
    'http:////a@evil.example/',
    'http://bank.example%2f@evil.example/',
    'http://bank.example%40evil.example/',
    'http://',
    'http://.',
    'xhttp://a.example/',
    'javascript:alert(1)',
    'ftp://a.example/',
    'www.a.example',
  );
  await render.all({
    'http://a.example\\@b.example/': `<a href="http://a.example/" ${ATTRIBUTES}>http://a.example</a>\\@b.example/`,
    'http://a.example/\u2067b': `<a href="http://a.example/" ${ATTRIBUTES}>http://a.example/</a>\u2067b`,
  });
});

test('code is shown as it is', async (t) => {
  const render = await renderer(t, browser);
  await render.all({
    'a `b *c* :joy: http://d.example/ <e>` f': 'a <code>b *c* :joy: http://d.example/ &lt;e&gt;</code> f',
    '```a```': '<pre><code>a</code></pre>',
    'a\n```\n  b\n\nc `d` *e*\n```\nf': 'a<pre><code>  b\n\nc `d` *e*</code></pre>f',
    '```rust\nfn main() {}\n```': '<pre><code>fn main() {}</code></pre>',
    '```ls\n```': '<pre><code>ls</code></pre>',
    '```two words\nb```': '<pre><code>two words\nb</code></pre>',
    '*a `b` c*': '<strong>a <code>b</code> c</strong>',
    '*a `b* c` d': '*a <code>b* c</code> d',
    '*a ```b``` c*': '*a <pre><code>b</code></pre> c*',
  });
  await render.unchanged('`', '``', '```', '``````', '```\n```', 'it`s', '`a\nb`', '```a');
});

test('emphasis begins and ends where words do, on one line', async (t) => {
  const render = await renderer(t, browser);
  await render.all({
    '*a b*': '<strong>a b</strong>',
    '**a b**': '<strong>a b</strong>',
    '_a b_': '<em>a b</em>',
    '*a _b_ c*': '<strong>a <em>b</em> c</strong>',
    '_*a*_!': '<em><strong>a</strong></em>!',
    '*_a*_': '<strong>_a</strong>_',
    '*a *b*': '*a <strong>b</strong>',
    '(*a*), "_b_"': '(<strong>a</strong>), "<em>b</em>"',
    '_snake_case_': '<em>snake_case</em>',
    '这是*重点*吗': '这是<strong>重点</strong>吗',
    '_*_': '<em>*</em>',
  });
  await render.unchanged(
    'snake_case_name',
    '2*3*4',
    '2 * 3 * 4',
    '* a\n* b',
    '*a\nb*',
    '__init__',
    '***',
    'f(*a, **b)',
    '/*a*/',
    '¯\\_(ツ)_/¯',
    'é*é*é',
    '𝐀_𝐀_𝐀',
    '~/_a_/b',
  );
});

test('emoji have names', async (t) => {
  const render = await renderer(t, browser);
  await render.all({
    ':joy:': '😂',
    'so :+1: :TADA:!': 'so 👍 🎉!',
    ':heart::rocket:': '❤️🚀',
    '*:fire:*': '<strong>🔥</strong>',
    ':nothing:joy:': ':nothing:joy:',
    ':nothing::joy:': ':nothing:😂',
  });
  await render.unchanged(':nothing:', 'at 10:100:20', ': joy :', ':constructor:', ':__proto__:');

  const matching = await render.page.evaluate(async () => (await import('/emoji.js')).emojiMatching('Thumbs'));
  assert.deepEqual(matching, ['👍', '👎']);
});

test('our nickname is marked where it is a word', async (t) => {
  const render = await renderer(t, browser);
  const mark = (text) => `<mark class="mention">${text}</mark>`;

  await render.all(
    {
      ana: mark('ana'),
      'ANA?': `${mark('ANA')}?`,
      '@ana: hello': `${mark('@ana')}: hello`,
      "*ana*'s": `<strong>${mark('ana')}</strong>'s`,
      '_ana_': `<em>${mark('ana')}</em>`,
      你好ana吗: `你好${mark('ana')}吗`,
      'ana ana': `${mark('ana')} ${mark('ana')}`,
    },
    'ana',
  );
  await render.all({ '`ana`': '<code>ana</code>' }, 'ana');
  const others = ['banana', 'anab', 'ana2', 'anä', 'ana\u0308', 'bo@ana', 'guest-ana', 'ana_b', 'b_ana', 'aña', ''];
  for (const text of others) {
    assert.equal(await render.html(text, 'ana'), text);
  }
  await render.all({ 'Élodie, élodie': `${mark('Élodie')}, ${mark('élodie')}` }, 'élodie');
  await render.all({ 问小明吧: `问${mark('小明')}吧` }, '小明');
  await render.all({ 'a.*b a--b': `${mark('a.*b')} a--b` }, 'a.*b');
  for (const nick of ['*a*', '[b]', '(?<c>.', '\\', '|', 'a b', '🦊', '-/-', '{2}', '^$']) {
    const marked = mark(nick.replace('<', '&lt;').replace('>', '&gt;'));
    await render.all({ [`hey ${nick}, you`]: `hey ${marked}, you` }, nick);
  }

  const mentioned = (text, nick) =>
    render.page.evaluate(async ([text, nick]) => (await import('/markup.js')).mentionsMe(text, nick), [text, nick]);
  assert.deepEqual(
    await Promise.all(['hey Ana', 'banana', '`ana`', 'http://ana/'].map((text) => mentioned(text, 'ana'))),
    [true, false, false, false],
  );
  assert.equal(await mentioned('hey', ''), false);
});
