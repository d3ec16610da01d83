/** Where tokens are kept. */

/** A session's tokens. */
export interface StoredTokens {
  access: string;
  refresh: string;
  /** When the access token expires, by this machine's clock, in milliseconds since 1970. */
  expiresAt: number;
}

/** A place for tokens. The client writes nothing else, and reads before each call: another tab may have written. */
export interface TokenStorage {
  /**
   * Names what is shared: all clients with a storage of this name, in this tab or another, share one sign-in and renew its
   * tokens one at a time. Leave it out where nobody else sees what is stored.
   */
  readonly name?: string;
  get(): StoredTokens | null | Promise<StoredTokens | null>;
  set(tokens: StoredTokens): void | Promise<void>;
  remove(): void | Promise<void>;
  /** Calls the listener when another tab has written and that can be read here. Gives what ends it. */
  subscribe?(listener: () => void): () => void;
}

/** Keeps tokens for as long as the page, or the process, lives. Nothing else can read them. */
export function memoryStorage(): TokenStorage {
  let held: StoredTokens | null = null;
  return {
    get: () => held,
    set: (tokens) => {
      held = tokens;
    },
    remove: () => {
      held = null;
    },
  };
}

/**
 * Keeps tokens in `localStorage`, for all tabs of the site, or in another `Storage`.
 *
 * Not in `sessionStorage`: a tab that is duplicated has a copy of it, and of two copies of a refresh token one is taken for
 * stolen, which ends the session.
 */
export function webStorage(area: Storage = localStorage, name = "ringback"): TokenStorage {
  return {
    name,
    get: () => read(area.getItem(name)),
    set: (tokens) => area.setItem(name, JSON.stringify(tokens)),
    remove: () => area.removeItem(name),
    subscribe: (listener) => {
      // Outside of a page there is no other.
      if (typeof window === "undefined") return () => {};
      const heard = (event: StorageEvent) => {
        if (event.storageArea === area && (event.key === name || event.key === null)) listener();
      };
      window.addEventListener("storage", heard);
      return () => window.removeEventListener("storage", heard);
    },
  };
}

/** What stands there may be anybody's: what is no token is nothing. */
function read(text: string | null): StoredTokens | null {
  try {
    const { access, refresh, expiresAt } = JSON.parse(text ?? "null") as StoredTokens;
    const isSound = typeof access === "string" && typeof refresh === "string" && typeof expiresAt === "number";
    return isSound ? { access, refresh, expiresAt } : null;
  } catch {
    return null;
  }
}
