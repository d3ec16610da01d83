/** What is thrown: one class, whose type is told apart by `code`. */
import type { components } from "./schema.js";
import type { ProofChallenge } from "./types.js";

/** What the service answers in place of what was asked for (RFC 9457). */
export type Problem = components["schemas"]["Problem"];

/** What has no answer of the service: it could not be reached, took too long, or something else answered in its place. */
type OwnCode = "network_error" | "timeout" | "unexpected_answer";

/** Everything that `error.code` may be. A newer service may have further codes: have a default. */
export type ErrorCode = Problem["code"] | OwnCode;

/** What a problem is made of, as far as it is known. */
export interface ProblemFields {
  code: string;
  detail: string;
  status?: number;
  errors?: Record<string, string[]>;
  rule?: string;
  scope?: string;
  retry_after?: number;
  attempts_remaining?: number;
  request_id?: string;
  proof?: ProofChallenge;
}

class BaseError extends Error {
  /** What happened, for programs. */
  readonly code: string;
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** What is wrong with each field, by its name in the request; empty where no field is to blame. */
  readonly errors: Readonly<Record<string, readonly string[]>>;
  /** The id of the rate limit that refused. */
  readonly rule: string | undefined;
  /** Where that rule is counted: `cluster` or `instance`. */
  readonly scope: string | undefined;
  /** Seconds to wait before another try. */
  readonly retryAfter: number | undefined;
  /** How many more codes will be judged. */
  readonly attemptsRemaining: number | undefined;
  /** Names the request in the service's log. */
  readonly requestId: string | undefined;
  /** The proof of work that was asked for. */
  readonly proof: ProofChallenge | undefined;

  constructor(problem: ProblemFields, options?: ErrorOptions) {
    super(problem.detail, options);
    this.name = "RingbackError";
    this.code = problem.code;
    this.status = problem.status ?? 0;
    this.errors = problem.errors ?? {};
    this.rule = problem.rule;
    this.scope = problem.scope;
    this.retryAfter = problem.retry_after;
    this.attemptsRemaining = problem.attempts_remaining;
    this.requestId = problem.request_id;
    this.proof = problem.proof;
  }
}

/** What a code is sure to bring along. */
interface Sure<P> {
  readonly code: P extends { code: infer Code } ? Code : never;
  readonly status: P extends { status: infer Status extends number } ? Status : number;
  readonly attemptsRemaining: P extends { attempts_remaining: number } ? number : undefined;
  readonly rule: P extends { rule: string } ? string : undefined;
  readonly retryAfter: P extends { retry_after: number } ? number : number | undefined;
  readonly proof: P extends { proof: ProofChallenge } ? ProofChallenge : undefined;
}

type ErrorOf<P> = P extends unknown ? Omit<BaseError, keyof Sure<P>> & Sure<P> : never;

/**
 * What every call throws when it was refused or not answered. Its type is told apart by `code`:
 *
 * ```ts
 * if (error instanceof RingbackError && error.code === "otp_invalid") show(error.attemptsRemaining);
 * ```
 */
export type RingbackError = ErrorOf<Problem | { code: OwnCode }>;

export const RingbackError = BaseError as unknown as {
  new (problem: ProblemFields, options?: ErrorOptions): RingbackError;
  readonly prototype: RingbackError;
};

/** Whether new tokens may help: the token was read, and is not good any more. */
export function isStale(error: unknown): boolean {
  return error instanceof RingbackError && error.status === 401 && error.code.startsWith("token_");
}
