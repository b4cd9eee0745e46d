// The global object: light things now, heavy ones on first use.

import { call as host, lazy, lazyProperty, requireBuiltin } from "marsh:core";
import { AbortController, AbortSignal } from "marsh:abort";
import { CustomEvent, ErrorEvent, Event, EventTarget, MessageEvent, PromiseRejectionEvent } from "marsh:events";
import { console } from "marsh:console";
import * as timers from "marsh:timers";
import { missing, missingNamespace } from "marsh:unsupported";

function define(name, value) {
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
}

function late(module, ...names) {
  for (const name of names) lazyProperty(globalThis, name, () => lazy(module)[name]);
}

define("self", globalThis);
define("global", globalThis);
define("console", console);
// Bundles keep `require("node:…")` of the CommonJS packages inside them.
define("require", requireBuiltin);
const { setTimeout, setInterval, setImmediate, clearTimeout } = timers;
const functions = { setTimeout, setInterval, setImmediate, clearTimeout };
functions.clearInterval = clearTimeout;
functions.clearImmediate = clearTimeout;
for (const [name, value] of Object.entries(functions)) define(name, value);
const classes = {
  AbortController, AbortSignal, Event, EventTarget, CustomEvent, ErrorEvent, MessageEvent, PromiseRejectionEvent,
};
for (const [name, value] of Object.entries(classes)) define(name, value);

late("marsh:text", "TextEncoder", "TextDecoder", "atob", "btoa");
late("marsh:url", "URL", "URLSearchParams");
late("marsh:url_pattern", "URLPattern");
late("marsh:crypto", "crypto", "Crypto");
late("marsh:subtle", "SubtleCrypto", "CryptoKey");
late("marsh:clone", "structuredClone");
late("marsh:blob", "Blob", "File");
late("marsh:form_data", "FormData");
late("marsh:request", "Request", "Response");
late("marsh:headers", "Headers");
late(
  "marsh:streams", "ReadableStream", "ReadableStreamDefaultReader", "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest",
  "ReadableStreamDefaultController", "ReadableByteStreamController", "WritableStream", "WritableStreamDefaultWriter",
  "WritableStreamDefaultController", "TransformStream", "TransformStreamDefaultController", "ByteLengthQueuingStrategy",
  "CountQueuingStrategy", "TextDecoderStream", "TextEncoderStream", "CompressionStream", "DecompressionStream",
);
late("marsh:performance", "performance", "Performance", "PerformanceEntry", "PerformanceMark", "PerformanceMeasure");
late("marsh:websocket", "WebSocket", "CloseEvent");
late("marsh:wasm", "WebAssembly");
late("marsh:message", "MessageChannel", "MessagePort", "BroadcastChannel");
late("marsh:deno", "Deno");
lazyProperty(globalThis, "process", () => lazy("node:process"));
lazyProperty(globalThis, "Buffer", () => lazy("node:buffer").Buffer);
lazyProperty(globalThis, "navigator", () => {
  const { cpus, os } = host("os.info");
  return Object.freeze({
    userAgent: "marsh", hardwareConcurrency: cpus, language: "en-US", languages: Object.freeze(["en-US"]), platform: os,
  });
});
define("fetch", function fetch(input, init) {
  try {
    return lazy("marsh:fetch").fetch(input, init);
  } catch (error) {
    return Promise.reject(error);
  }
});
define("alert", (message) => console.log(message));

for (const name of [
  "EventSource", "Worker", "FileReader", "ImageData", "prompt", "confirm",
]) {
  define(name, missing(name));
}
for (const name of ["Intl", "caches", "localStorage", "sessionStorage"]) {
  define(name, missingNamespace(name));
}
// QuickJS knows no language.
function localized(prototype, name, work) {
  Object.defineProperty(prototype, name, { value: work, writable: true, enumerable: false, configurable: true });
}
for (const { prototype } of [Number, BigInt]) {
  localized(prototype, "toLocaleString", function toLocaleString(locales, options) {
    return lazy("marsh:locale").numberText(this.valueOf(), locales, options);
  });
}
const parts = { toLocaleString: "date time", toLocaleDateString: "date", toLocaleTimeString: "time" };
for (const [name, wanted] of Object.entries(parts)) {
  localized(Date.prototype, name, { [name](locales, options) { return lazy("marsh:locale").dateText(this, locales, options, name, wanted); } }[name]);
}
localized(String.prototype, "localeCompare", function localeCompare(that, locales, options) {
  return lazy("marsh:locale").compare(String(this), String(that), locales, options);
});

const target = new EventTarget();
for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) {
  define(name, target[name].bind(target));
}

/** Whether the default action is to happen. */
export function dispatchGlobal(type, init) {
  const handler = globalThis[`on${type}`];
  if (!target.hasListeners(type) && typeof handler !== "function") return true;
  const Class = type === "error" ? ErrorEvent : PromiseRejectionEvent;
  const event = new Class(type, { ...init, cancelable: true });
  if (typeof handler === "function") handler.call(globalThis, event);
  return target.dispatchEvent(event);
}
