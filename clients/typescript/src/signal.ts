/** Calls that their caller gives up. */

/** What comes of it, or the signal's reason as soon as that is given. The work itself goes on: others may wait for it. */
export function heeding<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resume, refuse) => {
    const abort = () => refuse(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resume, refuse).finally(() => signal.removeEventListener("abort", abort));
  });
}
