/** Errors: each code with what it brings along, and what is thrown where the service did not answer. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createClient, RingbackError, type ClientOptions, type ProofChallenge } from "@ringback/client";
import { address, codeFor, somebody, wrong } from "./support.js";

async function refused(call: Promise<unknown>): Promise<RingbackError> {
  const error: unknown = await call.then(
    () => assert.fail("it was not refused"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof RingbackError, String(error));
  return error;
}

/** A client of something that is not the service. */
async function talkingTo(listener: RequestListener, use: (client: ReturnType<typeof createClient>) => Promise<void>, options: Partial<ClientOptions> = {}) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resume) => server.once("listening", resume));
  try {
    await use(createClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, ...options }));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("each field says what is wrong with it", async () => {
  const client = createClient({ baseUrl: address });
  const error = await refused(client.register({ ...somebody(), phone: "12", password: "short" }));
  assert.deepEqual([error.code, error.status], ["validation_failed", 400]);
  assert.deepEqual(Object.keys(error.errors).sort(), ["password", "phone"]);
  assert.match(error.errors["phone"]?.[0] ?? "", /international/);
  assert.match(error.requestId ?? "", /./);
});

test("a wrong code says how many more there are, and a second code how long to wait", async () => {
  const client = createClient({ baseUrl: address });
  const ada = somebody();
  await client.register(ada);
  await client.sendPhoneCode({ phone: ada.phone });
  const error = await refused(client.verifyPhone({ phone: ada.phone, otp: wrong(await codeFor(ada.phone)) }));
  // The type is told apart by the code: `attemptsRemaining` is a number here, and nowhere else.
  if (error.code !== "otp_invalid") assert.fail(error.code);
  const remaining: number = error.attemptsRemaining;
  assert.equal(remaining, 2);
  assert.equal(error.status satisfies 400, 400);

  const early = await refused(client.sendPhoneCode({ phone: ada.phone }));
  if (early.code !== "resend_cooldown") assert.fail(early.code);
  const wait: number = early.retryAfter;
  assert.ok(wait > 0 && wait <= 60, `${wait}`);
  const rule: string = early.rule;
  assert.match(rule, /./);
});

test("a wrong password asks for no new tokens", async () => {
  const client = createClient({ baseUrl: address });
  const ada = somebody();
  await client.register(ada);
  const error = await refused(client.login({ email: ada.email, password: "not the one" }));
  assert.deepEqual([error.code, error.status], ["invalid_credentials", 401]);
  assert.equal((await client.me()).email, ada.email, "still signed in");
});

test("who does not answer is told apart from who answers something else", async () => {
  const nobody = createClient({ baseUrl: "http://127.0.0.1:9" });
  const error = await refused(nobody.me());
  assert.deepEqual([error.code, error.status], ["network_error", 0]);
  assert.ok(error.cause instanceof Error);

  await talkingTo((_, answer) => answer.writeHead(502).end("<h1>Bad gateway</h1>"), async (client) => {
    const error = await refused(client.me());
    assert.deepEqual([error.code, error.status], ["unexpected_answer", 502]);
  });
  await talkingTo((_, answer) => answer.writeHead(200).end("<h1>Welcome to the hotel</h1>"), async (client) => {
    assert.equal((await refused(client.me())).code, "unexpected_answer");
  });
  await talkingTo(() => {}, async (client) => {
    assert.equal((await refused(client.me())).code, "timeout");
  }, { timeout: 50 });
});

test("a proxy says how long to wait as well", async () => {
  const soon = new Date(Date.now() + 60_000).toUTCString();
  for (const [said, waits] of [["7", [7]], ["0", [0]], [soon, [58, 59, 60]], ["in a while", [undefined]]] as const) {
    const busy: RequestListener = (_, answer) => answer.writeHead(503, { "retry-after": said }).end("<h1>Busy</h1>");
    await talkingTo(busy, async (client) => {
      const error = await refused(client.me());
      assert.deepEqual([error.code, error.status], ["unexpected_answer", 503]);
      assert.ok((waits as readonly unknown[]).includes(error.retryAfter), `${said}: ${error.retryAfter}`);
    });
  }
});

test("whoever follows a code waits as long as a proxy says, however long", async () => {
  let asked = 0;
  const busy: RequestListener = (_, answer) => {
    asked++;
    answer.writeHead(503, { "retry-after": "3000000" }).end();
  };
  await talkingTo(busy, async (client) => {
    const statuses = client.followCode("i", { every: 1, signal: AbortSignal.timeout(200) });
    await assert.rejects(statuses.next(), { name: "TimeoutError" });
    assert.equal(asked, 1);
  });
});

test("whoever gives up gets the reason that was given", async () => {
  await talkingTo(() => {}, async (client) => {
    const why = new Error("the user went away");
    await assert.rejects(client.me({ signal: AbortSignal.abort(why) }), why);
    const later = new AbortController();
    const call = client.me({ signal: later.signal });
    setTimeout(() => later.abort(why), 20);
    await assert.rejects(call, why);
  });
});

test("a proof of work is done by the client itself", async () => {
  const salt = "00ff?expires=1764190920&for=x&";
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${salt}4321`));
  const challenge = Buffer.from(digest).toString("hex");
  const proof: ProofChallenge = { algorithm: "SHA-256", challenge, maxnumber: 5000, salt, signature: "ab" };
  const problem = { code: "proof_required", detail: "Busy.", proof, status: 428 };
  const busy: RequestListener = (request, answer) => {
    const sent = request.headers["x-proof"] as string | undefined;
    const solved = sent === undefined ? {} : (JSON.parse(atob(sent)) as Record<string, unknown>);
    const isProven = solved["number"] === 4321 && solved["signature"] === "ab" && solved["salt"] === salt;
    answer.writeHead(isProven ? 200 : 428, { "content-type": "application/json" });
    answer.end(JSON.stringify(isProven ? { challenge_id: "i", expires_in: 600, resend_after: 60 } : problem));
  };
  await talkingTo(busy, async (client) => {
    assert.equal((await client.sendPhoneCode({ phone: "+14155552671" })).challenge_id, "i");
  });
  await talkingTo(busy, async (client) => {
    const ends = new AbortController();
    const call = client.sendPhoneCode({ phone: "+14155552671" }, { signal: ends.signal });
    ends.abort(new Error("enough"));
    await assert.rejects(call, { message: "enough" });
  });
});

test("a proof of work is done once, and sent along", async () => {
  const challenge: ProofChallenge = { algorithm: "SHA-256", challenge: "c", salt: "s", signature: "x", maxnumber: 9 };
  const problem = { code: "proof_required", detail: "Busy.", proof: challenge, request_id: "r", status: 428, title: "t", type: "u" };
  const proofs: (string | undefined)[] = [];
  const busy: RequestListener = (request, answer) => {
    const proof = request.headers["x-proof"] as string | undefined;
    proofs.push(proof);
    const isProven = proof === "solved c";
    answer.writeHead(isProven ? 200 : 428, { "content-type": "application/json" });
    answer.end(JSON.stringify(isProven ? { challenge_id: "i", expires_in: 600, resend_after: 60 } : problem));
  };
  await talkingTo(busy, async (client) => {
    assert.equal((await client.sendPhoneCode({ phone: "+14155552671" })).challenge_id, "i");
    assert.deepEqual(proofs, [undefined, "solved c"]);
  }, { solveProof: ({ challenge }) => `solved ${challenge}` });
  await talkingTo(busy, async (client) => {
    const error = await refused(client.sendPhoneCode({ phone: "+14155552671" }));
    if (error.code !== "proof_required") assert.fail(error.code);
    assert.deepEqual(error.proof, challenge);
  }, { solveProof: false });
  proofs.length = 0;
  await talkingTo(busy, async (client) => {
    assert.equal((await refused(client.sendPhoneCode({ phone: "+14155552671" }))).code, "proof_required");
    assert.equal(proofs.length, 2, "once and no more");
  }, { solveProof: () => "wrong" });
});

test("a proof of work that can't be done is a refusal like any other", async () => {
  const proof: ProofChallenge = { algorithm: "SHA-256", challenge: "00", salt: "s", signature: "x", maxnumber: 9 };
  const problem = { code: "proof_required", detail: "Busy.", proof, status: 428 };
  const busy: RequestListener = (_, answer) =>
    answer.writeHead(428, { "content-type": "application/json" }).end(JSON.stringify(problem));
  const ask = (options?: Partial<ClientOptions>) =>
    talkingTo(busy, async (client) => {
      const error = await refused(client.sendPhoneCode({ phone: "+14155552671" }));
      if (error.code !== "proof_required") assert.fail(error.code);
      assert.deepEqual(error.proof, proof);
      assert.ok(error.cause instanceof Error, "and says why it could not");
    }, options);
  await ask();
  await ask({ solveProof: () => Promise.reject(new Error("the worker is gone")) });
  // A page on plain http has no WebCrypto.
  const crypto = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
  try {
    await ask();
  } finally {
    Object.defineProperty(globalThis, "crypto", crypto ?? {});
  }
  await talkingTo(busy, async (client) => {
    const why = new Error("the user went away");
    const call = client.sendPhoneCode({ phone: "+14155552671" }, { signal: AbortSignal.timeout(200) });
    await assert.rejects(call, { name: "TimeoutError" });
    await assert.rejects(client.sendPhoneCode({ phone: "+14155552671" }, { signal: AbortSignal.abort(why) }), why);
  }, { solveProof: () => new Promise(() => {}) });
});
