// What a user does on the page of the Next.js part of docs/quickstart.md. Its requests go to the route of that part.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { codeFor, inBrowser, serve } from './browser.mjs';

const { POST } = await import(join(process.env.FOLDER, 'served.mjs'));

await inBrowser(async (page) => {
  await page.route('**/account/*', async (route) => {
    const action = route.request().url().split('/').at(-1);
    const request = new Request(route.request().url(), { method: 'POST', body: route.request().postData() });
    const answer = await POST(request, { params: Promise.resolve({ action }) });
    await route.fulfill({ status: answer.status, contentType: 'application/json', body: await answer.text() });
  });
  await page.goto(await serve(process.env.FOLDER));
  const typed = { 'First name': 'Ada', 'E-mail': 'page@example.com', Phone: '+1 415 555 2672', Password: 'short' };
  for (const [label, text] of Object.entries(typed)) await page.getByLabel(label).fill(text);
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByText('A password has at least 8 characters.').waitFor();
  // What was refused stays there.
  for (const [label, text] of Object.entries(typed)) assert.equal(await page.getByLabel(label).inputValue(), text, label);
  await page.getByLabel('Password').fill('quiet-otter-47');
  await page.getByRole('button', { name: 'Sign up' }).click();

  await page.getByRole('button', { name: 'Send a code' }).click();
  await page.getByLabel('Code').waitFor();
  const code = await codeFor('+14155552672');
  // It is still good when the page is loaded anew, as phones do.
  await page.reload();
  await page.getByRole('button', { name: 'Send a code' }).click();
  await page.getByText('A code was sent').waitFor();
  await page.getByLabel('Code').waitFor();
  await page.reload();
  await page.getByRole('button', { name: 'I have a code' }).click();
  await page.getByLabel('Code').fill(code === '000000' ? '000001' : '000000');
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText('The code is wrong.').waitFor();
  await page.getByLabel('Code').fill(code);
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText('+14155552672 is verified.').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('First name').waitFor();
});
