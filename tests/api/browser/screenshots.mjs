// The pictures of docs/admin.md: the console in the light, 1280 pixels wide.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { codeFor, inBrowser } from './browser.mjs';

const { ADMIN: admin, EMAIL: email, PHONE: phone, PASSWORD: password, USER_PHONE: userPhone, FOLDER: folder } = process.env;
const MOST = 80 * 1024;

await inBrowser(async (page) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 720 });
  const picture = async (name, height) => {
    await page.setViewportSize({ width: 1280, height });
    const path = join(folder, `admin-${name}.png`);
    await page.screenshot({ path });
    const { size } = statSync(path);
    if (size > MOST) throw new Error(`${path} has ${size} bytes, ${MOST} at most`);
  };
  const textbox = (name) => page.getByRole('textbox', { name });

  await page.goto(`${admin}/admin/`);
  await textbox('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  const before = await codeFor(phone);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Second proof' }).waitFor();
  let code = before;
  for (let tries = 0; code === before && tries < 100; tries++) {
    await new Promise((resume) => setTimeout(resume, 50));
    code = await codeFor(phone);
  }
  await textbox('Code').fill(code);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await picture('overview', 720);
  for (const name of ['Events', 'Limits', 'Users']) {
    await page.getByRole('link', { name, exact: true }).click();
    await page.getByRole('heading', { name, level: 1 }).waitFor();
    if (name !== 'Users') await picture(name.toLowerCase(), name === 'Events' ? 460 : 820);
  }
  await page.locator('#q:focus').waitFor();
  await page.keyboard.type(userPhone);
  await page.keyboard.press('Enter');
  await page.getByRole('table').getByRole('link').first().click();
  await page.getByRole('heading', { name: 'Help' }).waitFor();
  await picture('user', 650);
});
