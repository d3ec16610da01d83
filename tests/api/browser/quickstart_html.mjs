// What a user does on the plain page of docs/quickstart.md.
import { codeFor, inBrowser, serve } from './browser.mjs';

await inBrowser(async (page) => {
  await page.goto(await serve(process.env.FOLDER));
  await page.getByLabel('First name').fill('Ada');
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByLabel('Password').fill('quiet-otter-47');
  await page.getByLabel('Phone').fill('12');
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByText('international form').waitFor();
  await page.getByLabel('Phone').fill('+1 415 555 2671');
  await page.route('**/register/', (route) => route.abort(), { times: 1 });
  await page.keyboard.press('Enter');
  await page.getByText('The service could not be reached.').waitFor();
  // Who is signed up asks for a code once more, where none was sent.
  const refused = { status: 429, headers: { 'access-control-allow-origin': '*' }, json: { detail: 'Try again later.' } };
  await page.route('**/send-phone-otp/', (route) => route.fulfill(refused), { times: 1 });
  await page.keyboard.press('Enter');
  await page.getByText('Try again later.').waitFor();
  await page.getByRole('button', { name: 'Send another code' }).click();
  await page.getByText('A code is on its way to +14155552671.').waitFor();
  await page.getByLabel('Code').fill(await codeFor('+14155552671'));
  await page.keyboard.press('Enter');
  await page.getByText('+14155552671 is verified.').waitFor();
});
