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

const path = { sep, delimiter, isAbsolute, normalize, join, resolve, dirname, basename, extname, relative, parse, format, toNamespacedPath };
path.posix = path;
export const posix = path;
export default register("node:path", path);
