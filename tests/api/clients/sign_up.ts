// Signs a user up by generated clients, and proves the phone: what a frontend does.
import {inbox, me, otpStatus, register, sendPhoneOtp, verifyPhoneOtp} from "./hey";
import {client} from "./hey/client.gen";
import type {paths} from "./schema";

declare const process: {env: Record<string, string>; exit(code: number): never};

type Registration = paths["/api/users/register/"]["post"]["requestBody"]["content"]["application/json"];
type Refusal = paths["/api/users/verify-phone-otp/"]["post"]["responses"][400]["content"]["application/problem+json"];

function assert(holds: boolean, what: string): asserts holds {
  if (!holds) {
    console.error(`not so: ${what}`);
    process.exit(1);
  }
}

// A union that is told apart by its code: only a wrong code has tries left.
function triesLeft(refusal: Refusal): number | undefined {
  return refusal.code === "otp_invalid" ? refusal.attempts_remaining : undefined;
}

// Asks until the message is there: it goes out after the answer.
async function codeFor(phone: string): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const message = (await inbox()).data?.find((message) => message.to === phone);
    const code = message?.body.match(/[0-9]{6}/)?.[0];
    if (code !== undefined) return code;
    await new Promise((resume) => setTimeout(resume, 50));
  }
  throw new Error("no message came");
}

async function signUp(): Promise<void> {
  client.setConfig({baseUrl: process.env.ADDRESS});
  const body: Registration = {
    email: "typescript@example.com",
    phone: "+14155552671",
    first_name: "Ada",
    last_name: "Byron",
    password: "quiet-otter-47",
    password_confirm: "quiet-otter-47",
  };
  const made = await register({body});
  assert(made.data !== undefined, "registered");
  const again = await register({body});
  assert(again.error !== undefined && again.error.code === "email_taken", "an e-mail has one account");

  // Without a token: nobody has to sign in for a code.
  const sent = await sendPhoneOtp({body: {phone: body.phone}});
  assert(sent.data !== undefined, "sent");
  const status = await otpStatus({path: {challenge_id: sent.data.challenge_id}});
  assert(status.data !== undefined, "status");
  assert(["queued", "sent"].includes(status.data.status), "a status of the list");

  const code = await codeFor(body.phone);
  const wrong = await verifyPhoneOtp({body: {phone: body.phone, otp: code === "000000" ? "000001" : "000000"}});
  assert(wrong.error !== undefined && triesLeft(wrong.error as Refusal) === 2, "two tries left");
  const verified = await verifyPhoneOtp({body: {phone: body.phone, otp: code}});
  assert(verified.data?.phone_verified === true, "verified");

  client.setConfig({auth: made.data.tokens.access});
  const user = await me();
  assert(user.data?.phone_verified === true, "the user's own phone is verified");
}

void signUp().catch((error) => {
  console.error(error);
  process.exit(1);
});
