/** `npm run byzzfuzz`: see scenario.ts. */
import { main } from "../cores/command.ts";
import { byzzfuzz } from "./scenario.ts";

main(byzzfuzz, 1_000);
