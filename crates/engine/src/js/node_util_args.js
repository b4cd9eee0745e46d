// util.parseArgs and util.styleText.

import { register } from "marsh:core";

const fault = (code, message) => Object.assign(new TypeError(message), { code });

/** One argument after another: what it is, and how far it reaches. */
function* tokens(args, options, { allowNegative }) {
  const byShort = Object.fromEntries(Object.entries(options).filter(([, option]) => option.short).map(([name, option]) => [option.short, name]));
  for (let index = 0; index < args.length; index++) {
    const arg = args[index];
    if (arg === "--") {
      yield { kind: "option-terminator", index };
      for (index++; index < args.length; index++) yield { kind: "positional", index, value: args[index] };
    } else if (arg.startsWith("--")) {
      const equals = arg.indexOf("=");
      let name = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
      const rawName = `--${name}`;
      let value = equals < 0 ? undefined : arg.slice(equals + 1);
      const inlineValue = equals >= 0;
      let negated = false;
      if (allowNegative && !inlineValue && name.startsWith("no-") && !options[name]) [name, negated] = [name.slice(3), true];
      if (!inlineValue && options[name]?.type === "string" && index + 1 < args.length) value = args[++index];
      yield { kind: "option", name, rawName, index: index - (value !== undefined && !inlineValue ? 1 : 0), value, inlineValue: value === undefined ? undefined : inlineValue, negated };
    } else if (arg.length > 1 && arg.startsWith("-")) {
      for (let at = 1; at < arg.length; at++) {
        const name = byShort[arg[at]] ?? arg[at];
        const rawName = `-${arg[at]}`;
        if (options[name]?.type !== "string") {
          yield { kind: "option", name, rawName, index, value: undefined, inlineValue: undefined };
        } else if (at + 1 < arg.length) {
          yield { kind: "option", name, rawName, index, value: arg.slice(at + 1), inlineValue: true };
          break;
        } else {
          const value = index + 1 < args.length ? args[++index] : undefined;
          yield { kind: "option", name, rawName, index: value === undefined ? index : index - 1, value, inlineValue: value === undefined ? undefined : false };
        }
      }
    } else {
      yield { kind: "positional", index, value: arg };
    }
  }
}

function check(token, options, strict) {
  if (!strict) return;
  const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
  if (!option) throw fault("ERR_PARSE_ARGS_UNKNOWN_OPTION", `Unknown option '${token.rawName}'`);
  const shown = `${option.short ? `-${option.short}, ` : ""}--${token.name}`;
  if (option.type === "string" && token.value === undefined) {
    throw fault("ERR_PARSE_ARGS_INVALID_OPTION_VALUE", `Option '${shown} <value>' argument missing`);
  }
  if (option.type === "string" && !token.inlineValue && token.value.length > 1 && token.value.startsWith("-")) {
    throw fault("ERR_PARSE_ARGS_INVALID_OPTION_VALUE", `Option '${token.rawName}' argument is ambiguous.\nDid you forget to specify the option argument for '${token.rawName}'?\nTo specify an option argument starting with a dash use '${token.rawName.startsWith("--") ? `${token.rawName}=-XYZ` : `--${token.name}=-XYZ' or '${token.rawName}-XYZ`}'.`);
  }
  if (option.type === "boolean" && token.value !== undefined) {
    throw fault("ERR_PARSE_ARGS_INVALID_OPTION_VALUE", `Option '${shown}' does not take an argument`);
  }
}

export function parseArgs(config = {}) {
  const { args = globalThis.process?.argv?.slice(2) ?? [], options = {}, strict = true } = config;
  const { allowPositionals = !strict, allowNegative = false, tokens: wanted = false } = config;
  for (const [name, option] of Object.entries(options)) {
    if (option.type !== "string" && option.type !== "boolean") throw fault("ERR_INVALID_ARG_TYPE", `The "options.${name}.type" property must be one of: 'string', 'boolean'`);
    if (option.short !== undefined && [...option.short].length !== 1) throw fault("ERR_INVALID_ARG_VALUE", `The property 'options.${name}.short' must be a single character`);
  }
  const list = [...tokens([...args].map(String), options, { allowNegative })];
  const values = Object.create(null);
  const positionals = [];
  for (const token of list) {
    if (token.kind === "positional") {
      if (!allowPositionals) throw fault("ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL", `Unexpected argument '${token.value}'. This command does not take positional arguments`);
      positionals.push(token.value);
    } else if (token.kind === "option") {
      check(token, options, strict);
      if (token.name === "__proto__") continue;
      const value = token.value ?? !token.negated;
      if (options[token.name]?.multiple) (values[token.name] ??= []).push(value);
      else values[token.name] = value;
    }
  }
  for (const [name, option] of Object.entries(options)) if (option.default !== undefined && !Object.hasOwn(values, name)) values[name] = option.default;
  for (const token of list) delete token.negated;
  return wanted ? { values, positionals, tokens: list } : { values, positionals };
}

const codes = {
  reset: [0, 0], bold: [1, 22], dim: [2, 22], italic: [3, 23], underline: [4, 24], blink: [5, 25], inverse: [7, 27], hidden: [8, 28], strikethrough: [9, 29],
  doubleunderline: [21, 24], overlined: [53, 55], framed: [51, 54],
};
for (const [index, name] of ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"].entries()) {
  codes[name] = [30 + index, 39];
  codes[`${name}Bright`] = [90 + index, 39];
  const background = `bg${name[0].toUpperCase()}${name.slice(1)}`;
  codes[background] = [40 + index, 49];
  codes[`${background}Bright`] = [100 + index, 49];
}
codes.gray = codes.grey = codes.blackBright;
codes.bgGray = codes.bgGrey = codes.bgBlackBright;

/** What an extension prints goes to no terminal, so it is coloured only if `validateStream` is false. */
export function styleText(format, text, { validateStream = true } = {}) {
  if (typeof text !== "string") throw fault("ERR_INVALID_ARG_TYPE", 'The "text" argument must be of type string');
  let [before, after] = ["", ""];
  for (const name of Array.isArray(format) ? format : [format]) {
    if (name === "none") continue;
    const code = Object.hasOwn(codes, name) ? codes[name] : undefined;
    if (!code) throw fault("ERR_INVALID_ARG_VALUE", `The argument 'format' must be one of: ${Object.keys(codes).map((known) => `'${known}'`).join(", ")}. Received '${String(name)}'`);
    before += `\u001b[${code[0]}m`;
    after = `\u001b[${code[1]}m${after}`;
  }
  return validateStream ? text : before + text + after;
}

register("marsh:node_util_args", { parseArgs, styleText });
