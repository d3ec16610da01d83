/** What all tests use: the service that `ADDRESS` names, a way to read its inbox, and people to sign up. */
import { createClient, memoryStorage, type ClientOptions, type NewAccount, type StoredTokens } from "@ringback/client";

export const address = process.env["ADDRESS"] ?? "http://127.0.0.1:8000";

let people = Date.now() % 1_000_000;

/** Somebody who has no account yet. */
export function somebody(): NewAccount {
  const number = String(people++).padStart(7, "0");
  return {
    email: `ts${process.pid}-${number}@example.com`,
    phone: `+1415${number}`,
    first_name: "Ada",
    last_name: "Byron",
    password: "quiet-otter-47",
  };
}

/** A client whose requests are noted, by path. */
export function observed(options: Partial<ClientOptions> = {}) {
  const asked: { path: string; headers: Headers; body: Record<string, unknown> }[] = [];
  const noting: typeof fetch = (url, init) => {
    const body = typeof init?.body === "string" ? (JSON.parse(init.body) as Record<string, unknown>) : {};
    asked.push({ path: new URL(String(url)).pathname, headers: new Headers(init?.headers), body });
    return (options.fetch ?? fetch)(url, init);
  };
  const client = createClient({ baseUrl: address, ...options, fetch: noting });
  const count = (path: string) => asked.filter((one) => one.path === path).length;
  return { client, asked, count };
}

/** A service that answers this to whatever it is asked. */
export const saying =
  (said: unknown): typeof fetch =>
  async () =>
    new Response(JSON.stringify(said), { headers: { "content-type": "application/json" } });

/** Storage that a test can read and spoil. */
export function openStorage(name?: string) {
  const storage = memoryStorage();
  const held = () => storage.get() as StoredTokens;
  return { ...storage, ...(name === undefined ? {} : { name }), held };
}

/** The code that came to this address last: it goes out after the answer. */
export async function codeFor(to: string, known: readonly string[] = []): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const answer = await fetch(`${address}/dev/inbox.json`);
    const messages = (await answer.json()) as { to: string; body: string }[];
    const codes = messages.filter((message) => message.to === to).map(({ body }) => body.match(/\d{6}/)?.[0]);
    const code = codes.find((code) => code !== undefined && !known.includes(code));
    if (code !== undefined) return code;
    await new Promise((resume) => setTimeout(resume, 50));
  }
  throw new Error(`no message came to ${to}`);
}

/** A code that is not this one. */
export const wrong = (code: string) => (code === "000000" ? "000001" : "000000");
