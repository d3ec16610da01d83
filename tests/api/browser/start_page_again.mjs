// What a user meets on the start page who has it in two tabs, loads it anew, clicks twice, or lets it run no script.
import assert from 'node:assert/strict';
import { address, codeFor, inBrowser } from './browser.mjs';

const button = (page, name) => page.getByRole('button', { name, exact: true });
const textbox = (page, name) => page.getByRole('textbox', { name, exact: true });
const said = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor();

let accounts = 0;
async function signUp(page) {
  const [email, phone] = [`again${++accounts}@example.com`, `+1415555${2000 + accounts}`];
  await page.goto(`${address}/`);
  await button(page, 'Fill in an example').click();
  await textbox(page, 'E-mail').fill(email);
  await textbox(page, 'Phone, with its country code').fill(phone);
  await button(page, 'Sign up').click();
  await said(page, 'Welcome, Ada.');
  return { email, phone };
}

// Who signed out in another tab is told so, and proves nothing without a token: that would open nothing.
await inBrowser(async (page, context) => {
  const sent = [];
  page.on('request', (request) => request.url().includes('-otp/') && sent.push(request.headers().authorization !== undefined));
  const { phone } = await signUp(page);
  await button(page, 'Verify by SMS').click();
  await codeFor(phone);
  const other = await context.newPage();
  await other.goto(`${address}/`);
  await button(other, 'Sign out').click();
  await said(page, 'You signed out in another tab.');
  for (const name of ['Verify by SMS', 'Confirm']) assert.equal(await button(page, name).isVisible(), false, name);

  const { email } = await signUp(other);
  await said(page, 'You signed in as Ada in another tab.');
  await button(other, 'Sign out').click();
  await said(page, 'You signed out in another tab.');
  await page.getByText('Sign in with a password').click();
  await textbox(page, 'E-mail, or verified phone').fill(email);
  await textbox(page, 'Password').fill('quiet-otter-47');
  await button(page, 'Sign in').click();
  // Where it heard of nothing.
  await other.close();
  await button(page, 'Verify by e-mail').click();
  const mailed = await codeFor(email);
  await page.evaluate(() => localStorage.removeItem('tokens'));
  await textbox(page, 'Code').fill(mailed);
  await page.keyboard.press('Enter');
  await said(page, 'You signed out in another tab.');
  assert.equal(await textbox(page, 'Code').isVisible(), false);
  assert.deepEqual(sent, [true, true]);
});

// A code is still good after a reload: its field is there, in this tab and in another.
await inBrowser(async (page, context) => {
  const { email, phone } = await signUp(page);
  await button(page, 'Verify by SMS').click();
  await page.getByText(`It went to ${phone}`).waitFor();
  await page.reload();
  await page.getByText(`It went to ${phone}`).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), 'otp');
  await textbox(page, 'Code').fill(await codeFor(phone));
  await page.keyboard.press('Enter');
  await said(page, `${phone} is verified.`);

  await button(page, 'Verify by e-mail').click();
  const code = await codeFor(email);
  const other = await context.newPage();
  await other.goto(`${address}/`);
  await button(other, 'Verify by e-mail').click();
  await other.getByText(`It went to ${email}`).waitFor();
  await textbox(other, 'Code').fill(code);
  await button(other, 'Confirm').click();
  await said(other, `${email} is verified.`);
  await other.close();
  await page.reload();
  await page.getByRole('heading', { name: 'Ada Byron' }).waitFor();
  assert.equal(await textbox(page, 'Code').isVisible(), false, 'for a code that is used up');

  await button(page, 'Sign out').click();
  await page.getByText('Sign in with a code').click();
  await textbox(page, 'E-mail or phone').fill(email);
  await button(page, 'Send a code').click();
  await page.getByText(`It went to ${email}`).waitFor();
  await page.reload();
  await textbox(page, 'Code').waitFor();
  const codes = await (await fetch(`${address}/dev/inbox.json`)).json();
  await textbox(page, 'Code').fill(codes.find(({ to }) => to === email).body.match(/\d{6}/)[0]);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Ada Byron' }).waitFor();
});

// The second half of a double click hits nothing else, and what is said moves no button.
await inBrowser(async (page) => {
  const sent = [];
  page.on('request', (request) => request.url().includes('/send-') && sent.push(request.url().split('/').at(-2)));
  const { phone } = await signUp(page);
  const { x, y } = await button(page, 'Verify by SMS').boundingBox();
  await page.mouse.click(x + 5, y + 5);
  await page.getByText(`It went to ${phone}`).waitFor();
  const now = await button(page, 'Verify by SMS').boundingBox();
  assert.deepEqual([now.x, now.y], [x, y]);
  const mail = await button(page, 'Verify by e-mail').boundingBox();
  await page.mouse.move(mail.x + 5, mail.y + 5);
  await page.mouse.down({ clickCount: 2 });
  await page.mouse.up({ clickCount: 2 });
  await button(page, 'Cancel').click();
  assert.deepEqual(sent, ['send-phone-otp']);
});

// Without scripts the pages say so, and name what does without.
await inBrowser(async (_, context) => {
  const still = await context.browser().newContext({ javaScriptEnabled: false });
  const page = await still.newPage();
  for (const [path, text, link] of [['/', /The reference needs it too/, '/openapi.json'], ['/dev/inbox/', /needs JavaScript/, '/dev/inbox.json'], ['/docs/', /needs JavaScript/, '/openapi.json']]) {
    await page.goto(address + path);
    const note = page.locator('noscript');
    assert.match(await note.innerText(), text, path);
    const named = await note.getByRole('link').getAttribute('href');
    assert.deepEqual([named, (await fetch(address + named)).status], [link, 200], path);
  }
});
