/** What somebody who is signed in does with the account and its sessions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, RingbackError } from "@ringback/client";
import { address, observed, saying, somebody } from "./support.js";

const client = () => createClient({ baseUrl: address });

test("sessions are seen and ended, from one of them", async () => {
  const [here, there, elsewhere] = [client(), client(), client()];
  const ada = somebody();
  await here.register(ada);
  for (const other of [there, elsewhere]) await other.login({ email: ada.email, password: ada.password });

  const sessions = await here.sessions();
  assert.equal(sessions.length, 3);
  assert.equal(sessions.filter(({ current }) => current).length, 1);
  const theirs = (await there.sessions()).find(({ current }) => current);
  assert.ok(theirs);

  await here.endSession(theirs.id);
  await assert.rejects(there.me(), { code: "token_revoked" });
  assert.equal(await there.isSignedIn(), false);
  await here.endOtherSessions();
  await assert.rejects(elsewhere.me(), { code: "token_revoked" });
  assert.equal((await here.sessions()).length, 1);
});

test("the name is changed, and the address has ways of its own", async () => {
  const ada = client();
  await ada.register(somebody());
  const user = await ada.updateMe({ first_name: "Augusta", last_name: "King" });
  assert.deepEqual([user.first_name, user.last_name], ["Augusta", "King"]);
  assert.deepEqual(await ada.me(), user);
  const error: unknown = await ada.updateMe({ email: "new@example.com" } as object).catch((error: unknown) => error);
  assert.ok(error instanceof RingbackError && error.code === "validation_failed", String(error));
  assert.ok(error.errors["email"]);
});

test("a new password ends all other sessions", async () => {
  const [here, there] = [client(), client()];
  const ada = somebody();
  await here.register(ada);
  await there.login({ email: ada.email, password: ada.password });
  const password = "louder-heron-92";
  await assert.rejects(here.changePassword({ current_password: "not the one", password }), { code: "password_incorrect" });
  await here.changePassword({ current_password: ada.password, password });
  await here.me();
  await assert.rejects(there.me(), { code: "token_revoked" });
  await assert.rejects(there.login({ email: ada.email, password: ada.password }), { code: "invalid_credentials" });
  await there.login({ email: ada.email, password });
});

test("who has no password says none", async () => {
  const { client: ada, asked } = observed({ fetch: saying({ challenge_id: "i" }) });
  const { phone, email } = somebody();
  await ada.requestPhoneChange({ phone });
  await ada.requestPhoneChange({ phone, password: null });
  await ada.requestEmailChange({ email });
  await ada.deleteMe({});
  await ada.deleteMe({ password: null });
  assert.deepEqual(asked.map(({ body }) => body["password"]), [null, null, null, null, null]);
  await ada.changePassword({ password: "louder-heron-92" });
  await ada.changePassword({ current_password: null, password: "louder-heron-92" });
  assert.deepEqual(asked.slice(5).map(({ body }) => body["current_password"]), [null, null]);
});
