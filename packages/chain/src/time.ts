import { ChainError } from "./errors.ts";
import type { Time } from "./types.ts";
import { ZERO_TIME } from "./types.ts";

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

/** 9999-12-31T23:59:59.999999999Z: the last time that protobuf's Timestamp and RFC 3339 can name. */
export const MAX_TIME: Time = 253_402_300_800n * NS_PER_SECOND - 1n;

/** Whether a time lies in the years 1 to 9999. */
export function isEncodableTime(time: Time): boolean {
  return time >= ZERO_TIME && time <= MAX_TIME;
}

/** Whole seconds, floored, and the nanoseconds 0 .. 999999999 after them. */
export function splitTime(time: Time): { seconds: number; nanos: number } {
  let seconds = time / NS_PER_SECOND;
  let nanos = Number(time % NS_PER_SECOND);
  if (nanos < 0) {
    nanos += 1_000_000_000;
    seconds -= 1n;
  }
  return { seconds: Number(seconds), nanos };
}

/**
 * Time of integral milliseconds since the Unix epoch.
 * @throws ChainError `TIME` when `ms` is no safe integer.
 */
export function timeFromMs(ms: number): Time {
  if (!Number.isSafeInteger(ms))
    throw new ChainError("TIME", `${ms} is no whole number of milliseconds`, { ms });
  return BigInt(ms) * NS_PER_MS;
}

/** Milliseconds since the Unix epoch, rounded down. */
export function timeToMs(time: Time): number {
  const ms = time / NS_PER_MS;
  return Number(time % NS_PER_MS < 0n ? ms - 1n : ms);
}

/**
 * RFC 3339 in UTC as Go prints it: no fraction when it is zero, else without trailing zeros.
 * @throws ChainError `TIME` outside the years 1 to 9999.
 */
export function formatTime(time: Time): string {
  if (!isEncodableTime(time))
    throw new ChainError("TIME", `${time} ns is outside the years 1 to 9999`, { time });
  const { seconds, nanos } = splitTime(time);
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
  return `${whole}${fraction}Z`;
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;

/**
 * Reads RFC 3339 with up to nine digits of fraction and any offset.
 * @throws ChainError `TIME` on other text, days that do not exist and times outside the years 1 to 9999.
 */
export function parseTime(text: string): Time {
  const refuse = (why: string): ChainError => new ChainError("TIME", `"${text.slice(0, 64)}" ${why}`);
  const match = RFC3339.exec(text);
  if (match === null) throw refuse("is no RFC 3339 time such as 2026-01-31T12:00:00.5Z");
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHour, offsetMinute] = match;
  const civil = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const date = new Date(`${civil}Z`);
  if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 19) !== civil) {
    throw refuse("names a day or time of day that does not exist");
  }
  if (Number(offsetHour ?? 0) > 23 || Number(offsetMinute ?? 0) > 59)
    throw refuse("has an impossible offset");
  const offset = (Number(offsetHour ?? 0) * 60 + Number(offsetMinute ?? 0)) * 60 * (sign === "-" ? -1 : 1);
  const time =
    BigInt(date.getTime() / 1000 - offset) * NS_PER_SECOND + BigInt((fraction ?? "").padEnd(9, "0"));
  if (!isEncodableTime(time)) throw refuse("is outside the years 1 to 9999");
  return time;
}
