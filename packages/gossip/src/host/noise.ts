import { type ICryptoInterface, noise } from "@chainsafe/libp2p-noise";
import { defaultCrypto } from "@chainsafe/libp2p-noise/crypto";
import type { MessageStream, SecuredConnection } from "@libp2p/interface";
import { SealedStream, type TransportKeys } from "./sealed-stream.ts";

/**
 * Noise with the package's handshake and a transport phase of our own ({@link SealedStream}). The bytes are the same;
 * the package's own costs an error with its stack trace for every read and three lists of arrays for every message.
 */
export function lightNoise(): ReturnType<typeof noise> {
  return (components) => {
    const encrypter = noise()(components);
    const secure = async <Extensions>(
      connection: MessageStream,
      role: "initiator" | "responder",
      shake: (crypto: ICryptoInterface) => Promise<SecuredConnection<Extensions>>,
    ): Promise<SecuredConnection<Extensions>> => {
      let split: readonly [Uint8Array, Uint8Array] | null = null;
      const crypto: ICryptoInterface = {
        ...defaultCrypto,
        getHKDF: (chainingKey, material) => {
          const keys = defaultCrypto.getHKDF(chainingKey, material);
          // Noise Protocol Framework, section 5.2, Split(): the one derivation without key material.
          if (material.length === 0) split = [keys[0], keys[1]];
          return keys;
        },
      };
      const listen = connection.addEventListener;
      // Once there are keys, who would listen is the package's own transport phase.
      connection.addEventListener = (...listening: Parameters<typeof listen>) => {
        if (split === null) listen.apply(connection, listening);
      };
      try {
        const secured = await shake(crypto);
        connection.addEventListener = listen;
        return { ...secured, connection: new SealedStream(connection, keysOf(split, role)) };
      } finally {
        connection.addEventListener = listen;
      }
    };
    encrypter.secureOutbound = (connection, options) =>
      secure(connection, "initiator", (crypto) =>
        noise({ crypto })(components).secureOutbound(connection, options),
      );
    encrypter.secureInbound = (connection, options) =>
      secure(connection, "responder", (crypto) =>
        noise({ crypto })(components).secureInbound(connection, options),
      );
    return encrypter;
  };
}

/** The first key is the initiator's to send with. */
function keysOf(
  split: readonly [Uint8Array, Uint8Array] | null,
  role: "initiator" | "responder",
): TransportKeys {
  if (split === null) throw new Error("the Noise handshake ended without keys");
  const [ofInitiator, ofResponder] = split;
  return role === "initiator"
    ? { send: ofInitiator, receive: ofResponder }
    : { send: ofResponder, receive: ofInitiator };
}
