// What a user does in the React app of docs/quickstart.md, in two tabs.
import assert from 'node:assert/strict';
import { codeFor, inBrowser, serve } from './browser.mjs';

await inBrowser(async (page, context) => {
  const address = await serve(process.env.FOLDER);
  await page.goto(address);
  await page.getByLabel('First name').fill('Ada');
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByLabel('Password').fill('quiet-otter-47');
  await page.getByLabel('Phone').fill('12');
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByText('international form').waitFor();
  await page.getByLabel('Phone').fill('+1 415 555 2671');
  await page.getByRole('button', { name: 'Sign up' }).click();

  await page.getByRole('button', { name: 'Send a code' }).click();
  await page.getByText('A code is on its way to +14155552671.').waitFor();
  const code = await codeFor('+14155552671');
  // What is wrong with it is said, and what was typed stays there.
  await page.getByLabel('Code').fill('12');
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText('Enter the 6 digits of the message.').waitFor();
  assert.equal(await page.getByLabel('Code').inputValue(), '12');
  // A code that went out is still good when the page is loaded anew, as phones do.
  await page.reload();
  await page.getByRole('button', { name: 'Send a code' }).click();
  await page.getByText('A code was sent').waitFor();
  await page.getByLabel('Code').waitFor();
  await page.reload();
  await page.getByRole('button', { name: 'I have a code' }).click();
  await page.getByLabel('Code').fill(code === '000000' ? '000001' : '000000');
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText('Wrong. 2 more tries.').waitFor();
  await page.getByLabel('Code').fill(code);
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText('+14155552671 is verified.').waitFor();

  // A sign-in is for all tabs, and so is its end.
  const other = await context.newPage();
  await other.goto(address);
  await other.getByRole('button', { name: 'Send a code' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('First name').waitFor();
  await other.getByLabel('First name').waitFor();
});
