// node:punycode (RFC 3492), for packages that still ask for it.

import { register } from "marsh:core";

const adaptBias = (delta, points, first) => {
  let k = 0;
  delta = first ? Math.floor(delta / 700) : delta >> 1;
  for (delta += Math.floor(delta / points); delta > 455; k += 36) delta = Math.floor(delta / 35);
  return k + Math.floor((36 * delta) / (delta + 38));
};
const threshold = (k, bias) => (k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias);
const overflow = () => { throw new RangeError("Overflow: input needs wider integers to process"); };

export const ucs2 = {
  decode: (text) => Array.from(text, (character) => character.codePointAt(0)),
  encode: (points) => String.fromCodePoint(...points),
};
export function encode(text) {
  const input = ucs2.decode(text);
  const out = input.filter((point) => point < 128).map((point) => String.fromCharCode(point));
  const basic = out.length;
  let [n, delta, bias, handled] = [128, 0, 72, basic];
  if (basic) out.push("-");
  while (handled < input.length) {
    const next = Math.min(...input.filter((point) => point >= n));
    delta += (next - n) * (handled + 1);
    if (delta > 2 ** 31 - 1) overflow();
    n = next;
    for (const point of input) {
      if (point < n) delta++;
      if (point !== n) continue;
      let q = delta;
      for (let k = 36; ; k += 36) {
        const t = threshold(k, bias);
        if (q < t) break;
        out.push("abcdefghijklmnopqrstuvwxyz0123456789"[t + ((q - t) % (36 - t))]);
        q = Math.floor((q - t) / (36 - t));
      }
      out.push("abcdefghijklmnopqrstuvwxyz0123456789"[q]);
      bias = adaptBias(delta, handled + 1, handled === basic);
      delta = 0;
      handled++;
    }
    delta++;
    n++;
  }
  return out.join("");
}
export function decode(text) {
  const at = text.lastIndexOf("-");
  const out = at > 0 ? ucs2.decode(text.slice(0, at)) : [];
  let [n, i, bias] = [128, 0, 72];
  for (let index = at > 0 ? at + 1 : 0; index < text.length;) {
    const before = i;
    for (let w = 1, k = 36; ; k += 36) {
      const digit = index < text.length ? "abcdefghijklmnopqrstuvwxyz0123456789".indexOf(text[index++].toLowerCase()) : -1;
      if (digit < 0) throw new RangeError("Invalid input");
      i += digit * w;
      if (i > 2 ** 31 - 1) overflow();
      const t = threshold(k, bias);
      if (digit < t) break;
      w *= 36 - t;
    }
    bias = adaptBias(i - before, out.length + 1, before === 0);
    n += Math.floor(i / (out.length + 1));
    i %= out.length + 1;
    if (n > 0x10ffff) overflow();
    out.splice(i++, 0, n);
  }
  return ucs2.encode(out);
}
const labels = (text, change) => {
  const parts = text.split("@");
  const domain = parts.pop();
  return [...parts, domain.split(/[.\u3002\uff0e\uff61]/).map(change).join(".")].join("@");
};
export const toASCII = (text) => labels(text, (label) => (/[^\0-\x7f]/.test(label) ? `xn--${encode(label)}` : label));
export const toUnicode = (text) => labels(text, (label) => (/^xn--/i.test(label) ? decode(label.slice(4).toLowerCase()) : label));
export const version = "2.3.1";
export default register("node:punycode", { ucs2, encode, decode, toASCII, toUnicode, version });
