import { register } from "marsh:core";
export * from "node:path";
import path from "node:path";
export default register("node:path/posix", path);
