/** Whose tokens there are, in this tab and others: kept, renewed by one at a time, given up when their session has ended. */
import { isStale } from "./errors.js";
import { locked } from "./lock.js";
import type { StoredTokens, TokenStorage } from "./storage.js";
import type { Tokens } from "./types.js";

/** Whether somebody is signed in. */
export type SignInState = "signed_in" | "signed_out";

/** So long before its end an access token is renewed, in milliseconds: it has to be good when it arrives. */
const EARLY = 10_000;

export class SignIn {
  readonly #storage: TokenStorage;
  readonly #renew: (refresh: string) => Promise<Tokens>;
  readonly #listeners = new Set<(state: SignInState) => void>();
  readonly #channel: BroadcastChannel | undefined;
  readonly #unsubscribe: (() => void) | undefined;
  #renewing: Promise<StoredTokens | null> | undefined;
  #state: SignInState | undefined;

  constructor(storage: TokenStorage, renew: (refresh: string) => Promise<Tokens>) {
    this.#storage = storage;
    this.#renew = renew;
    this.#unsubscribe = storage.subscribe?.(() => void this.#look());
    // For storage that has no news of its own. What a page reads of localStorage may be older than this message.
    if (storage.name !== undefined && typeof BroadcastChannel !== "undefined") {
      this.#channel = new BroadcastChannel(`ringback:${storage.name}`);
      // No token goes over the channel: who hears of a change reads the storage.
      this.#channel.onmessage = () => void this.#look();
      // Node would stay alive for it.
      (this.#channel as { unref?: () => void }).unref?.();
    }
  }

  /** Tokens whose access token is good for a while, as far as is known here; none where nobody is signed in. */
  async fresh(): Promise<StoredTokens | null> {
    const held = await this.#storage.get();
    return held !== null && held.expiresAt - EARLY <= Date.now() ? this.renew(held) : held;
  }

  /** New tokens for these: those that another call or tab has got meanwhile, else of a refresh that all share. */
  renew(stale: StoredTokens): Promise<StoredTokens | null> {
    this.#renewing ??= this.exclusively(() => this.#renewOnce(stale)).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renewOnce(stale: StoredTokens): Promise<StoredTokens | null> {
    const held = await this.#storage.get();
    if (held === null || held.access !== stale.access) return held;
    let renewed: Tokens;
    try {
      renewed = await this.#renew(held.refresh);
    } catch (error) {
      // The session has ended. Anything else leaves the tokens as they are: the service may be down for a moment.
      if (isStale(error)) await this.#forgetIf(held);
      throw error;
    }
    // Without locks somebody may have signed in or out meanwhile.
    const now = await this.#storage.get();
    if (now?.refresh !== held.refresh) return now;
    return this.keep(renewed);
  }

  async #forgetIf(held: StoredTokens): Promise<void> {
    const now = await this.#storage.get();
    if (now?.refresh === held.refresh) await this.forget();
  }

  /** Runs a job that reads tokens and writes others: no other such job runs meanwhile. */
  exclusively<T>(job: () => Promise<T>): Promise<T> {
    return locked(this.#storage.name ?? this.#storage, job);
  }

  async keep(tokens: Tokens): Promise<StoredTokens> {
    const { access, refresh, expires_in } = tokens;
    const kept = { access, refresh, expiresAt: Date.now() + expires_in * 1000 };
    await this.#storage.set(kept);
    await this.#announce();
    return kept;
  }

  async forget(): Promise<void> {
    await this.#storage.remove();
    await this.#announce();
  }

  current(): StoredTokens | null | Promise<StoredTokens | null> {
    return this.#storage.get();
  }

  /** Calls the listener with the state as it is, then whenever somebody signs in or out, here or in another tab. */
  onChange(listener: (state: SignInState) => void): () => void {
    this.#listeners.add(listener);
    void this.#read().then((state) => {
      this.#state ??= state;
      if (this.#listeners.has(listener)) tell(listener, state);
    });
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#unsubscribe?.();
    this.#channel?.close();
    this.#listeners.clear();
  }

  async #announce(): Promise<void> {
    this.#channel?.postMessage("changed");
    await this.#look();
  }

  async #read(): Promise<SignInState> {
    return (await this.#storage.get()) === null ? "signed_out" : "signed_in";
  }

  async #look(): Promise<void> {
    const state = await this.#read();
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) tell(listener, state);
  }
}

/** A listener's fault is the page's own, as with events: whoever signed in is signed in, and the other listeners hear of it. */
function tell(listener: (state: SignInState) => void, state: SignInState): void {
  try {
    listener(state);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
