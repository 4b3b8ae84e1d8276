/**
 * Where everything lies in the module's memory, in bytes. Fixed, so that every address is a constant of the code and no
 * allocator is part of the module. Static data of the compiler begins at {@link END} (`--memoryBase` in build.ts).
 */

/** A quad: four field elements side by side, ten limbs of four 32-bit lanes. Also one point: its four coordinates. */
export const QUAD: usize = 160;

/** Signatures of one batch at most. Bounds every sum over a batch in scalar.ts. */
export const MAX_ITEMS: usize = 256;
/** Keys whose tables are kept at most: the largest validator set. */
export const MAX_KEYS: usize = 512;
/** Bytes of a message that is hashed here; longer ones are hashed outside. */
export const MAX_MESSAGE: usize = 4096;

/** Width of the signed digits for R, for keys and for the base point: tables hold the odd multiples 1, 3 … 2^(w-1) - 1. */
export const R_WIDTH: usize = 4;
export const KEY_WIDTH: usize = 7;
export const BASE_WIDTH: usize = 8;

const R_TABLE: usize = QUAD << (R_WIDTH - 2);
const KEY_TABLE: usize = QUAD << (KEY_WIDTH - 2);
const BASE_TABLE: usize = QUAD << (BASE_WIDTH - 2);

/** Digits lie `width` apart and a scalar has 129 places at most. */
const R_DIGITS: usize = 128 / R_WIDTH + 1;
const KEY_DIGITS: usize = 128 / KEY_WIDTH + 1;
const BASE_DIGITS: usize = 128 / BASE_WIDTH + 1;

/** Per item: R ‖ S, as it was signed. */
export const SIGNATURES: usize = 1024;
/** Per item: SHA-512(R ‖ A ‖ message), 64 bytes. */
export const DIGESTS: usize = SIGNATURES + MAX_ITEMS * 64;
/** Per item: the coefficient z, 16 random bytes. */
export const COEFFICIENTS: usize = DIGESTS + MAX_ITEMS * 64;
/** Per item: u32 number of its key. */
export const KEY_OF: usize = COEFFICIENTS + MAX_ITEMS * 16;
/** Per item: u8, 1 when R is a point and S is in range. */
export const WELL_FORMED: usize = KEY_OF + MAX_ITEMS * 4;
/** Room for R ‖ A ‖ message and SHA-512's padding. */
export const HASHED: usize = WELL_FORMED + MAX_ITEMS;
/** Where the message goes, behind R ‖ A. */
export const MESSAGE: usize = HASHED + 64;
/** Per key: its 32 bytes. */
export const KEYS: usize = (MESSAGE + MAX_MESSAGE + 160 + 63) & ~63;
/** Per key: u32 count of the batch's items under it that were not added up yet; see batch.ts. */
export const KEY_USED: usize = KEYS + MAX_KEYS * 32;
/** Per key: sum of z·k, 21 limbs in room for 24. */
export const KEY_SUMS: usize = KEY_USED + MAX_KEYS * 4;
export const SUM: usize = 96;
/** Tables of the base point B and of 2^128 B. */
export const BASE_TABLES: usize = (KEY_SUMS + MAX_KEYS * SUM + 63) & ~63;
/** Per key: tables of A and of 2^128 A. */
export const KEY_TABLES: usize = BASE_TABLES + 2 * BASE_TABLE;
/** Per item: table of R. */
export const R_TABLES: usize = KEY_TABLES + MAX_KEYS * 2 * KEY_TABLE;
/** Per place 0 … 128: u32 address of the first digit there, 0 = none. */
export const PLACES: usize = R_TABLES + MAX_ITEMS * R_TABLE;
/** Digits: u32 address of the table entry, bit 0 set when it is subtracted; u32 address of the next digit. */
export const DIGITS: usize = PLACES + 129 * 8;
export const DIGITS_END: usize =
  DIGITS + 8 * (MAX_ITEMS * (R_DIGITS + 2 * KEY_DIGITS) + 2 * BASE_DIGITS);
/** Inputs and results of the exported arithmetic. */
export const ARGUMENTS: usize = (DIGITS_END + 63) & ~63;
export const END: usize = ARGUMENTS + 4096;

export const R_TABLE_BYTES: usize = R_TABLE;
export const KEY_TABLE_BYTES: usize = KEY_TABLE;
export const BASE_TABLE_BYTES: usize = BASE_TABLE;
