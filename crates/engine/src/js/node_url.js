// node:url

import { call as host, lazy, register } from "marsh:core";
import { missing } from "marsh:unsupported";

const { URL, URLSearchParams } = lazy("marsh:url");
export { URL, URLSearchParams };
export const fileURLToPath = (url) => host("url.toPath", String(url));
export const pathToFileURL = (path) => new URL(host("url.fromPath", path));
export const domainToASCII = (name) => (URL.canParse(`ws://${name}`) ? new URL(`ws://${name}`).hostname : "");
export const parse = missing("url.parse");
export const format = (url) => (typeof url === "string" || url instanceof URL ? String(url) : missing("url.format of an object")());
export const resolve = (from, to) => new URL(to, from).href;
export default register("node:url", { URL, URLSearchParams, fileURLToPath, pathToFileURL, domainToASCII, parse, format, resolve });
