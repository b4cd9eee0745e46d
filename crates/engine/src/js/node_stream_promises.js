// node:stream/promises

import { register } from "marsh:core";
import { promises } from "node:stream";

export const { pipeline, finished } = promises;
export default register("node:stream/promises", promises);
