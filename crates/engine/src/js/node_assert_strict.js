import { register } from "marsh:core";
export * from "node:assert";
import assert from "node:assert";
export default register("node:assert/strict", assert);
