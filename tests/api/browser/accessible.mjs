// The pages by axe: contrast, names of fields, structure; light and dark.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { address, inBrowser, modules } from './browser.mjs';

const axe = await readFile(join(modules, 'axe-core/axe.min.js'), 'utf8');

// What Swagger UI's own markup has, and no style can mend: a link to an operation within the button that opens it.
const ITS_OWN = ['nested-interactive'];

async function isAccessible(page, what, rules) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate((rules) => globalThis.axe.run(document, { rules, runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }), rules);
  const found = violations.flatMap(({ id, nodes }) => nodes.map(({ html, any }) => `${id}: ${html.slice(0, 120)} ${any[0]?.message ?? ''}`));
  assert.deepEqual(found, [], what);
}

await inBrowser(async (page) => {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const path of ['/', '/dev/inbox/']) {
      await page.goto(address + path);
      await isAccessible(page, `${path} ${colorScheme}`, {});
    }
    await page.goto(`${address}/docs/`);
    for (const method of ['post', 'get', 'delete', 'patch']) {
      const operation = page.locator(`.opblock-${method}`).first();
      await operation.locator('.opblock-summary-control').click();
      await operation.locator('.responses-table').first().waitFor();
    }
    await page.mouse.move(0, 0);
    // Its buttons change their colour slowly.
    await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
    const rules = Object.fromEntries(ITS_OWN.map((id) => [id, { enabled: false }]));
    await isAccessible(page, `/docs/ ${colorScheme}`, rules);
  }
});
