import { inlineDisk } from "./disk.ts";
import { chainedRecords, type ScanResult, type ScanVerdict, scanLog } from "./scan.ts";
import type { WalDisk, WalPosition, WalRecord } from "./types.ts";
import { segmentFiles } from "./wal.ts";

export interface InspectedRecord extends WalRecord {
  readonly file: string;
  readonly offset: number;
  readonly coreVersion: number;
}

export interface WalInspection {
  /** What opening the log with the same dependency would find. */
  readonly verdict: ScanVerdict;
  readonly segments: ScanResult["segments"];
  /** Position of the last good record, `null` without a log. */
  readonly last: WalPosition | null;
  /** Good records, oldest first; of a damaged log those before the damage. */
  records(): AsyncGenerator<InspectedRecord>;
}

/**
 * Looks at a log without changing a byte of it, even while a node writes to it (records written after the call are
 * not shown). Files of a directory that is missing read as an empty log.
 */
export async function inspectWal(
  dir: string,
  options: { readonly dependency?: WalPosition; readonly disk?: WalDisk } = {},
): Promise<WalInspection> {
  const disk = options.disk ?? inlineDisk();
  const files = segmentFiles(dir, await disk.list(dir));
  const scan = await scanLog(files, (file) => disk.read(file), options.dependency);
  return {
    verdict: scan.verdict,
    segments: scan.segments,
    last: scan.last,
    async *records() {
      for (const segment of scan.segments) {
        const bytes = await disk.read(segment.file);
        for (const record of chainedRecords(bytes, segment.before)) {
          if (record.sequence > segment.last.sequence) break;
          const { sequence, crc, type, payload, offset } = record;
          yield {
            sequence,
            crc,
            type,
            payload,
            offset,
            file: segment.file,
            coreVersion: segment.coreVersion,
          };
        }
      }
    },
  };
}
