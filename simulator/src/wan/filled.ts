import type { OpenedExecution } from "@quorate/node/composition";

/** The built-in pool, always full enough for a block of this size. */
export function filled(opened: OpenedExecution, blockBytes: number): OpenedExecution {
  if (blockBytes === 0) return opened;
  const txs = Array.from({ length: Math.ceil(blockBytes / TX_BYTES) }, (_, i) => {
    const tx = new Uint8Array(TX_BYTES);
    new DataView(tx.buffer).setUint32(0, i);
    return tx;
  });
  const client = new Proxy(opened.client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== "getBuilt") return typeof value === "function" ? value.bind(target) : value;
      return async (...args: Parameters<typeof target.getBuilt>) => {
        const built = await target.getBuilt(...args);
        return built === null ? null : { ...built, txs: [...built.txs, ...txs] };
      };
    },
  });
  return { ...opened, client };
}

/** As Malachite's throughput figures count them, and near the size of a signed transfer. */
const TX_BYTES = 250;
