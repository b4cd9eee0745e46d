// Web Crypto: randomness and digests. The rest of SubtleCrypto says that it is missing.

import { call as host, lazy, register } from "marsh:core";
import { missing } from "marsh:unsupported";

export class SubtleCrypto {
  async digest(algorithm, data) {
    const name = typeof algorithm === "string" ? algorithm : algorithm?.name;
    return host("crypto.digest", String(name), lazy("marsh:text").bytesOf(data)).buffer;
  }
}
for (const name of ["encrypt", "decrypt", "sign", "verify", "generateKey", "deriveKey", "deriveBits", "importKey", "exportKey", "wrapKey", "unwrapKey"]) {
  SubtleCrypto.prototype[name] = missing(`crypto.subtle.${name}`);
}

export class Crypto {
  #subtle = new SubtleCrypto();
  get subtle() { return this.#subtle; }
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
const CryptoKey = missing("CryptoKey");

register("marsh:crypto", { crypto, Crypto, SubtleCrypto, CryptoKey });
