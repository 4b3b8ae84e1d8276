/** `npm run twins`: see scenario.ts; 524,288 scenarios in all, each seed another one. */
import { main } from "../cores/command.ts";
import { twins } from "./scenario.ts";

main(twins, 1_000);
