// Links, code, emphasis, emoji and mentions in texts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openRenderer } from './support/renderer.js';

const ATTRIBUTES = 'rel="noopener noreferrer nofollow" target="_blank"';

test('an address becomes a link, without the punctuation around it', async (t) => {
  const render = await openRenderer(t);
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

test('a link ends before the punctuation of the sentence, in every script', async (t) => {
  const render = await openRenderer(t);
  const link = (typed) => `<a href="${new URL(typed).href}" ${ATTRIBUTES}>${typed}</a>`;
  const pairs = ['“”', '„“', '„”', '‚‘', '‘’', '’’', '«»', '»«', '‹›', '›‹', '「」', '『』', '《》', '〈〉', '（）', '【】', '〔〕', '❨❩', '⟨⟩', '＂＂'];
  const ends = [...'。、，！？：；…‥·・—–؟،؛۔।॥።፣՝։᠂។၊།', 'ʼs', '’s', '′', '″', '！！', '。”', '\u3000', '\u2003', '\u200b', '\u202e'];
  for (const address of ['https://a.example', 'https://a.example/x', 'https://a.example/x?y=z#w', 'http://localhost:8080']) {
    for (const [open, close] of pairs) {
      for (const rest of ['', ' sagte sie', '的说明', 'and', ', and']) {
        const typed = `${open}${address}${close}${rest}`;
        assert.equal(await render.html(typed), `${open}${link(address)}${close}${rest}`, typed);
      }
    }
    for (const end of ends) {
      for (const rest of ['', ' and', '说明', 'and']) {
        const typed = `${address}${end}${rest}`;
        assert.equal(await render.html(typed), `${link(address)}${end}${rest}`, typed);
      }
    }
  }
  await render.all({
    'https://a.example，https://b.example/；https://c.example。':
      `${link('https://a.example')}，${link('https://b.example/')}；${link('https://c.example')}。`,
    'https://a.example、b.example': `${link('https://a.example')}、b.example`,
    'https://a.example:': `${link('https://a.example')}:`,
    'https://a.example: *b*': `${link('https://a.example')}: <strong>b</strong>`,
    "https://a.example's": `${link('https://a.example')}'s`,
    'https://a.example?': `${link('https://a.example')}?`,
    '(https://a.example/b)and': `(${link('https://a.example/b')})and`,
    '[a](https://a.example/b_(c))d': `[a](${link('https://a.example/b_(c)')})d`,
    '{https://a.example/b}': `{${link('https://a.example/b')}}`,
    '<b>https://a.example/b</b>': `&lt;b&gt;${link('https://a.example/b')}&lt;/b&gt;`,
    '|https://a.example|': `|${link('https://a.example')}|`,
  });
});

test('a link includes all parts of its address', async (t) => {
  const render = await openRenderer(t);
  const link = (typed) => `<a href="${new URL(typed).href}" ${ATTRIBUTES}>${typed}</a>`;
  const addresses = [
    'https://a.example/wiki/Foo_',
    'https://a.example/{id}',
    'https://a.example/{id}/b',
    'https://a.example/b_(c_(d))',
    'https://a.example/?b[]=c',
    'https://a.example/~',
    "https://a.example/Don't",
    'https://a.example/b,c;d!e',
    'https://a.example/#!/b',
    'https://a.example/@b',
    'https://a.example./b',
    'https://a.example/straße',
    'https://a.example/かな/漢字',
    'https://a.example/می‌خواهم',
    'https://a.example/हिन्दी',
    'http://[::1]:8080/b',
    'http://my_host:80/b',
    'https://müller.example/straße',
    'https://例え.example/道',
    'https://пример.example/',
    'https://παράδειγμα.example/',
    'https://ทำ.example/',
    'https://مثال.example/',
    'https://उदाहरण.example/',
    'https://한국.example/',
    'https://xn--mller-kva.example/',
  ];
  for (const address of addresses) {
    await render.all({ [address]: link(address), [`see ${address}, and`]: `see ${link(address)}, and`, [`(${address})`]: `(${link(address)})` });
  }
  // As on GitHub, an exclamation mark belongs to the sentence. Without a sentence
  // it belongs to the address.
  await render.all({
    'https://a.example/Hello!': link('https://a.example/Hello!'),
    'see https://a.example/Hello!': `see ${link('https://a.example/Hello')}!`,
  });
});

test('an address with a misleading host does not become a link', async (t) => {
  const render = await openRenderer(t);
  const slashes = [...'∕⁄⧸⟋／╱\u0338᜵〳ノ丿', '\u2215\u2215'];
  const others = [...'．。｡․﹒：﹕∶꞉ː׃։？﹖ʔɂ＃﹟♯＠﹫＼﹨∖⧵‐‑﹣－−٠ꓸ'];
  const blanks = [...'\u2800\u3164\u115f\u1160\uffa0\u200b\u200c\u200d\u2060\u00ad\u034f\u180e\ufe0f\ufff9\ufeff\u061c\u200e\u202e\u2066\ue000\u{e0020}\u{e000}\u{f0000}\u{1d159}\u{13441}', '\u2800\u2800\u2800'];
  for (const character of [...slashes, ...others, ...blanks]) {
    for (const rest of ['login.evil.example/', '.evil.example/', 'login.evil.example']) {
      for (const host of ['good.example', 'localhost', '192.168.1.20']) {
        const typed = `https://${host}${character}${rest}`;
        assert.equal(await render.html(typed), typed, JSON.stringify(typed));
      }
    }
  }
  await render.unchanged(
    'https://good.example：x@evil.example/',
    'http://good.example!@evil.example/',
    'https://аррӏе.com',
    'https://АРРІЕ.com',
    'https://αρρ.com',
    'https://аpple.com',
    'https://applе.com/login',
    'https://ｇｏｏｄ.example',
    'https://𝐠𝐨𝐨𝐝.example',
    'https://ⓖood.example',
    'https://good\u0338.example',
    'https://%67ood.example',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://0177.0.0.1/',
    'http://１27.0.0.1/',
    'http://good.example:99999/',
  );
});

test('an address that hides its host, or has another scheme, stays text', async (t) => {
  const render = await openRenderer(t);
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

test('code is shown unchanged', async (t) => {
  const render = await openRenderer(t);
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

test('emphasis starts and ends at word boundaries, within a line', async (t) => {
  const render = await openRenderer(t);
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

test('asterisks and underscores of globs, code and arithmetic stay', async (t) => {
  const render = await openRenderer(t);
  await render.unchanged(
    '**/*.js',
    '**a*',
    '*a**',
    '__a_',
    '_a__',
    '*a_',
    '2*3*4',
    '2 * 3 * 4',
    '**kwargs, *args',
    '*.txt *.md',
    '*.js and foo/*',
    '*.{js,ts} dir/*',
    'a/*.js b/*.ts',
    'src/**/*.ts **/foo/** !**/bar',
    'C:\\* D:\\*',
    '*.*',
    '*?*',
    '*~ *~',
    '"*" and "*"',
    "'**' or '**'",
    '(*) and (*)',
    '[*], [*]',
    '*, *',
    'char *a, *b;',
    '(_), (_)',
    '/* a */',
    '__init__',
    'snake_case_name',
  );
  await render.all({
    'ls *.js *now*': 'ls *.js <strong>now</strong>',
    '*...really*': '<strong>...really</strong>',
    '*"a"* and *(b)*': '<strong>"a"</strong> and <strong>(b)</strong>',
    '_init_': '<em>init</em>',
  });
});

test('rendering removes nothing but the marks of the elements that it creates', async (t) => {
  const { page } = await openRenderer(t);
  const lost = await page.evaluate(async () => {
    const { render } = await import('/view/elements.js');
    const PIECES = ['*', '**', '_', '__', '`', '```', ' ', '\n', '/', '.', '"', '(', ')', 'a', 'b2', 'é', '中', 'ana', '.js', 'http://a.example', '\u0301\u0301\u0301', '\u200d', '“', '!', '&', '<'];
    const quoted = (text) => text.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&');
    const MARKS = {
      '#text': (_, node) => quoted(node.data),
      STRONG: (inner) => `(?:\\*${inner}\\*|\\*\\*${inner}\\*\\*)`,
      EM: (inner) => `_${inner}_`,
      CODE: (inner, { parentNode }) => (parentNode.nodeName === 'PRE' ? inner : `\`${inner}\``),
      PRE: (inner) => `\\n?\`\`\`(?:[\\w+#.-]*\\n)?${inner}\\n?\`\`\`\\n?`,
    };
    const pattern = (node) => (MARKS[node.nodeName] ?? ((inner) => inner))([...node.childNodes].map(pattern).join(''), node);
    // The same texts each time (Park and Miller's generator).
    let seed = 1;
    const next = (below) => (seed = (seed * 48271) % 2147483647) % below;
    const lost = [];
    for (let count = 0; count < 5000; count += 1) {
      const text = Array.from({ length: 1 + next(14) }, () => PIECES[next(PIECES.length)]).join('');
      if (!new RegExp(`^${pattern(render(text, 'ana'))}$`, 'u').test(text)) lost.push(text);
    }
    return lost;
  });
  assert.deepEqual(lost, []);
});

test('names of emoji become emoji', async (t) => {
  const render = await openRenderer(t);
  await render.all({
    ':joy:': '😂',
    'so :+1: :TADA:!': 'so 👍 🎉!',
    ':heart::rocket:': '❤️🚀',
    '*:fire:*': '<strong>🔥</strong>',
    ':nothing:joy:': ':nothing:joy:',
    ':nothing::joy:': ':nothing:😂',
  });
  await render.unchanged(':nothing:', 'at 10:100:20', ': joy :', ':constructor:', ':__proto__:');

  const matching = await render.page.evaluate(async () => (await import('/model/markup.js')).emojiMatching('Thumbs'));
  assert.deepEqual(matching, ['👍', '👎']);
});

test('our nickname is marked where it is a whole word', async (t) => {
  const render = await openRenderer(t);
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
    render.page.evaluate(async ([text, nick]) => (await import('/model/markup.js')).mentions(text, nick), [text, nick]);
  assert.deepEqual(
    await Promise.all(['hey Ana', 'banana', '`ana`', 'http://ana/'].map((text) => mentioned(text, 'ana'))),
    [true, false, false, false],
  );
  assert.equal(await mentioned('hey', ''), false);
});
