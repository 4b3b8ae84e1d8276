import { testVectors } from "../../../conformance/testing.ts";

testVectors("CometBFT's structures, made with its Go library", ["cases", "collection"], 1700);
