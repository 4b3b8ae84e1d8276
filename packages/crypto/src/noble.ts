import { hashes } from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import { nodeCrypto, nodeHash } from "./platform.ts";

// noble leaves SHA-512 to its user; Node's is four times as fast on a vote and gives the same digests.
hashes.sha512 = (message) =>
  nodeCrypto === undefined ? sha512(message) : nodeHash(nodeCrypto, "sha512", message);

export { getPublicKey, keygen, Point, sign, verify } from "@noble/ed25519";
