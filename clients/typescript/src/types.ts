/** What is sent and answered: names for the generated types, and for what has no type of its own there. */
import type { components } from "./schema.js";

type Schemas = components["schemas"];

/** An account, as its owner sees it. */
export type User = Schemas["User"];

/** An access token, the refresh token that renews it once, and for how long the first is good. */
export type Tokens = Schemas["Tokens"];

/** An account and a session of it. */
export type SignedIn = Schemas["SignedIn"];

/** How far the message of a code has come. */
export type CodeStatus = Schemas["OtpStatus"];

/** An e-mail address, or a phone in international form. */
export type Address = { email: string; phone?: never } | { phone: string; email?: never };

/** A code is on its way, if the address may have one: the answer is the same for every address. */
export interface Challenge {
  detail: string;
  /** Names the code. The client remembers it; keep it if the code may be typed after the page was loaded again. */
  challenge_id: string;
  /** Seconds for which the code is good. */
  expires_in: number;
  /** Seconds until another code may be sent to this address. */
  resend_after: number;
  /** The address as the service reads it, where it says so. */
  phone?: string;
  email?: string;
}

/** A new account. `password_confirm` is for forms that ask twice; it is filled in where it is missing. */
export type NewAccount = Omit<Schemas["RegisterRequest"], "password_confirm"> & {
  password_confirm?: string | undefined;
  /** The code of {@link RingbackClient.sendRegisterCode}: it proves the e-mail address at once. */
  otp?: string;
  challenge_id?: string;
};

/** A new password. `password_confirm` is for forms that ask twice; it is filled in where it is missing. */
export interface NewPassword {
  password: string;
  password_confirm?: string | undefined;
}

/** A session of the current user. */
export type Session = Schemas["Session"];

/** A proof of work that the service asks for before it goes on (ALTCHA). */
export type ProofChallenge = Schemas["ProofRequiredProblem"]["proof"];

/** Solves a proof of work; what it gives is sent as the header `X-Proof`. */
export type SolveProof = (challenge: ProofChallenge, signal: AbortSignal) => string | Promise<string>;

/** What every call takes besides its own. */
export interface RequestOptions {
  /** Ends the call; it then throws the signal's reason. */
  signal?: AbortSignal | undefined;
}
