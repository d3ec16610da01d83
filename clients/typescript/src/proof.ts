/** A proof of work (ALTCHA, version 1): finds the number that makes a hash. */
import type { ProofChallenge } from "./types.js";

/** Hashes that are on their way at a time. */
const BATCH = 256;

/** Solves a proof of work by WebCrypto, which browsers have on `https` and on localhost. Gives the value of `X-Proof`. */
export async function solveProof(proof: ProofChallenge, signal: AbortSignal): Promise<string> {
  const { algorithm, challenge, maxnumber, salt, signature } = proof;
  const text = new TextEncoder();
  const wanted = challenge.toLowerCase();
  const begins = Number.parseInt(wanted.slice(0, 8), 16);
  const hash = async (number: number) => new DataView(await crypto.subtle.digest(algorithm, text.encode(salt + number)));
  for (let from = 0; from <= maxnumber; from += BATCH) {
    signal.throwIfAborted();
    const hashes = await Promise.all(Array.from({ length: BATCH }, (_, at) => hash(from + at)));
    // Four bytes tell nearly all of them apart.
    const at = hashes.findIndex((found) => found.getUint32(0) === begins && hex(found) === wanted);
    if (at >= 0) return btoa(JSON.stringify({ algorithm, challenge, number: from + at, salt, signature }));
  }
  throw new Error("The proof of work has no solution.");
}

function hex(bytes: DataView): string {
  return Array.from(new Uint8Array(bytes.buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
