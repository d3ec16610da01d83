// What a newcomer does on the start page, by its labels alone, as somebody does who can't see it.
import assert from 'node:assert/strict';
import { address, inBrowser } from './browser.mjs';

await inBrowser(async (page, context) => {
  const textbox = (name) => page.getByRole('textbox', { name, exact: true });
  const button = (name) => page.getByRole('button', { name, exact: true });
  const said = page.getByRole('status');
  const inbox = page.getByRole('complementary', { name: 'Inbox' });
  const codeFor = (to, used = 'none') =>
    inbox.getByRole('listitem').filter({ hasText: to, hasNotText: used }).locator('b').first().textContent();

  await page.goto(`${address}/`);
  await button('Fill in an example').click();
  const email = await textbox('E-mail').inputValue();
  const phone = await textbox('Phone, with its country code').inputValue();
  await textbox('Phone, with its country code').fill('12');
  await button('Sign up').click();
  await page.getByText('Enter the number in international form').waitFor();
  assert.equal(await page.locator('[aria-invalid=true]').getAttribute('name'), 'phone');

  await page.locator('[aria-invalid=true]').fill(phone);
  await page.keyboard.press('Enter');
  await said.filter({ hasText: 'Welcome, Ada.' }).waitFor();

  await button('Verify by SMS').click();
  const code = await codeFor(phone);
  await textbox('Code').fill(code === '000000' ? '000001' : '000000');
  await page.keyboard.press('Enter');
  await said.filter({ hasText: 'The code is wrong.' }).waitFor();
  await textbox('Code').fill(code);
  await page.keyboard.press('Enter');
  await said.filter({ hasText: `${phone} is verified.` }).waitFor();
  assert.equal(await button('Verify by SMS').isVisible(), false);

  // Who goes back to it finds the field again.
  await button('Verify by e-mail').click();
  const mailed = await codeFor(email);
  await button('Cancel').click();
  await button('Verify by e-mail').click();
  await textbox('Code').fill(mailed);
  await button('Confirm').click();
  await said.filter({ hasText: `${email} is verified.` }).waitFor();

  // Over a reload, and in another tab.
  await page.reload();
  await page.getByRole('heading', { name: 'Ada Byron' }).waitFor();
  await button('Sign out').click();
  await said.filter({ hasText: 'You are signed out.' }).waitFor();

  await page.getByText('Sign in with a code').click();
  await textbox('E-mail or phone').fill(phone);
  await button('Send a code').click();
  await textbox('Code').fill(await codeFor(phone, code));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Ada Byron' }).waitFor();
  await button('Sign out').click();

  await page.getByText('Sign in with a password').click();
  await textbox('E-mail, or verified phone').fill(phone);
  await textbox('Password').fill('quiet-otter-47');
  await button('Sign in').click();
  await page.getByRole('heading', { name: 'Ada Byron' }).waitFor();
  const other = await context.newPage();
  await other.goto(`${address}/`);
  await other.getByRole('heading', { name: 'Ada Byron' }).waitFor();
  await other.close();

  // Elsewhere, which is ended from here.
  const body = JSON.stringify({ phone, password: 'quiet-otter-47' });
  const headers = { 'content-type': 'application/json' };
  const elsewhere = await fetch(`${address}/api/users/login/`, { method: 'POST', headers, body });
  assert.equal(elsewhere.status, 200);
  await page.reload();
  const sessions = page.getByRole('region', { name: 'Your sessions' }).getByRole('listitem');
  await sessions.nth(1).waitFor();
  assert.equal(await sessions.count(), 2);
  await sessions.getByRole('button', { name: 'End the session' }).click();
  await sessions.nth(1).waitFor({ state: 'detached' });
  await sessions.getByText('this one').waitFor();
});
