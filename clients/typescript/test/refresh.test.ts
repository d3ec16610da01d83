/** Tokens: renewed by one for all, before they expire or after, and given up when their session has ended. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, RingbackError, webStorage, type SignInState, type StoredTokens } from "@ringback/client";
import { address, observed, openStorage, somebody } from "./support.js";

const REFRESH = "/api/users/token/refresh/";

/** An access token that the service refuses. */
const spoiled = (tokens: StoredTokens): StoredTokens => ({ ...tokens, access: `${tokens.access}x` });
const expired = (tokens: StoredTokens): StoredTokens => ({ ...tokens, expiresAt: 0 });

test("twenty calls that find their token expired share one refresh", async () => {
  const storage = openStorage();
  const { client, count } = observed({ storage });
  await client.register(somebody());
  const before = storage.held();
  storage.set({ ...before, expiresAt: Date.now() });
  await Promise.all(Array.from({ length: 20 }, () => client.me()));
  assert.equal(count(REFRESH), 1);
  assert.equal(count("/api/users/me/"), 20, "none was tried with a token that had expired");
  assert.notEqual(storage.held().refresh, before.refresh);
  assert.ok(storage.held().expiresAt > Date.now() + 60_000);
});

test("twenty calls that are refused for their token share one refresh, and are tried once more", async () => {
  const storage = openStorage();
  const { client, count } = observed({ storage });
  await client.register(somebody());
  storage.set(spoiled(storage.held()));
  await Promise.all(Array.from({ length: 20 }, () => client.me()));
  assert.equal(count(REFRESH), 1);
  assert.ok(count("/api/users/me/") <= 40, `${count("/api/users/me/")}`);
});

test("a call is tried a second time, and no third", async () => {
  const storage = openStorage();
  let refreshes = 0;
  // A service that takes no token, though it renews them.
  const stubborn: typeof fetch = async (url, init) => {
    if (String(url).endsWith(REFRESH)) {
      refreshes++;
      return fetch(url, init);
    }
    const headers = new Headers(init?.headers);
    if (headers.has("authorization")) headers.set("authorization", "Bearer none");
    return fetch(url, { ...init, headers });
  };
  const { client } = observed({ storage, fetch: stubborn });
  await client.register(somebody());
  await assert.rejects(client.me(), { code: "token_invalid" });
  assert.equal(refreshes, 1);
});

for (const withLocks of [false, true]) {
  test(`clients of one storage share a refresh, ${withLocks ? "by the locks of the browser" : "without locks"}`, async (t) => {
    if (withLocks) useLocks(t);
    const storage = openStorage(`shared ${withLocks}`);
    const tabs = Array.from({ length: 4 }, () => observed({ storage }));
    const [first] = tabs;
    assert.ok(first);
    await first.client.register(somebody());
    storage.set(spoiled(storage.held()));
    await Promise.all(tabs.map(({ client }) => client.me()));
    assert.equal(tabs.reduce((sum, { count }) => sum + count(REFRESH), 0), 1);
    for (const { client } of tabs) client.close();
  });
}

test("a session that has ended signs out, here and in other tabs", async () => {
  const storage = openStorage("ended");
  const [here, there] = [observed({ storage }), observed({ storage })];
  await here.client.register(somebody());
  const heard: SignInState[] = [];
  const out = new Promise<void>((resume, refuse) => {
    // It keeps Node alive as well, which a channel of the client does not.
    const guard = setTimeout(refuse, 10_000, new Error("the other tab heard nothing"));
    there.client.onChange((state) => {
      heard.push(state);
      if (state !== "signed_out") return;
      clearTimeout(guard);
      resume();
    });
  });
  await there.client.me();
  assert.deepEqual(heard, ["signed_in"]);
  const { refresh } = storage.held();
  const body = JSON.stringify({ refresh });
  await fetch(`${address}/api/users/logout/`, { method: "POST", headers: { "content-type": "application/json" }, body });
  const error: unknown = await here.client.me().catch((error: unknown) => error);
  assert.ok(error instanceof RingbackError && error.code === "token_revoked", String(error));
  assert.equal(await here.client.isSignedIn(), false);
  await out;
  assert.deepEqual(heard, ["signed_in", "signed_out"]);
  here.client.close();
  there.client.close();
});

test("a service that is down for a moment signs nobody out", async () => {
  const storage = openStorage();
  let isDown = false;
  const flaky: typeof fetch = (...request) => (isDown ? Promise.reject(new TypeError("down")) : fetch(...request));
  const { client } = observed({ storage, fetch: flaky });
  await client.register(somebody());
  storage.set({ ...storage.held(), expiresAt: 0 });
  isDown = true;
  await assert.rejects(client.me(), { code: "network_error" });
  isDown = false;
  await client.me();
});

test("an access token for others is renewed as well", async () => {
  const storage = openStorage();
  const { client } = observed({ storage });
  assert.equal(await client.accessToken(), null);
  await client.register(somebody());
  const before = await client.accessToken();
  storage.set({ ...storage.held(), expiresAt: 0 });
  const after = await client.accessToken();
  assert.ok(before !== null && after !== null && before !== after);
});

test("web storage keeps tokens over a reload, and takes nothing for them that is none", async () => {
  const area = new Map<string, string>();
  const storage = webStorage({
    getItem: (name: string) => area.get(name) ?? null,
    setItem: (name: string, value: string) => void area.set(name, value),
    removeItem: (name: string) => void area.delete(name),
  } as unknown as Storage);
  const client = createClient({ baseUrl: address, storage });
  const user = await client.register(somebody());
  const reloaded = createClient({ baseUrl: address, storage });
  assert.equal((await reloaded.me()).id, user.id);
  for (const text of ["{", "null", "7", '{"access":1}', "[]"]) {
    area.set("ringback", text);
    assert.equal(await reloaded.isSignedIn(), false, text);
  }
});

for (const [when, old] of [["before a call", expired], ["after one", spoiled]] as const) {
  test(`whoever gives up does not wait for a refresh ${when}, which goes on for the others`, async () => {
    const storage = openStorage();
    const { slow, answer } = waiting();
    const { client, count } = observed({ storage, fetch: slow });
    const ada = await client.register(somebody());
    storage.set(old(storage.held()));
    const patient = client.me();
    await assert.rejects(client.me({ signal: AbortSignal.timeout(300) }), { name: "TimeoutError" });
    const why = new Error("the user went away");
    await assert.rejects(client.me({ signal: AbortSignal.abort(why) }), why);
    assert.equal(count(REFRESH), 1);
    answer();
    assert.equal((await patient).id, ada.id);
    assert.equal(count(REFRESH), 1);
  });
}

test("whoever gives up does not wait for an access token, nor to sign out", async () => {
  const storage = openStorage();
  const { slow, answer } = waiting();
  const { client } = observed({ storage, fetch: slow });
  await client.register(somebody());
  storage.set(expired(storage.held()));
  await assert.rejects(client.accessToken({ signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });
  await assert.rejects(client.logout({ signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });
  answer();
  await new Promise<void>((resume) => client.onChange((state) => void (state === "signed_out" && resume())));
  assert.equal(await client.isSignedIn(), false, "the tokens are given up all the same");
});

/** A service that renews no tokens before it is told to. */
function waiting() {
  let answer = () => {};
  const told = new Promise<void>((resume) => (answer = resume));
  const slow: typeof fetch = async (url, init) => {
    if (String(url).endsWith(REFRESH)) await told;
    return fetch(url, init);
  };
  return { slow, answer };
}

/** Locks as browsers have them, in a process: one at a time for each name. */
function useLocks(t: { after(end: () => void): void }) {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  let last: Promise<unknown> = Promise.resolve();
  const request = (_: string, job: () => Promise<unknown>) => {
    const result = last.then(job);
    last = result.catch(() => undefined);
    return result;
  };
  Object.defineProperty(globalThis, "navigator", { value: { locks: { request } }, configurable: true });
  t.after(() => {
    if (before) Object.defineProperty(globalThis, "navigator", before);
    else Reflect.deleteProperty(globalThis, "navigator");
  });
}
