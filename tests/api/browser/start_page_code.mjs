// What a newcomer does on the start page where an account is made with a code alone.
import assert from 'node:assert/strict';
import { address, codeFor, inBrowser } from './browser.mjs';

await inBrowser(async (page) => {
  const textbox = (name) => page.getByRole('textbox', { name, exact: true });
  const button = (name) => page.getByRole('button', { name, exact: true });
  const said = page.getByRole('status');
  const focused = () => page.evaluate(() => document.activeElement.name);

  await page.goto(`${address}/`);
  await button('Fill in an example').click();
  const email = await textbox('E-mail').inputValue();
  const phone = await textbox('Phone, with its country code').inputValue();
  // What is wrong besides comes first.
  await textbox('Phone, with its country code').fill('12');
  await button('Sign up').click();
  await page.getByText('Enter the number in international form').waitFor();
  assert.equal(await textbox('Code').isVisible(), false);

  await page.locator('[aria-invalid=true]').fill(phone);
  await page.keyboard.press('Enter');
  await said.filter({ hasText: 'prove the e-mail address' }).waitFor();
  await page.getByText(`It went to ${email}`).waitFor();
  assert.equal(await focused(), 'otp');
  const code = await codeFor(email);
  await textbox('Code').fill(code === '000000' ? '000001' : '000000');
  await page.keyboard.press('Enter');
  await said.filter({ hasText: 'The code is wrong.' }).waitFor();

  // Who goes back and signs up again finds the field again, and a code that is still good; also who has loaded the page anew.
  await button('Cancel').click();
  await button('Sign up').click();
  await page.getByText(`It went to ${email}`).waitFor();
  await page.reload();
  await button('Fill in an example').click();
  await textbox('E-mail').fill(email);
  await button('Sign up').click();
  await textbox('Code').fill(code);
  await page.keyboard.press('Enter');
  await said.filter({ hasText: 'Welcome, Ada.' }).waitFor();
  assert.equal(await button('Verify by e-mail').isVisible(), false);
  assert.equal(await button('Verify by SMS').isVisible(), true);
});
