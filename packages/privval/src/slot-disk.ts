import { mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Where slots are written. Operations take effect in the order of the calls; once a write or sync has failed, every
 * later one fails too. The writer thread of the log is one; give that one, so that one thread orders both files.
 */
export interface SlotDisk {
  read(file: string): Promise<Uint8Array>;
  write(file: string, offset: number, bytes: Uint8Array): Promise<void>;
  fdatasync(file: string): Promise<void>;
  /** Creates with `size` zero bytes, durable together with its directory entry. */
  create(file: string, size: number): Promise<void>;
}

/** Slots through the file system directly: for key commands, where a few milliseconds do not matter. */
export function fileSlotDisk(): SlotDisk {
  const edit = async (
    file: string,
    work: (handle: import("node:fs/promises").FileHandle) => Promise<void>,
  ) => {
    const handle = await open(file, "r+");
    try {
      await work(handle);
    } finally {
      await handle.close();
    }
  };
  let tail: Promise<void> = Promise.resolve();
  const inOrder = (work: () => Promise<void>): Promise<void> => {
    // A failed operation stays in the chain: whatever follows it fails as well.
    tail = tail.then(work);
    return tail;
  };
  return {
    read: async (file) => new Uint8Array(await readFile(file)),
    write: (file, offset, bytes) =>
      inOrder(() =>
        edit(file, async (handle) => {
          for (let at = 0; at < bytes.length; ) {
            at += (await handle.write(bytes, at, bytes.length - at, offset + at)).bytesWritten;
          }
        }),
      ),
    fdatasync: (file) => inOrder(() => edit(file, (handle) => handle.datasync())),
    create: async (file, size) => {
      await mkdir(dirname(file), { recursive: true });
      const handle = await open(file, "w", 0o600);
      try {
        await handle.write(new Uint8Array(size), 0, size, 0);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await syncDirectory(dirname(file));
    },
  };
}

/** Makes a directory's entries durable. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
