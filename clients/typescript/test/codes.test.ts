/** What codes are good for besides proving an address: signing in, a forgotten password, another address. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, RingbackError, type RingbackClient } from "@ringback/client";
import { address, codeFor, observed, somebody } from "./support.js";

/** The service has these as soon as its document says so. */
const { paths } = (await (await fetch(`${address}/openapi.json`)).json()) as { paths: Record<string, unknown> };
const needs = (path: string) => ({ skip: !(path in paths) });

const client = () => createClient({ baseUrl: address });

/** Asks again when it may: an address has one cooldown, whatever its codes are for. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof RingbackError) || error.code !== "resend_cooldown") throw error;
    await new Promise((resume) => setTimeout(resume, error.retryAfter * 1000));
    return ask();
  }
}

/** Somebody whose phone was proven with the account's own token; and the code that did it. */
async function proven(ringback: RingbackClient) {
  const account = somebody();
  await ringback.register(account);
  await ringback.sendPhoneCode({ phone: account.phone });
  const used = await codeFor(account.phone);
  await ringback.verifyPhone({ phone: account.phone, otp: used });
  return { ...account, used };
}

test("somebody signs in by code", needs("/api/users/login/code/"), async () => {
  const ada = await proven(client());
  const there = client();
  await patiently(() => there.sendLoginCode({ phone: ada.phone }));
  const user = await there.loginWithCode({ otp: await codeFor(ada.phone, [ada.used]) });
  assert.equal(user.phone, ada.phone);
  assert.equal((await there.me()).id, user.id);
});

test("a forgotten password is set anew, and ends all sessions", needs("/api/users/password/forgot/"), async () => {
  const here = client();
  const ada = await proven(here);
  const there = client();
  await patiently(() => there.forgotPassword({ phone: ada.phone }));
  const password = "louder-heron-92";
  await there.resetPassword({ otp: await codeFor(ada.phone, [ada.used]), password });
  await assert.rejects(here.me(), { code: "token_revoked" });
  await there.login({ email: ada.email, password });
});

test("whoever proves an e-mail address beforehand registers with it", needs("/api/users/register/code/"), async () => {
  const ringback = client();
  const ada = somebody();
  await ringback.sendRegisterCode({ email: ada.email });
  const user = await ringback.register({ ...ada, otp: await codeFor(ada.email) });
  assert.equal(user.email_verified, true);
});

test("a code for an e-mail address is answered by another spelling of it", needs("/api/users/register/code/"), async () => {
  for (const [asked, typed] of [["@Example.com", "@example.com"], ["@bücher.example", "@xn--bcher-kva.example"]] as const) {
    const { client: ringback, asked: requests } = observed();
    const ada = somebody();
    const [name] = ada.email.split("@") as [string];
    const [first, second] = [name.toUpperCase() + asked, name + typed];
    const { challenge_id } = await ringback.sendRegisterCode({ email: first });
    const user = await ringback.register({ ...ada, email: second, otp: await codeFor(first) });
    assert.equal(requests.at(-1)?.body["challenge_id"], challenge_id);
    assert.equal(user.email_verified, true);
  }
});

test("another phone takes over once its code is typed", needs("/api/users/phone/change/"), async () => {
  const ringback = client();
  const ada = await proven(ringback);
  const { phone } = somebody();
  await ringback.requestPhoneChange({ phone, password: ada.password });
  assert.equal((await ringback.me()).phone, ada.phone);
  const user = await ringback.confirmPhoneChange({ phone, otp: await codeFor(phone) });
  assert.deepEqual([user.phone, user.phone_verified], [phone, true]);
});

test("another e-mail address takes over once its code is typed", needs("/api/users/email/change/"), async () => {
  const ringback = client();
  const ada = await proven(ringback);
  const { email } = somebody();
  await assert.rejects(ringback.requestEmailChange({ email, password: "not the one" }), { code: "password_incorrect" });
  await ringback.requestEmailChange({ email, password: ada.password });
  const user = await ringback.confirmEmailChange({ email, otp: await codeFor(email) });
  assert.deepEqual([user.email, user.email_verified], [email, true]);
});

test("whoever leaves takes along what is kept, and is gone", needs("/api/users/me/export/"), async () => {
  const ringback = client();
  const ada = await proven(ringback);
  assert.match(JSON.stringify(await ringback.exportMe()), new RegExp(ada.email));
  await assert.rejects(ringback.deleteMe({ password: "not the one" }), { code: "password_incorrect" });
  assert.equal(await ringback.isSignedIn(), true);
  await ringback.deleteMe({ password: ada.password });
  assert.equal(await ringback.isSignedIn(), false);
  await assert.rejects(ringback.login({ email: ada.email, password: ada.password }), { code: "invalid_credentials" });
});
