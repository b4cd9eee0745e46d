// node:querystring

import { register } from "marsh:core";

export function unescape(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
export const escape = (text) => encodeURIComponent(String(text).toWellFormed()).replace(/%7E/g, "~");
const say = (value) => (["string", "number", "bigint", "boolean"].includes(typeof value) && !Number.isNaN(value) ? String(value) : "");
export function stringify(object, separator = "&", equals = "=", { encodeURIComponent: encode = escape } = {}) {
  if (typeof object !== "object" || object === null) return "";
  return Object.entries(object).flatMap(([name, value]) => [value].flat().map((one) => `${encode(name)}${equals}${encode(say(one))}`)).join(separator);
}
export function parse(text, separator = "&", equals = "=", { decodeURIComponent: decode = unescape, maxKeys = 1000 } = {}) {
  const found = Object.create(null);
  if (typeof text !== "string" || text === "") return found;
  const parts = text.split(separator);
  for (const part of maxKeys > 0 ? parts.slice(0, maxKeys) : parts) {
    if (part === "") continue;
    const at = part.indexOf(equals);
    const [name, value] = (at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + equals.length)]).map((one) => decode(one.replaceAll("+", " ")));
    if (name in found) found[name] = [found[name]].flat().concat(value);
    else found[name] = value;
  }
  return found;
}
export const encode = stringify;
export const decode = parse;
export default register("node:querystring", { stringify, parse, escape, unescape, encode, decode });
