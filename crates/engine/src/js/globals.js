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
late("marsh:intl", "Intl");
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
for (const name of ["caches", "localStorage", "sessionStorage"]) {
  define(name, missingNamespace(name));
}
// QuickJS knows no language: what speaks one is evaluated when it is asked.
function localized(prototype, methods) {
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(prototype, name, { value, writable: true, enumerable: false, configurable: true });
  }
}
for (const { prototype } of [Number, BigInt]) {
  localized(prototype, { toLocaleString(locales, options) { return lazy("marsh:intl_number").numberText(prototype.valueOf.call(this), locales, options); } });
}
const dates = (name) => ({ [name](locales, options) { return lazy("marsh:intl_date").dateText(this, locales, options, name); } });
for (const name of ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]) localized(Date.prototype, dates(name));
localized(String.prototype, {
  localeCompare(that, locales, options) { return lazy("marsh:intl_text").compare(String(this), String(that), locales, options); },
  toLocaleUpperCase(locales) { return lazy("marsh:intl_text").changeCase(String(this), true, locales); },
  toLocaleLowerCase(locales) { return lazy("marsh:intl_text").changeCase(String(this), false, locales); },
});
const typed = Object.getPrototypeOf(Uint8Array.prototype);
for (const list of [Array.prototype, typed]) localized(list, { toLocaleString(locales, options) { return lazy("marsh:intl_text").joined(this, locales, options); } });

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
