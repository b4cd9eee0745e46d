// Web Crypto: randomness. What subtle does is loaded when it is first asked for.

import { call as host, lazy, register } from "marsh:core";

export class Crypto {
  get subtle() { return lazy("marsh:subtle").subtle; }
  getRandomValues(array) {
    if (!ArrayBuffer.isView(array) || array instanceof Float32Array || array instanceof Float64Array || array instanceof DataView) {
      throw new DOMException("getRandomValues takes an integer typed array", "TypeMismatchError");
    }
    if (array.byteLength > 65536) {
      throw new DOMException(`The byte length (${array.byteLength}) exceeds 65536`, "QuotaExceededError");
    }
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(host("crypto.random", array.byteLength));
    return array;
  }
  randomUUID() { return host("crypto.uuid"); }
  get [Symbol.toStringTag]() { return "Crypto"; }
}

export const crypto = new Crypto();

register("marsh:crypto", { crypto, Crypto });
