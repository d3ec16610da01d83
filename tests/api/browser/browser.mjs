// A browser for the programs beside this one: Debian's Chromium, driven by playwright.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

export const { ADDRESS: address, NODE_MODULES: modules } = process.env;
const { chromium } = createRequire(`${modules}/`)('playwright-core');

// Runs `act` on a page, whose script may have no fault and whose policy may refuse nothing. Answers that refuse something
// stand in the console as well; they are no fault of the page.
export async function inBrowser(act) {
  // Where tests run as root, in a container, Chromium's sandbox can't.
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    const context = await browser.newContext();
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    const faults = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text());
    });
    await act(page, context).catch(async (error) => {
      const said = await page.getByRole('status').allInnerTexts().catch(() => []);
      throw new Error(`the page said: ${said.join(' / ')}; faults: ${faults.join(' / ')}`, { cause: error });
    });
    assert.deepEqual(faults, []);
  } finally {
    await browser.close();
  }
}

// The code that came to this address: it goes out after the answer.
export async function codeFor(to) {
  for (let tries = 0; tries < 200; tries++) {
    const messages = await (await fetch(`${address}/dev/inbox.json`)).json();
    const code = messages.find((message) => message.to === to)?.body.match(/\d{6}/)?.[0];
    if (code !== undefined) return code;
    await new Promise((resume) => setTimeout(resume, 50));
  }
  throw new Error(`no message came to ${to}`);
}

// Serves a folder as the server of a frontend under development does, on a port of its own. Gives its address.
export async function serve(folder) {
  const server = createServer(async (request, answer) => {
    const name = request.url === '/' ? 'index.html' : basename(request.url);
    const content = await readFile(join(folder, name)).catch(() => undefined);
    const type = name.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8';
    answer.writeHead(content ? 200 : 404, { 'content-type': type }).end(content);
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  return `http://localhost:${server.address().port}/`;
}
