import { privateKeyFromProtobuf, privateKeyFromRaw, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { concatBytes, ed25519Keygen, ed25519PublicKey } from "@quorate/crypto";
import { GossipError, reasonOf } from "../errors.ts";

/** The private key of a node-key protobuf. @throws GossipError `CONFIG` unless it is an Ed25519 key. */
export function privateKeyOf(nodeKey: Uint8Array): PrivateKey {
  let key: PrivateKey;
  try {
    key = privateKeyFromProtobuf(nodeKey);
  } catch (error) {
    throw new GossipError(
      "CONFIG",
      "the node key cannot be read; restore node_key.json or create a new one",
      {
        reason: reasonOf(error),
      },
    );
  }
  if (key.type !== "Ed25519") {
    throw new GossipError("CONFIG", `the node key is of type ${key.type}; only Ed25519 is used`);
  }
  return key;
}

/** libp2p peer id of a node key, as in `/p2p/…`. @throws GossipError `CONFIG` on a bad key. */
export function peerIdOf(nodeKey: Uint8Array): string {
  return peerIdFromPrivateKey(privateKeyOf(nodeKey)).toString();
}

/** A new node key: libp2p private-key protobuf (Ed25519). */
export function createNodeKey(): Uint8Array {
  return nodeKeyFromSeed(ed25519Keygen().seed);
}

/** The node key of a 32-byte seed. */
export function nodeKeyFromSeed(seed: Uint8Array): Uint8Array {
  return privateKeyToProtobuf(privateKeyFromRaw(concatBytes(seed, ed25519PublicKey(seed))));
}
