// node:path, POSIX only: marsh runs on POSIX systems.

import { call as host, register } from "marsh:core";

const text = (value, name = "path") => {
  if (typeof value !== "string") {
    const error = new TypeError(`The "${name}" argument must be of type string. Received ${typeof value}`);
    error.code = "ERR_INVALID_ARG_TYPE";
    throw error;
  }
  return value;
};

function segments(path, absolute) {
  const out = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && out.length && out.at(-1) !== "..") out.pop();
    else if (part !== ".." || !absolute) out.push(part);
  }
  return out;
}

export const sep = "/";
export const delimiter = ":";
export const isAbsolute = (path) => text(path).startsWith("/");
export function normalize(path) {
  if (text(path) === "") return ".";
  const absolute = path.startsWith("/");
  let out = segments(path, absolute).join("/");
  if (out && path.endsWith("/")) out += "/";
  if (absolute) return `/${out}`;
  return out || (path.endsWith("/") ? "./" : ".");
}
export function join(...paths) {
  const joined = paths.map((path) => text(path)).filter((path) => path !== "").join("/");
  return joined === "" ? "." : normalize(joined);
}
export function resolve(...paths) {
  let out = "";
  for (const path of paths.map((path) => text(path)).reverse()) {
    if (path === "") continue;
    out = out ? `${path}/${out}` : path;
    if (path.startsWith("/")) break;
  }
  if (!out.startsWith("/")) out = `${host("os.info").cwd}/${out}`;
  return `/${segments(out, true).join("/")}`;
}
export function dirname(path) {
  const trimmed = text(path).replace(/(?<=[^/])\/+$/, "");
  const at = trimmed.lastIndexOf("/");
  if (at < 0) return ".";
  return trimmed.slice(0, at).replace(/\/+$/, "") || "/";
}
export function basename(path, suffix) {
  const name = text(path).replace(/\/+$/, "").split("/").at(-1);
  return suffix !== undefined && name !== suffix && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
}
export function extname(path) {
  const name = basename(path);
  const at = name.lastIndexOf(".");
  return at <= 0 || name === ".." ? "" : name.slice(at);
}
export function relative(from, to) {
  const a = segments(resolve(from), true);
  const b = segments(resolve(to), true);
  let same = 0;
  while (same < a.length && same < b.length && a[same] === b[same]) same++;
  return [...a.slice(same).map(() => ".."), ...b.slice(same)].join("/");
}
export function parse(path) {
  const base = basename(path);
  const ext = extname(path);
  const root = path.startsWith("/") ? "/" : "";
  const dir = dirname(path);
  return { root, dir: dir === "." && !path.startsWith(".") ? "" : dir, base, ext, name: ext ? base.slice(0, -ext.length) : base };
}
export function format({ dir, root = "", base, name = "", ext = "" }) {
  const file = base ?? `${name}${ext && !ext.startsWith(".") ? "." : ""}${ext}`;
  if (!dir) return root + file;
  return dir === root ? dir + file : `${dir}/${file}`;
}
export const toNamespacedPath = (path) => path;

/** A part of a pattern between slashes as a regular expression. */
function globPart(part) {
  let source = "";
  const dot = part.startsWith(".") ? "" : "(?!\\.)";
  for (let at = 0; at < part.length; at++) {
    const char = part[at];
    if (char === "*") {
      while (part[at + 1] === "*") at++;
      source += source === "" && at === part.length - 1 ? "[^/]+" : "[^/]*";
    } else if (char === "?") source += "[^/]";
    else if (char === "[" && part.indexOf("]", at + 2) > 0) {
      const end = part.indexOf("]", at + 2);
      source += `[${part.slice(at + 1, end).replace(/^!/, "^").replace(/\\/g, "\\\\")}]`;
      at = end;
    } else if (char === "\\" && at + 1 < part.length) source += part[++at].replace(/[^\w]/, "\\$&");
    else source += char.replace(/[\\^$.|+(){}[\]]/, "\\$&");
  }
  return dot + source;
}

/** The patterns that braces stand for. */
function braces(pattern) {
  const open = pattern.indexOf("{");
  if (open < 0) return [pattern];
  let depth = 0;
  const commas = [open];
  for (let at = open; at < pattern.length; at++) {
    if (pattern[at] === "{") depth++;
    else if (pattern[at] === "," && depth === 1) commas.push(at);
    else if (pattern[at] === "}" && --depth === 0) {
      commas.push(at);
      const [before, after] = [pattern.slice(0, open), pattern.slice(at + 1)];
      if (commas.length === 2) return braces(after).map((rest) => pattern.slice(0, at + 1) + rest);
      return commas.slice(1).flatMap((end, index) => braces(before + pattern.slice(commas[index] + 1, end) + after));
    }
  }
  return [pattern];
}

export function matchesGlob(path, pattern) {
  if (typeof path !== "string" || typeof pattern !== "string") throw new TypeError("a path and a pattern are strings");
  return braces(pattern).some((one) => {
    const parts = one.split("/");
    const sources = parts.map((part, at) => {
      if (part !== "**") return globPart(part) + (at < parts.length - 1 ? "/" : "");
      return at < parts.length - 1 ? "(?:(?!\\.)[^/]+/)*" : "(?:(?:(?!\\.)[^/]+/)*(?!\\.)[^/]*)";
    });
    return new RegExp(`^${sources.join("")}$`, "s").test(path.replace(/(?<=[^/])\/+$/, pattern.endsWith("/") ? "/" : ""));
  });
}

const path = { sep, delimiter, isAbsolute, normalize, join, resolve, dirname, basename, extname, relative, parse, format, toNamespacedPath, matchesGlob };
path.posix = path;
export const posix = path;
export default register("node:path", path);
