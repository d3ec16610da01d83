/** The client: one method for each thing that users do. */
import { RingbackError, isStale } from "./errors.js";
import { Http, type Request } from "./http.js";
import { solveProof } from "./proof.js";
import { heeding } from "./signal.js";
import { SignIn, type SignInState } from "./sign-in.js";
import { spelled } from "./spelling.js";
import { memoryStorage, type TokenStorage } from "./storage.js";
import type {
  Address,
  Challenge,
  CodeStatus,
  NewAccount,
  NewPassword,
  RequestOptions,
  Session,
  SignedIn,
  SolveProof,
  Tokens,
  User,
} from "./types.js";

export type { SignInState };

/** What a client needs to know. */
export interface ClientOptions {
  /** Where the service is, such as `https://id.example.com`; empty for the page's own origin. */
  baseUrl: string;
  /** Where tokens are kept. In memory, if nothing is said: the next page load begins signed out. */
  storage?: TokenStorage;
  /** What messages shall be written in, such as `pt-BR`. The browser's languages, if nothing is said. */
  language?: string;
  /** How long an answer may take, in milliseconds: 15000, if nothing is said. */
  timeout?: number;
  /** Does the work that a service under attack asks for, in place of the client itself; `false`: such calls throw `proof_required`. */
  solveProof?: SolveProof | false;
  /** In place of the global `fetch`. */
  fetch?: typeof fetch;
}

/** Makes a client. One is enough for an app: it shares what its calls need. */
export function createClient(options: ClientOptions): RingbackClient {
  return new RingbackClient(options);
}

/** What a code is for: the client remembers the last challenge of each purpose and address. */
type Purpose = "phone" | "email" | "register" | "login" | "reset" | "change-phone" | "change-email";

/** The account's password. Who has none leaves it out. */
type OwnPassword = { password?: string | null | undefined };

type Call = Omit<Request, "access"> & { token?: "none" };

/** Talks to the service, and holds the tokens of whoever is signed in. Every call may throw a {@link RingbackError}. */
export class RingbackClient {
  readonly #http: Http;
  readonly #signIn: SignIn;
  readonly #challenges = new Map<string, string>();

  /** @internal */
  constructor(options: ClientOptions) {
    this.#http = new Http({
      baseUrl: options.baseUrl,
      fetch: options.fetch ?? ((...request) => fetch(...request)),
      timeout: options.timeout ?? 15_000,
      language: options.language,
      solveProof: options.solveProof ?? solveProof,
    });
    this.#signIn = new SignIn(options.storage ?? memoryStorage(), async (refresh) => {
      const path = "/api/users/token/refresh/";
      return (await this.#http.send<{ tokens: Tokens }>({ method: "POST", path, body: { refresh } })).tokens;
    });
  }

  // --- Signing up, in and out ---

  /** Creates an account and signs it in. With a code of {@link sendRegisterCode} its e-mail address is proven at once. */
  async register(account: NewAccount, options?: RequestOptions): Promise<User> {
    const body = confirmed(account);
    const proof = account.otp === undefined ? body : this.#typed("register", account.email, body);
    return this.#enter("/api/users/register/", proof, options);
  }

  /** Sends a code to an e-mail address that is about to register. */
  sendRegisterCode(to: { email: string }, options?: RequestOptions): Promise<Challenge> {
    return this.#ask("register", "/api/users/register/code/", to.email, { email: to.email }, options);
  }

  /** Signs in with a password. */
  login(credentials: Address & { password: string }, options?: RequestOptions): Promise<User> {
    return this.#enter("/api/users/login/", credentials, options);
  }

  /** Sends a code to sign in with, if an account has proven this address. */
  sendLoginCode(to: Address, options?: RequestOptions): Promise<Challenge> {
    return this.#ask("login", "/api/users/login/code/", undefined, to, options);
  }

  /** Signs in with the code of {@link sendLoginCode}. */
  loginWithCode(typed: { otp: string; challenge_id?: string }, options?: RequestOptions): Promise<User> {
    return this.#enter("/api/users/login/code/verify/", this.#typed("login", undefined, typed), options);
  }

  /** Ends the session. The tokens are given up in any case, also when the service doesn't hear of it and this throws. */
  logout(options?: RequestOptions): Promise<void> {
    const ended = this.#signIn.exclusively(async () => {
      const held = await this.#signIn.current();
      if (held === null) return;
      this.#challenges.clear();
      await this.#signIn.forget();
      const body = { refresh: held.refresh };
      try {
        await this.#http.send({ method: "POST", path: "/api/users/logout/", body, ...options });
      } catch (error) {
        if (!isStale(error)) throw error; // It has ended already.
      }
    });
    return heeding(options?.signal, ended);
  }

  /** Whether somebody is signed in, as far as is known here: the service may have ended the session meanwhile. */
  async isSignedIn(): Promise<boolean> {
    return (await this.#signIn.current()) !== null;
  }

  /** Calls the listener with the state as it is, then whenever somebody signs in or out, here or in another tab. */
  onChange(listener: (state: SignInState) => void): () => void {
    return this.#signIn.onChange(listener);
  }

  /** An access token for a service of your own that checks them, renewed if need be; null where nobody is signed in. */
  async accessToken(options?: RequestOptions): Promise<string | null> {
    options?.signal?.throwIfAborted();
    return (await heeding(options?.signal, this.#signIn.fresh()))?.access ?? null;
  }

  // --- Proving the phone and the e-mail address ---

  /** Sends a code by SMS. For whoever is signed in it is that user's own: nobody else can use it up. */
  sendPhoneCode(to: { phone: string }, options?: RequestOptions): Promise<Challenge> {
    return this.#ask("phone", "/api/users/send-phone-otp/", to.phone, { phone: to.phone }, options);
  }

  /** Verifies a phone by its code. */
  async verifyPhone(typed: { phone: string; otp: string; challenge_id?: string }, options?: RequestOptions): Promise<void> {
    await this.#call(post("/api/users/verify-phone-otp/", this.#typed("phone", typed.phone, typed), options));
  }

  /** Sends a code by e-mail. For whoever is signed in it is that user's own: nobody else can use it up. */
  sendEmailCode(to: { email: string }, options?: RequestOptions): Promise<Challenge> {
    return this.#ask("email", "/api/users/send-email-otp/", to.email, { email: to.email }, options);
  }

  /** Verifies an e-mail address by its code. */
  async verifyEmail(typed: { email: string; otp: string; challenge_id?: string }, options?: RequestOptions): Promise<void> {
    await this.#call(post("/api/users/verify-email-otp/", this.#typed("email", typed.email, typed), options));
  }

  /** How far the message of a code has come. The truth for the user whose code it is; a fixed schedule for others. */
  codeStatus(challenge_id: string, options?: RequestOptions): Promise<CodeStatus> {
    const path = `/api/users/otp-status/${encodeURIComponent(challenge_id)}/`;
    return this.#call({ method: "GET", path, ...options });
  }

  /**
   * Follows the message of a code: gives its status, then each change, until it can't change any more, or the code has
   * expired or was replaced. Without delivery receipts it stays `sent`: stop where the code was typed. `every` is the pause
   * between two looks, in milliseconds.
   */
  async *followCode(
    challenge_id: string,
    { every = 2000, ...options }: RequestOptions & { every?: number } = {},
  ): AsyncGenerator<CodeStatus, void, undefined> {
    for (let last: string | undefined; ; ) {
      let wait = every;
      try {
        const status = await this.codeStatus(challenge_id, options);
        if (status.status !== last) yield status;
        last = status.status;
        if (last === "delivered" || last === "undelivered" || last === "failed") return;
      } catch (error) {
        if (!(error instanceof RingbackError)) throw error;
        if (error.code === "not_found") return;
        if (error.retryAfter === undefined) throw error;
        wait = Math.max(every, error.retryAfter * 1000);
      }
      await pause(wait, options.signal);
    }
  }

  // --- A forgotten password ---

  /** Sends a code to set a new password with, if an account has proven this address. */
  forgotPassword(to: Address, options?: RequestOptions): Promise<Challenge> {
    return this.#ask("reset", "/api/users/password/forgot/", undefined, to, options);
  }

  /** Sets a new password by the code of {@link forgotPassword}. All sessions end; sign in with the new one. */
  async resetPassword(typed: NewPassword & { otp: string; challenge_id?: string }, options?: RequestOptions): Promise<void> {
    const body = this.#typed("reset", undefined, confirmed(typed));
    await this.#call({ ...post("/api/users/password/reset/", body, options), token: "none" });
  }

  // --- The current user ---

  /** Gets the current user. */
  me(options?: RequestOptions): Promise<User> {
    return this.#call({ method: "GET", path: "/api/users/me/", ...options });
  }

  /** Changes the name. Phone and e-mail address have ways of their own: they have to be proven. */
  updateMe(changes: { first_name?: string; last_name?: string }, options?: RequestOptions): Promise<User> {
    return this.#call({ method: "PATCH", path: "/api/users/me/", body: changes, ...options });
  }

  /** Deletes the account, and everything about the user with it. Who has no password signs in by code just before. */
  async deleteMe(proof: OwnPassword, options?: RequestOptions): Promise<void> {
    await this.#call({ method: "DELETE", path: "/api/users/me/", body: withPassword(proof), ...options });
    this.#challenges.clear();
    await this.#signIn.forget();
  }

  /** All that is kept about the user. */
  exportMe(options?: RequestOptions): Promise<Record<string, unknown>> {
    return this.#call({ method: "GET", path: "/api/users/me/export/", ...options });
  }

  /** Changes the password. All other sessions end. Who has none leaves `current_password` out. */
  async changePassword(
    change: NewPassword & { current_password?: string | null | undefined },
    options?: RequestOptions,
  ): Promise<void> {
    const body = { ...confirmed(change), current_password: change.current_password ?? null };
    await this.#call(post("/api/users/password/change/", body, options));
  }

  /** Sends a code to a new phone. Until it is typed the old one stays. Who has no password signs in by code just before. */
  requestPhoneChange(change: { phone: string } & OwnPassword, options?: RequestOptions): Promise<Challenge> {
    return this.#ask("change-phone", "/api/users/phone/change/", change.phone, withPassword(change), options);
  }

  /** Takes the new phone by its code. */
  confirmPhoneChange(
    typed: { phone: string; otp: string; challenge_id?: string },
    options?: RequestOptions,
  ): Promise<User> {
    const body = this.#typed("change-phone", typed.phone, typed);
    return this.#call(post("/api/users/phone/change/verify/", body, options));
  }

  /** Sends a code to a new e-mail address; all else is as for a phone. */
  requestEmailChange(change: { email: string } & OwnPassword, options?: RequestOptions): Promise<Challenge> {
    return this.#ask("change-email", "/api/users/email/change/", change.email, withPassword(change), options);
  }

  /** Takes the new e-mail address by its code. */
  confirmEmailChange(
    typed: { email: string; otp: string; challenge_id?: string },
    options?: RequestOptions,
  ): Promise<User> {
    const body = this.#typed("change-email", typed.email, typed);
    return this.#call(post("/api/users/email/change/verify/", body, options));
  }

  // --- Sessions ---

  /** Where the user is signed in. */
  async sessions(options?: RequestOptions): Promise<Session[]> {
    const path = "/api/users/sessions/";
    return (await this.#call<{ sessions: Session[] }>({ method: "GET", path, ...options })).sessions;
  }

  /** Ends one session. */
  async endSession(id: string, options?: RequestOptions): Promise<void> {
    const path = `/api/users/sessions/${encodeURIComponent(id)}/`;
    await this.#call({ method: "DELETE", path, ...options });
  }

  /** Ends all sessions but this one. */
  async endOtherSessions(options?: RequestOptions): Promise<void> {
    await this.#call({ method: "DELETE", path: "/api/users/sessions/", ...options });
  }

  /** Hears of no other tab any more. For clients that end before their page does. */
  close(): void {
    this.#signIn.close();
  }

  // --- What all of them share ---

  /** A call with the token, if there is one. What a stale token cost is tried once more with a new one. */
  async #call<T>({ token, ...request }: Call): Promise<T> {
    if (token === "none") return this.#http.send<T>(request);
    const { signal } = request;
    signal?.throwIfAborted();
    const held = await heeding(signal, this.#signIn.fresh());
    try {
      return await this.#http.send<T>({ ...request, access: held?.access });
    } catch (error) {
      const renewed = held !== null && isStale(error) ? await heeding(signal, this.#signIn.renew(held)) : null;
      if (renewed === null) throw error;
      return this.#http.send<T>({ ...request, access: renewed.access });
    }
  }

  /** A call that signs in. */
  async #enter(path: string, body: unknown, options?: RequestOptions): Promise<User> {
    const { user, tokens } = await this.#call<SignedIn>({ ...post(path, body, options), token: "none" });
    await this.#signIn.keep(tokens);
    return user;
  }

  /** A call that sends a code, whose challenge is remembered until it is typed. */
  async #ask(
    purpose: Purpose,
    path: string,
    address: string | undefined,
    body: unknown,
    options?: RequestOptions,
  ): Promise<Challenge> {
    const isPublic = purpose === "register" || purpose === "login" || purpose === "reset";
    const challenge = await this.#call<Challenge>({ ...post(path, body, options), ...(isPublic ? { token: "none" } : {}) });
    // The address as it was typed and as the service reads it: forms go on with either.
    const addresses = address === undefined ? [""] : [address, challenge.phone ?? challenge.email ?? address];
    for (const one of addresses) this.#challenges.set(`${purpose} ${spelled(one)}`, challenge.challenge_id);
    return challenge;
  }

  /** What was typed, with the id of the challenge that it answers. */
  #typed<T extends { challenge_id?: string }>(purpose: Purpose, address: string | undefined, typed: T): T {
    const challenge_id = typed.challenge_id ?? this.#challenges.get(`${purpose} ${spelled(address ?? "")}`);
    return challenge_id === undefined ? typed : { ...typed, challenge_id };
  }
}

/** With the password once more, unless a form asked twice. */
function confirmed<T extends NewPassword>(typed: T): T & { password_confirm: string } {
  return { ...typed, password_confirm: typed.password_confirm ?? typed.password };
}

/** With the password, or null where there is none. */
function withPassword<T extends OwnPassword>(change: T): T & { password: string | null } {
  return { ...change, password: change.password ?? null };
}

function post(path: string, body: unknown, options?: RequestOptions): Call {
  return { method: "POST", path, body, ...options };
}

/** A timer that is set for longer ends at once. */
const LONGEST = 2 ** 31 - 1;

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resume, refuse) => {
    signal?.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      refuse(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resume();
    }, Math.min(milliseconds, LONGEST));
    signal?.addEventListener("abort", abort, { once: true });
  });
}
