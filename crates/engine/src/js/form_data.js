// FormData, and its encoding on the wire.

import { call as host, lazy, register } from "marsh:core";
import { Blob, File } from "marsh:blob";

function entryOf(value, filename) {
  if (!(value instanceof Blob)) {
    if (filename !== undefined) throw new TypeError("a file name goes with a Blob");
    return String(value).toWellFormed();
  }
  if (value instanceof File && filename === undefined) return value;
  return new File([value], filename ?? "blob", { type: value.type, lastModified: value.lastModified });
}

export class FormData {
  #entries = [];
  constructor(form) {
    if (form !== undefined) throw new TypeError("FormData takes no form here");
  }
  append(name, value, filename) {
    if (arguments.length < 2) throw new TypeError("append takes a name and a value");
    this.#entries.push([String(name), entryOf(value, filename)]);
  }
  delete(name) { this.#entries = this.#entries.filter(([key]) => key !== String(name)); }
  get(name) { return this.#entries.find(([key]) => key === String(name))?.[1] ?? null; }
  getAll(name) { return this.#entries.filter(([key]) => key === String(name)).map(([, value]) => value); }
  has(name) { return this.#entries.some(([key]) => key === String(name)); }
  set(name, value, filename) {
    name = String(name);
    const at = this.#entries.findIndex(([key]) => key === name);
    if (at < 0) return this.append(name, value, filename);
    const entry = [name, entryOf(value, filename)];
    this.#entries = this.#entries.filter(([key], index) => key !== name || index === at);
    this.#entries[at] = entry;
  }
  *entries() { for (const [name, value] of this.#entries) yield [name, value]; }
  *keys() { for (const [name] of this.#entries) yield name; }
  *values() { for (const [, value] of this.#entries) yield value; }
  forEach(callback, self) { for (const [name, value] of this.#entries) callback.call(self, value, name, this); }
  [Symbol.iterator]() { return this.entries(); }
  get [Symbol.toStringTag]() { return "FormData"; }
}

const escape = (text) => text.replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22");
const lines = (text) => text.replace(/\r?\n|\r/g, "\r\n");

export function encodeForm(form) {
  const boundary = `----marshFormBoundary${host("crypto.uuid").replaceAll("-", "")}`;
  const parts = [];
  for (const [name, value] of form) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escape(lines(name))}"`;
    if (typeof value === "string") {
      parts.push(`${head}\r\n\r\n${lines(value)}\r\n`);
    } else {
      head += `; filename="${escape(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}\r\n\r\n`;
      parts.push(head, value, "\r\n");
    }
  }
  parts.push(`--${boundary}--\r\n`);
  return { bytes: lazy("marsh:blob").bytesOf(new Blob(parts)), type: `multipart/form-data; boundary=${boundary}` };
}

function find(bytes, wanted, from) {
  outer: for (let at = bytes.indexOf(wanted[0], from); at >= 0 && at + wanted.length <= bytes.length; at = bytes.indexOf(wanted[0], at + 1)) {
    for (let offset = 1; offset < wanted.length; offset++) if (bytes[at + offset] !== wanted[offset]) continue outer;
    return at;
  }
  return -1;
}

const unescape = (text) => text.replaceAll("%0A", "\n").replaceAll("%0D", "\r").replaceAll("%22", '"');

export function parseForm(bytes, type) {
  const text = (part) => new (lazy("marsh:text").TextDecoder)().decode(part);
  const form = new FormData();
  if (/^application\/x-www-form-urlencoded\b/i.test(type)) {
    for (const [name, value] of new (lazy("marsh:url").URLSearchParams)(text(bytes))) form.append(name, value);
    return form;
  }
  const found = /^multipart\/form-data\b.*?;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type);
  if (!found) throw new TypeError(`the body is not a form: its content type is '${type}'`);
  const broken = () => new TypeError("the body is not a valid multipart form");
  const dash = host("text.utf8", `--${found[1] ?? found[2]}`);
  const blank = host("text.utf8", "\r\n\r\n");
  const next = host("text.utf8", `\r\n--${found[1] ?? found[2]}`);
  let at = find(bytes, dash, 0);
  if (at < 0) throw broken();
  at += dash.length;
  while (!(bytes[at] === 45 && bytes[at + 1] === 45)) {
    const head = find(bytes, blank, at);
    const end = head < 0 ? -1 : find(bytes, next, head + blank.length - 2);
    if (end < 0) throw broken();
    const headers = text(bytes.subarray(at, head));
    const disposition = /^content-disposition:\s*form-data\s*;(.*)$/im.exec(headers)?.[1];
    const name = /(?:^|;)\s*name="([^"]*)"/i.exec(disposition ?? "")?.[1];
    if (name === undefined) throw broken();
    const filename = /;\s*filename="([^"]*)"/i.exec(disposition)?.[1];
    const content = bytes.subarray(Math.min(head + blank.length, end), end);
    if (filename === undefined) form.append(unescape(name), text(content));
    else {
      const kind = /^content-type:\s*(.*?)\s*$/im.exec(headers)?.[1] ?? "text/plain";
      form.append(unescape(name), new File([content], unescape(filename), { type: kind }));
    }
    at = end + next.length;
  }
  return form;
}

register("marsh:form_data", { FormData, encodeForm, parseForm });
