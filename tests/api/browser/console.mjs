// What support does in the console while a user is on the phone: by labels and keys alone, on a desk and on a phone, in the
// light and in the dark. axe looks at each page.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { codeFor, inBrowser, modules } from './browser.mjs';

const { ADMIN: admin, EMAIL: email, PHONE: phone, PASSWORD: password, USER_PHONE: userPhone } = process.env;
const axe = await readFile(`${modules}/axe-core/axe.min.js`, 'utf8');

await inBrowser(async (page, context) => {
  // The pages' own policy lets no script in.
  const client = await context.newCDPSession(page);
  const sound = async (name) => {
    await client.send('Page.setBypassCSP', { enabled: true });
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const width of [1280, 360]) {
        await page.setViewportSize({ width, height: 800 });
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        const told = violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`);
        assert.deepEqual(told, [], `${name}, ${scheme}, ${width}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > globalThis.innerWidth);
        assert.equal(wide, false, `${name} is wider than ${width}`);
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  };
  const textbox = (name) => page.getByRole('textbox', { name });
  const button = (name) => page.getByRole('button', { name, exact: true });

  await page.goto(`${admin}/admin/`);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await sound('sign-in');
  await textbox('E-mail address').fill(email);
  await page.getByLabel('Password').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  const before = await codeFor(phone).catch(() => undefined);
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Second proof' }).waitFor();
  await sound('second proof');
  let code = await codeFor(phone);
  for (let tries = 0; code === before && tries < 100; tries++) {
    await new Promise((resume) => setTimeout(resume, 50));
    code = await codeFor(phone);
  }
  await textbox('Code').fill(code);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await sound('overview');

  for (const name of ['Events', 'Messages', 'Limits', 'Users']) {
    await page.getByRole('link', { name, exact: true }).click();
    await page.getByRole('heading', { name, level: 1 }).waitFor();
    await sound(name);
  }
  await page.getByRole('link', { name: 'Limits', exact: true }).click();
  await page.getByLabel('Country').fill('tj');
  await page.getByLabel('For', { exact: true }).selectOption('a day');
  await textbox('Reason to pause').fill('somebody pumps');
  await page.keyboard.press('Enter');
  await page.getByRole('status').filter({ hasText: 'It is paused. No code goes to TJ (Tajikistan)' }).waitFor();
  await sound('a pause');
  await page.getByLabel('What is paused').selectOption('TJ');
  await textbox('Reason to resume').fill('it is over');
  await button('Resume').click();
  await page.getByRole('status').filter({ hasText: 'It is resumed. Codes go to TJ (Tajikistan) again.' }).waitFor();
  await page.getByRole('link', { name: 'Users', exact: true }).click();
  await page.getByRole('heading', { name: 'Users', level: 1 }).waitFor();
  // The search has the focus already.
  await page.locator('#q:focus').waitFor();
  await page.keyboard.type(userPhone);
  await page.keyboard.press('Enter');
  // However long an address beside it is, a name keeps room for words.
  const name = await page.locator('td bdi').first().evaluate((cell) => cell.getBoundingClientRect().width);
  assert.ok(name >= 150, `the name has ${name} pixels`);
  await page.getByRole('table').getByRole('link').first().click();
  await page.getByRole('heading', { name: 'Help' }).waitFor();
  await sound('user');
  await textbox('Reason to lock').fill('the phone was stolen');
  await page.keyboard.press('Enter');
  await page.getByRole('status').filter({ hasText: 'The account is locked.' }).waitFor();
  await sound('locked user');
  await textbox('Reason to unlock').fill('it was found');
  await button('Unlock').click();
  await page.getByRole('status').filter({ hasText: 'The account is unlocked.' }).waitFor();
  await textbox('Reason to lock').fill('and lost again');
  await button('Lock').click();
  await page.getByRole('status').filter({ hasText: 'The account is locked.' }).waitFor();
  await button('Sign out').click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.goBack();
  await page.goto(`${admin}/admin/users/`);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});
