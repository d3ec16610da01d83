/** Signing up, proving both addresses, signing in and out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, RingbackError } from "@ringback/client";
import { address, codeFor, observed, saying, somebody, wrong } from "./support.js";

test("somebody signs up, proves the phone and the e-mail address, signs out and in again", async () => {
  const { client, asked } = observed();
  const ada = somebody();
  const user = await client.register(ada);
  assert.equal(user.email, ada.email);
  assert.equal(await client.isSignedIn(), true);

  const challenge = await client.sendPhoneCode({ phone: ada.phone });
  await client.verifyPhone({ phone: ada.phone, otp: await codeFor(ada.phone) });
  const typed = asked.at(-1);
  assert.equal(typed?.body["challenge_id"], challenge.challenge_id, "the id goes along by itself");
  assert.match(typed?.headers.get("authorization") ?? "", /^Bearer /, "and so does the token");

  await client.sendEmailCode({ email: ada.email });
  await client.verifyEmail({ email: ada.email, otp: await codeFor(ada.email) });
  const me = await client.me();
  assert.deepEqual([me.phone_verified, me.email_verified], [true, true]);

  await client.logout();
  assert.equal(await client.isSignedIn(), false);
  await assert.rejects(client.me(), { code: "not_authenticated" });
  assert.equal((await client.login({ phone: ada.phone, password: ada.password })).id, user.id);
  assert.equal((await client.login({ email: ada.email, password: ada.password })).id, user.id);
});

test("the id of a challenge is found by every spelling of its phone", async () => {
  const { client, asked } = observed();
  const ada = somebody();
  await client.register(ada);
  const spelled = `${ada.phone.slice(0, 2)} (${ada.phone.slice(2, 5)}) ${ada.phone.slice(5)}`;
  const { challenge_id, phone } = await client.sendPhoneCode({ phone: spelled });
  assert.equal(phone, ada.phone);
  const code = await codeFor(ada.phone);
  await assert.rejects(client.verifyPhone({ phone: spelled, otp: wrong(code) }), { attemptsRemaining: 2 });
  assert.equal(asked.at(-1)?.body["challenge_id"], challenge_id);
  const third = `${ada.phone.slice(0, 2)} ${ada.phone.slice(2, 5)}.${ada.phone.slice(5, 8)}-${ada.phone.slice(8)}`;
  await assert.rejects(client.verifyPhone({ phone: third, otp: wrong(code) }), { attemptsRemaining: 1 });
  assert.equal(asked.at(-1)?.body["challenge_id"], challenge_id);
  await client.verifyPhone({ phone: ada.phone, otp: code });
  assert.equal(asked.at(-1)?.body["challenge_id"], challenge_id);
});

test("the id of a challenge is found by digits of every script", async () => {
  const challenge = { detail: "", challenge_id: "i", expires_in: 600, resend_after: 60 };
  for (const zero of "0０٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀႐០᠐᥆᧐᪀᪐᭐᮰᱀᱐꘠꣐꤀꧐꧰꩐꯰𐒠𝟎𝟘𝟢𝟬𝟶🯰𞥐") {
    const { client, asked } = observed({ fetch: saying(challenge) });
    const first = zero.codePointAt(0) ?? 0;
    const phone = "+1 237 894 5601".replace(/\d/g, (digit) => String.fromCodePoint(first + Number(digit)));
    await client.sendPhoneCode({ phone });
    await client.verifyPhone({ phone: "+12378945601", otp: "123456" });
    assert.equal(asked.at(-1)?.body["challenge_id"], "i", phone);
  }
});

test("a code is followed from change to change", async () => {
  const client = createClient({ baseUrl: address });
  const ada = somebody();
  await client.register(ada);
  const { challenge_id } = await client.sendPhoneCode({ phone: ada.phone });
  const seen: string[] = [];
  for await (const { status, channel } of client.followCode(challenge_id, { every: 50 })) {
    assert.equal(channel, "sms");
    seen.push(status);
    if (status === "sent") break;
  }
  assert.equal(seen.at(-1), "sent");
  assert.equal(new Set(seen).size, seen.length, "changes alone");
  const unknown = "00000000-0000-4000-8000-000000000000";
  for await (const status of client.followCode(unknown)) assert.fail(`${status}`);
});

test("whoever follows may stop", async () => {
  const client = createClient({ baseUrl: address });
  const ada = somebody();
  await client.register(ada);
  const { challenge_id } = await client.sendPhoneCode({ phone: ada.phone });
  const stop = new AbortController();
  await assert.rejects(
    async () => {
      for await (const _ of client.followCode(challenge_id, { every: 60_000, signal: stop.signal })) stop.abort();
    },
    { name: "AbortError" },
  );
});

test("a second password that is not there is filled in", async () => {
  const { client, asked } = observed();
  const ada = somebody();
  // As a program without types may say it.
  const none = { password_confirm: undefined } as object;
  await client.register({ ...ada, ...none });
  const password = "louder-heron-92";
  await client.changePassword({ current_password: ada.password, password, ...none });
  await assert.rejects(client.resetPassword({ otp: "123456", challenge_id: "i", password, ...none }));
  assert.deepEqual(asked.map(({ body }) => body["password_confirm"]), [ada.password, password, password]);
  const twice = { ...somebody(), password_confirm: "another" };
  await assert.rejects(client.register(twice), { code: "validation_failed" });
});

test("a listener that fails is no failure of who signs in", async (t) => {
  const [before, reported] = [queueMicrotask, [] as unknown[]];
  // What Node and browsers do with an error that nobody catches.
  globalThis.queueMicrotask = (job) =>
    before(() => {
      try {
        job();
      } catch (error) {
        reported.push(error);
      }
    });
  t.after(() => void (globalThis.queueMicrotask = before));
  const client = createClient({ baseUrl: address });
  const [fault, heard] = [new Error("a fault of the page"), [] as string[]];
  client.onChange(() => {
    throw fault;
  });
  client.onChange((state) => void heard.push(state));
  await client.isSignedIn();
  const ada = somebody();
  await client.register(ada);
  await client.logout();
  await client.login({ email: ada.email, password: ada.password });
  assert.deepEqual(heard, ["signed_out", "signed_in", "signed_out", "signed_in"]);
  assert.deepEqual(reported, [fault, fault, fault, fault]);
});

test("signing out gives the tokens up, though the service is not there", async () => {
  const { client } = observed();
  await client.register(somebody());
  let isDown = false;
  const flaky = observed({ fetch: (...request) => (isDown ? Promise.reject(new TypeError("down")) : fetch(...request)) });
  await flaky.client.register(somebody());
  isDown = true;
  await assert.rejects(flaky.client.logout(), (error) => error instanceof RingbackError && error.code === "network_error");
  assert.equal(await flaky.client.isSignedIn(), false);
});
