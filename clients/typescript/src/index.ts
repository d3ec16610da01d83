/**
 * Client of the Ringback user-account service.
 *
 * @packageDocumentation
 */
export { createClient, type ClientOptions, type RingbackClient, type SignInState } from "./client.js";
export { RingbackError, type ErrorCode, type Problem } from "./errors.js";
export { memoryStorage, webStorage, type StoredTokens, type TokenStorage } from "./storage.js";
export type {
  Address,
  Challenge,
  CodeStatus,
  NewAccount,
  NewPassword,
  ProofChallenge,
  RequestOptions,
  Session,
  SolveProof,
  User,
} from "./types.js";
export type { components, operations, paths } from "./schema.js";
