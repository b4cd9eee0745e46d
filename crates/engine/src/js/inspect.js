// Values as text, in the manner of Deno.inspect.

import { register } from "marsh:core";

const custom = [Symbol.for("Deno.customInspect"), Symbol.for("nodejs.util.inspect.custom")];
const simpleKey = /^[A-Za-z_$][\w$]*$/;
const WIDTH = 76;

/** As Node quotes, or as Deno does. */
function quote(text, single) {
  if (single) {
    const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
    if (!text.includes("'")) return `'${escaped}'`;
    return text.includes('"') ? `'${escaped.replaceAll("'", "\\'")}'` : `"${escaped}"`;
  }
  if (!text.includes('"')) return JSON.stringify(text);
  if (!text.includes("'")) return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"')}'`;
  return JSON.stringify(text);
}

const keyText = (key, { single }) =>
  typeof key === "symbol" ? (single ? `[${String(key)}]` : String(key)) : simpleKey.test(key) ? key : quote(key, single);

function className(value) {
  const proto = Object.getPrototypeOf(value);
  if (proto === null) return "[Object: null prototype]";
  return typeof proto.constructor === "function" && proto.constructor.name ? proto.constructor.name : "Object";
}

function errorText(error, state) {
  let text = typeof error.stack === "string" ? error.stack.trimEnd() : "";
  const head = `${error.name ?? "Error"}${error.message ? `: ${error.message}` : ""}`;
  if (!text.startsWith(head)) text = text ? `${head}\n${text}` : head;
  const extra = Object.keys(error).filter((key) => !["stack", "message", "name", "cause"].includes(key));
  if (extra.length) {
    const rest = Object.fromEntries(extra.map((key) => [key, error[key]]));
    text += ` ${one(rest, { ...state, depth: state.depth + 1 })}`;
  }
  if (Object.hasOwn(error, "cause")) text += `\nCaused by ${one(error.cause, { ...state, depth: state.depth + 1 })}`;
  return text;
}

function join(open, parts, close, state) {
  if (parts.length === 0) return `${open}${close}`;
  const flat = `${open} ${parts.join(", ")} ${close}`;
  if (!state.compact || flat.length > state.breakLength || parts.some((part) => part.includes("\n"))) {
    const inner = parts.map((part) => `  ${part.replaceAll("\n", "\n  ")}`).join(",\n");
    return `${open}\n${inner}${state.trailingComma ? "," : ""}\n${close}`;
  }
  return flat;
}

function list(values, state, total) {
  const shown = values.map((value) => one(value, state));
  if (total > shown.length) shown.push(`... ${total - shown.length} more items`);
  return shown;
}

function members(value, keys, state) {
  if (state.sorted) keys = keys.toSorted((a, b) => (String(a) < String(b) ? -1 : 1));
  return keys.map((key) => {
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (!property) return `${keyText(key, state)}: undefined`;
    if (property.get || property.set) {
      const kind = property.get && property.set ? "Getter/Setter" : property.get ? "Getter" : "Setter";
      return `${keyText(key, state)}: [${kind}]`;
    }
    return `${keyText(key, state)}: ${one(property.value, state)}`;
  });
}

/** An object, marked when something inside refers back to it. */
function object(value, state) {
  if (state.seen.includes(value)) {
    if (!state.circular.has(value)) state.circular.set(value, state.circular.size + 1);
    return `[Circular *${state.circular.get(value)}]`;
  }
  const text = described(value, state);
  return state.circular.has(value) ? `<ref *${state.circular.get(value)}> ${text}` : text;
}

function described(value, state) {
  for (const symbol of custom) {
    if (typeof value[symbol] === "function" && value[symbol] !== inspect) {
      const said = value[symbol](inspect, state.options);
      return typeof said === "string" ? said : one(said, state);
    }
  }
  if (value instanceof Error) return errorText(value, { ...state, seen: [...state.seen, value] });
  if (value instanceof RegExp) return String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  const name = className(value);
  if (state.depth > state.maxDepth) return Array.isArray(value) ? "[Array]" : `[${name}]`;
  const inner = { ...state, depth: state.depth + 1, seen: [...state.seen, value] };
  const keys = Reflect.ownKeys(value).filter((key) =>
    (state.showHidden || Object.prototype.propertyIsEnumerable.call(value, key)) &&
    !(Array.isArray(value) && typeof key === "string" && /^\d+$|^length$/.test(key)));
  if (typeof value === "function") {
    const isClass = /^class\b/.test(Function.prototype.toString.call(value));
    const base = isClass ? `[class ${value.name || "(anonymous)"}]` : `[${name}${value.name ? `: ${value.name}` : " (anonymous)"}]`;
    return keys.length ? join(`${base} {`, members(value, keys, inner), "}", inner) : base;
  }
  if (Array.isArray(value)) {
    const prefix = name === "Array" ? "" : `${name}(${value.length}) `;
    const parts = [];
    let holes = 0;
    for (let at = 0; at < Math.min(value.length, state.iterableLimit); at++) {
      if (at in value) {
        if (holes) parts.push(`<${holes} empty item${holes > 1 ? "s" : ""}>`);
        holes = 0;
        parts.push(one(value[at], inner));
      } else holes++;
    }
    if (holes) parts.push(`<${holes} empty item${holes > 1 ? "s" : ""}>`);
    if (value.length > state.iterableLimit) parts.push(`... ${value.length - state.iterableLimit} more items`);
    return join(`${prefix}[`, [...parts, ...members(value, keys, inner)], "]", inner);
  }
  if (value instanceof Map) {
    const parts = [...value].slice(0, state.iterableLimit).map(([key, item]) => `${one(key, inner)} => ${one(item, inner)}`);
    return join(`${name}(${value.size}) {`, [...parts, ...members(value, keys, inner)], "}", inner);
  }
  if (value instanceof Set) {
    const parts = list([...value].slice(0, state.iterableLimit), inner, value.size);
    return join(`${name}(${value.size}) {`, [...parts, ...members(value, keys, inner)], "}", inner);
  }
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const parts = list([...value.slice(0, state.iterableLimit)], inner, value.length);
    return join(`${name}(${value.length}) [`, parts, "]", inner);
  }
  if (value instanceof ArrayBuffer) {
    const bytes = [...new Uint8Array(value, 0, Math.min(value.byteLength, state.iterableLimit))];
    const more = value.byteLength > bytes.length ? ` ... ${value.byteLength - bytes.length} more bytes` : "";
    const contents = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return `ArrayBuffer { [Uint8Contents]: <${contents}${more}>, byteLength: ${value.byteLength} }`;
  }
  if (value instanceof Promise) return "Promise { <state unknown> }";
  if (value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef) return `${name} { <items unknown> }`;
  if (value instanceof String || value instanceof Number || value instanceof Boolean || value instanceof BigInt) {
    return `[${name}: ${one(value.valueOf(), inner)}]`;
  }
  const tag = value[Symbol.toStringTag];
  let prefix = name === "Object" ? "" : `${name} `;
  if (typeof tag === "string" && tag && tag !== name) prefix = `${name} [${tag}] `;
  return join(`${prefix}{`, members(value, keys, inner), "}", inner);
}

function one(value, state) {
  switch (typeof value) {
    case "string":
      return state.depth === 0 && state.top ? value : quote(value.length > state.strLimit ? `${value.slice(0, state.strLimit)}...` : value, state.single);
    case "bigint":
      return `${value}n`;
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "object":
    case "function":
      if (value === null) return "null";
      try {
        return object(value, state);
      } catch (error) {
        return `[object that cannot be shown: ${error?.message}]`;
      }
    default:
      return String(value);
  }
}

function stateOf(options = {}) {
  return {
    options,
    depth: 0,
    maxDepth: options.depth === null ? Infinity : (options.depth ?? 4),
    seen: [],
    circular: new Map(),
    sorted: options.sorted === true,
    single: options.singleQuotes === true,
    compact: options.compact ?? true,
    breakLength: options.breakLength ?? WIDTH,
    iterableLimit: options.iterableLimit ?? options.maxArrayLength ?? 100,
    strLimit: options.strAbbreviateSize ?? options.maxStringLength ?? 10000,
    trailingComma: options.trailingComma ?? false,
    showHidden: options.showHidden ?? false,
    top: false,
  };
}

export function inspect(value, options) {
  return one(value, stateOf(typeof options === "object" && options !== null ? options : {}));
}
inspect.custom = custom[1];

/** printf-like, then the rest separated by spaces. */
export function formatLog(args) {
  let at = 0;
  const parts = [];
  if (typeof args[0] === "string") {
    at = 1;
    parts.push(args[0].replace(/%([sdifjoOc%])/g, (whole, kind) => {
      if (kind === "%") return "%";
      if (at >= args.length) return whole;
      const value = args[at++];
      switch (kind) {
        case "s":
          return typeof value === "string" ? value : one(value, { ...stateOf(), maxDepth: 1 });
        case "d":
          return typeof value === "bigint" ? `${value}n` : typeof value === "symbol" ? "NaN" : String(Number(value));
        case "i":
          return typeof value === "bigint" ? `${value}n` : String(Number.parseInt(value, 10));
        case "f":
          return String(Number.parseFloat(value));
        case "j":
          return JSON.stringify(value);
        case "c":
          return "";
        default:
          return inspect(value);
      }
    }));
  }
  for (; at < args.length; at++) parts.push(typeof args[at] === "string" ? args[at] : inspect(args[at]));
  return parts.join(" ");
}

export function table(data, columns) {
  const rows = data instanceof Map ? [...data] : data instanceof Set ? [...data].entries() : Object.entries(data);
  const cells = [];
  const heads = [];
  let values = false;
  for (const [index, row] of rows) {
    const line = { index: String(index), fields: {} };
    if (typeof row === "object" && row !== null) {
      for (const key of columns ?? Object.keys(row)) {
        if (!heads.includes(key)) heads.push(key);
        if (key in row) line.fields[key] = inspect(row[key], { depth: 1 });
      }
    } else {
      values = true;
      line.value = inspect(row);
    }
    cells.push(line);
  }
  const titles = ["(idx)", ...heads.map(String), ...(values ? ["Values"] : [])];
  const lines = cells.map((line) => [
    line.index, ...heads.map((key) => line.fields[key] ?? ""), ...(values ? [line.value ?? ""] : []),
  ]);
  const widths = titles.map((title, at) => Math.max(title.length, ...lines.map((line) => line[at].length)));
  const row = (texts) => `│ ${texts.map((text, at) => text.padEnd(widths[at])).join(" │ ")} │`;
  const rule = (left, middle, right) => left + widths.map((width) => "─".repeat(width + 2)).join(middle) + right;
  return [rule("┌", "┬", "┐"), row(titles), rule("├", "┼", "┤"), ...lines.map(row), rule("└", "┴", "┘")].join("\n");
}

register("marsh:inspect", { inspect, formatLog, table });
