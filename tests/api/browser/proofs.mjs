// A service that asks for a proof of work: ALTCHA's solver and widget, this repository's client, and the start page.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { address, inBrowser, modules, serve } from './browser.mjs';

const { FOLDER: folder } = process.env;
const send = (phone, headers = {}) => fetch(`${address}/api/users/send-phone-otp/`, {
  method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ phone }),
});

// The library for servers and scripts.
{
  const { solveChallenge } = createRequire(`${modules}/`)('altcha-lib/v1');
  const { proof } = await (await send('+14152000010')).json();
  const { number } = await solveChallenge(proof.challenge, proof.salt, proof.algorithm, proof.maxnumber).promise;
  const { algorithm, challenge, salt, signature } = proof;
  const solved = btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
  assert.equal((await send('+14152000010', { 'x-proof': solved })).status, 200);
}

// This repository's client.
{
  const { createClient } = await import(pathToFileURL(`${folder}/dist/index.js`));
  const sent = await createClient({ baseUrl: address }).sendPhoneCode({ phone: '+14152000011' });
  assert.equal(sent.phone, '+14152000011');
  const refusing = createClient({ baseUrl: address, solveProof: false });
  await assert.rejects(refusing.sendPhoneCode({ phone: '+14152000012' }), { code: 'proof_required', status: 428 });
}

// The widget, unchanged, on a page of another origin.
await inBrowser(async (page) => {
  await page.goto(await serve(folder));
  const status = await page.evaluate(async (address) => {
    const send = (headers = {}) => fetch(`${address}/api/users/send-phone-otp/`, {
      method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: '{"phone":"+14152000013"}',
    });
    const { proof } = await (await send()).json();
    const widget = document.querySelector('altcha-widget');
    const solved = new Promise((resume) => widget.addEventListener('verified', ({ detail }) => resume(detail.payload)));
    widget.configure({ challenge: proof });
    await widget.verify();
    return (await send({ 'x-proof': await solved })).status;
  }, address);
  assert.equal(status, 200);
});

// The start page.
await inBrowser(async (page) => {
  await page.goto(`${address}/`);
  await page.getByRole('button', { name: 'Fill in an example', exact: true }).click();
  await page.getByRole('button', { name: 'Sign up', exact: true }).click();
  await page.getByRole('status').filter({ hasText: 'Welcome, Ada.' }).waitFor();
  await page.getByRole('button', { name: 'Verify by SMS', exact: true }).click();
  await page.getByRole('complementary', { name: 'Inbox' }).getByRole('listitem').locator('b').first().waitFor();
});
