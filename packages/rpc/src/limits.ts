/** Every bound of the RPC server, each with its reason. */

/** Largest request body: a transaction of 128 KiB in base64 is far below; CometBFT allows 1,000,000. */
export const MAX_BODY_BYTES: number = 1_048_576;
/** Calls in one batch. */
export const MAX_BATCH: number = 100;
/** Bytes of all answers of one batch: a hundred calls for full blocks must not gather a gigabyte. */
export const MAX_BATCH_ANSWER_BYTES: number = 64 * 1_048_576;
/** Nesting of a request's JSON: real calls need 3. */
export const MAX_JSON_DEPTH: number = 32;
/** Longest request target (path and query): a transaction in a URI is hex. */
export const MAX_URL_CHARACTERS: number = 65_536;
/** Open connections; CometBFT's default. */
export const MAX_CONNECTIONS: number = 900;
/** Requests being answered at once; more are told to come back, so that RPC cannot starve consensus. */
export const MAX_IN_FLIGHT: number = 64;
/** Requests of one keep-alive connection before it is closed. */
export const MAX_REQUESTS_PER_SOCKET: number = 10_000;
/** A client must have sent its headers within this time, ms. */
export const HEADERS_TIMEOUT_MS: number = 5_000;
/** A client must have sent its whole request within this time, ms. */
export const REQUEST_TIMEOUT_MS: number = 10_000;
/** A connection without traffic is closed after this time, ms: also clients that do not read their answer. */
export const IDLE_TIMEOUT_MS: number = 30_000;
/** How long `close` lets answers under way finish, ms. */
export const CLOSE_GRACE_MS: number = 2_000;
/** Headers of recent blocks kept, since status and blockchain ask for the same ones again and again. */
export const META_CACHE: number = 128;
/** Page sizes of `/validators` and limits of lists, as CometBFT has them. */
export const DEFAULT_PER_PAGE: number = 30;
export const MAX_PER_PAGE: number = 100;
/** Block metas in one `/blockchain` answer. */
export const MAX_BLOCK_METAS: number = 20;
/** Bytes of the genesis document per chunk. */
export const GENESIS_CHUNK_BYTES: number = 16 * 1_048_576;
