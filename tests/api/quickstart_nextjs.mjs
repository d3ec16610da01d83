// What lib/ringback.ts of docs/quickstart.md passes on of a browser's request, and what it takes for a session.
import assert from 'node:assert/strict';
import { browser } from 'next/headers';
import { ringback } from './lib/ringback';

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
