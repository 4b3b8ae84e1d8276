import { testVectors } from "../../../conformance/testing.ts";

// ZIP-215, speccheck (twice), Wycheproof, RFC 8032, sign.input: each on every verifier path.
testVectors(
  "Ed25519 vectors have ZIP-215's verdict on every verifier path",
  ["signatures", "wycheproof", "sign_input"],
  196 + 12 + 12 + 151 + 4 + 1024,
);
