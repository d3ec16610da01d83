/** One request and its answer: JSON, the time that it may take, and problems as errors. */
import { RingbackError, type ProblemFields } from "./errors.js";
import { heeding } from "./signal.js";
import type { SolveProof } from "./types.js";

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

export interface HttpOptions {
  baseUrl: string;
  fetch: typeof fetch;
  /** In milliseconds. */
  timeout: number;
  language: string | undefined;
  solveProof: SolveProof | false;
}

export interface Request {
  method: Method;
  path: string;
  body?: unknown;
  access?: string | undefined;
  signal?: AbortSignal | undefined;
}

export class Http {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = { ...options, baseUrl: options.baseUrl.replace(/\/+$/, "") };
  }

  /** Gives what was answered, `undefined` for an answer without a body. A proof of work that is asked for is done once. */
  async send<T>(request: Request): Promise<T> {
    try {
      return await this.#once<T>(request);
    } catch (error) {
      const { solveProof } = this.#options;
      if (!(error instanceof RingbackError) || error.code !== "proof_required" || solveProof === false) throw error;
      const signal = request.signal ?? new AbortController().signal;
      let proof: string;
      try {
        proof = await heeding(signal, Promise.resolve(solveProof(error.proof, signal)));
      } catch (cause) {
        signal.throwIfAborted();
        // Without a proof it stays refused.
        error.cause = cause;
        throw error;
      }
      return this.#once<T>(request, proof);
    }
  }

  async #once<T>(request: Request, proof?: string): Promise<T> {
    request.signal?.throwIfAborted();
    const ends = new AbortController();
    const abort = () => ends.abort();
    request.signal?.addEventListener("abort", abort);
    const timer = setTimeout(abort, this.#options.timeout);
    try {
      return await this.#exchange<T>(request, proof, ends.signal);
    } catch (error) {
      request.signal?.throwIfAborted();
      if (error instanceof RingbackError) throw error;
      if (ends.signal.aborted) {
        throw new RingbackError({ code: "timeout", detail: "The service took too long to answer." }, { cause: error });
      }
      throw new RingbackError({ code: "network_error", detail: "The service could not be reached." }, { cause: error });
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener("abort", abort);
    }
  }

  async #exchange<T>(request: Request, proof: string | undefined, signal: AbortSignal): Promise<T> {
    const { baseUrl, fetch, language } = this.#options;
    const headers: Record<string, string> = { accept: "application/json, application/problem+json" };
    if (request.body !== undefined) headers["content-type"] = "application/json";
    if (request.access !== undefined) headers["authorization"] = `Bearer ${request.access}`;
    if (language !== undefined) headers["accept-language"] = language;
    if (proof !== undefined) headers["x-proof"] = proof;
    const answer = await fetch(baseUrl + request.path, {
      method: request.method,
      headers,
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal,
    });
    const text = await answer.text();
    if (answer.status === 204) return undefined as T;
    const said = parse(text);
    if (answer.ok && said !== undefined) return said as T;
    throw problem(answer, said);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problem(answer: Response, said: unknown): RingbackError {
  const status = answer.status;
  if (!answer.ok && typeof said === "object" && said !== null && "code" in said) {
    const fields = said as ProblemFields;
    return new RingbackError({ ...waiting(answer), ...fields, status });
  }
  // A proxy, or a wrong address: its words are for nobody.
  return new RingbackError({
    code: "unexpected_answer",
    detail: `Something else than the service answered, with status ${status}.`,
    status,
    ...waiting(answer),
  });
}

/** How long to wait before another try, if the answer says so: in seconds, or until when. */
function waiting({ headers }: Response): { retry_after?: number } {
  const said = headers.get("retry-after")?.trim() ?? "";
  const wait = /^\d+$/.test(said) ? Number(said) : Math.ceil((Date.parse(said) - Date.now()) / 1000);
  return Number.isNaN(wait) ? {} : { retry_after: Math.max(wait, 0) };
}
