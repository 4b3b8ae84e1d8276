import { testVectors } from "../../../conformance/testing.ts";

testVectors("the core follows the traces of the formal driver model", ["traces"], 12);
