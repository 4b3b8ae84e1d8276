import { ChainError } from "../errors.ts";
import { isEncodableTime, MAX_TIME, splitTime } from "../time.ts";
import type { Time } from "../types.ts";
import { ZERO_TIME } from "../types.ts";
import type { ProtoReader, ProtoWriter } from "./proto.ts";

const NS_PER_SECOND = 1_000_000_000n;

/** The fields of google.protobuf.Timestamp. @throws ChainError `ENCODE` outside the years 1 to 9999. */
export function writeTimestampFields(writer: ProtoWriter, time: Time): void {
  if (!isEncodableTime(time)) {
    throw new ChainError("ENCODE", `time ${time} ns is outside the years 1 to 9999`, { time });
  }
  const { seconds, nanos } = splitTime(time);
  writer.int(1, seconds).int(2, nanos);
}

/** An embedded Timestamp, always written. */
export function writeTimestamp(writer: ProtoWriter, field: number, time: Time): void {
  const mark = writer.open(field);
  writeTimestampFields(writer, time);
  writer.close(mark);
}

/** An embedded Timestamp that must be there; the empty message is 1970. */
export function readTimestamp(reader: ProtoReader, field: number): Time {
  const inner = reader.message(field, "timestamp");
  const seconds = inner.int64(1);
  const nanos = inner.uint(2, 999_999_999);
  inner.end();
  const time = seconds * NS_PER_SECOND + BigInt(nanos);
  if (time < ZERO_TIME || time > MAX_TIME) throw inner.fault("time is outside the years 1 to 9999");
  return time;
}
