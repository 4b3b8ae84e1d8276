import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { GossipError, reasonOf } from "./errors.ts";
import type { DialTarget } from "./host/dialler.ts";
import { createLibp2pNetwork } from "./host/libp2p.ts";
import type { Network } from "./host/network.ts";
import { peerIdOf, privateKeyOf } from "./host/node-key.ts";
import { assembleGossip } from "./layer.ts";
import type { Gossip, GossipModules, GossipOptions } from "./types.ts";

/**
 * The gossip layer over libp2p, wired and not started.
 * @throws GossipError `CONFIG` on a node key, address or binding that cannot be used.
 */
export async function createGossip(options: GossipOptions, modules: GossipModules): Promise<Gossip> {
  return (await wireGossip(options, modules)).gossip;
}

/** As {@link createGossip}, with the network beside it: for tests that break links from within. */
export async function wireGossip(
  options: GossipOptions,
  modules: GossipModules,
): Promise<{ readonly gossip: Gossip; readonly network: Network }> {
  const privateKey = privateKeyOf(options.nodeKey);
  const persistentPeers = options.persistentPeers.map(targetOf);
  const { listen, announce = [], allow, validatorPeers, maxPeers, random = Math.random } = options;
  return assembleGossip(
    {
      self: peerIdOf(options.nodeKey),
      persistentPeers,
      ...(allow === undefined ? {} : { allow }),
      ...(validatorPeers === undefined ? {} : { validatorPeers }),
      maxPeers,
      random,
    },
    modules,
    (asked) => createLibp2pNetwork({ privateKey, listen, announce }, asked),
  );
}

/** Peer id and multiaddr of a persistent peer. */
function targetOf(address: string): DialTarget {
  try {
    const peer = multiaddr(address)
      .getComponents()
      .findLast((component) => component.name === "p2p")?.value;
    if (peer === undefined) throw new Error("it has no /p2p/ part");
    return { peer: peerIdFromString(peer).toString(), address };
  } catch (error) {
    throw new GossipError("CONFIG", `persistent peer ${address} cannot be used: ${reasonOf(error)}`, {
      address,
    });
  }
}
