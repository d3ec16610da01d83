// What lib/ringback.ts of docs/quickstart.md passes on of a browser's request, and what it takes for a session; what its
// route answers where tokens are renewed, and where Ringback is not there.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { browser } from 'next/headers';
import { ringback } from './lib/ringback';
import { POST } from './route';

const spoken = { 'accept-language': 'de', 'user-agent': 'okhttp/5.1.0', 'x-forwarded-for': '192.0.2.1, 198.51.100.7' };
browser.headers = new Headers(spoken);
for (const text of ['eyJ.abc', '"x"', '{}']) {
  browser.cookies.set('ringback_session', text);
  await assert.rejects((await ringback()).me(), { code: 'not_authenticated' }, text);
}

const phone = `+1415555${process.pid % 10_000}`.padEnd(12, '0');
const account = { email: `next${process.pid}@example.com`, phone, first_name: 'Ada', password: 'quiet-otter-47' };
await (await ringback()).register(account);
assert.deepEqual([...browser.cookies.keys()], ['ringback_session']);
const [session] = await (await ringback()).sessions();
assert.deepEqual([session.client, session.network], ['okhttp', process.env.NETWORK]);
await (await ringback()).logout();
assert.equal(browser.cookies.size, 0);

const ask = async (action, typed = {}) => {
  const request = new Request(`http://localhost/account/${action}`, { method: 'POST', body: JSON.stringify(typed) });
  return POST(request, { params: Promise.resolve({ action }) });
};
// New tokens reach the browser before they are used: where that answer gets lost, the old ones are still good.
const { email, password } = account;
await (await ringback()).login({ email, password });
const old = { ...JSON.parse(browser.cookies.get('ringback_session')), expiresAt: 0 };
for (let lost = 0; lost < 2; lost++) {
  browser.cookies.set('ringback_session', JSON.stringify(old));
  const answer = await ask('me');
  assert.deepEqual([answer.status, answer.headers.get('location')], [307, '/account/me']);
}
const me = await ask('me');
assert.deepEqual([me.status, (await me.json()).phone], [200, phone]);
// What is left of a session that has ended is in nobody's way.
const ended = browser.cookies.get('ringback_session');
await (await ringback()).logout();
browser.cookies.set('ringback_session', JSON.stringify({ ...JSON.parse(ended), expiresAt: 0 }));
assert.equal((await ask('login', account)).status, 200);

// Something else answers in the place of Ringback, and takes it for fine.
const other = createServer((_, answer) => answer.end('<h1>Welcome to the hotel</h1>')).listen(0, '127.0.0.1').unref();
await once(other, 'listening');
process.env.RINGBACK_URL = `http://127.0.0.1:${other.address().port}`;
const { status } = await ask('me');
assert.equal(status, 502);
other.closeAllConnections();
process.env.RINGBACK_URL = 'http://127.0.0.1:9';
assert.equal((await ask('me')).status, 502);
