// node:readline/promises

import { register } from "marsh:core";
import { promises } from "node:readline";

export const { createInterface, Interface } = promises;
export default register("node:readline/promises", promises);
