/** One at a time, in all tabs where the browser has locks, else in this process. */

const queues = new Map<unknown, Promise<unknown>>();

/** Runs the job when no other that waits on this key does. A key that is no text is for this process alone. */
export function locked<T>(key: string | object, job: () => Promise<T>): Promise<T> {
  const locks = typeof key === "string" ? globalThis.navigator?.locks : undefined;
  // Locks are for secure contexts: https and localhost.
  if (locks) return locks.request(`ringback:${String(key)}`, job) as Promise<T>;
  const before = queues.get(key) ?? Promise.resolve();
  const result = before.then(job);
  const settled = result.catch(() => undefined).then(() => {
    if (queues.get(key) === settled) queues.delete(key);
  });
  queues.set(key, settled);
  return result;
}
