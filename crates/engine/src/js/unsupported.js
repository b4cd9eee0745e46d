// Using a missing member throws an error that names it: never "undefined is not a function".

import { register, unsupported } from "marsh:core";

/** A function and class that throws when called or constructed. */
export function missing(name) {
  const short = name.slice(name.lastIndexOf(".") + 1);
  const stand = {
    [short]: function () {
      throw unsupported(name);
    },
  }[short];
  return stand;
}

/** A namespace whose every member throws. */
export function missingNamespace(name) {
  return new Proxy(
    {},
    {
      get(_, key) {
        if (typeof key === "symbol" || key === "then" || key === "toJSON") return undefined;
        throw unsupported(`${name}.${key}`);
      },
      has: () => false,
    },
  );
}

/** The default export of a node module that is not there. */
export function missingModule(name) {
  return register(
    name,
    new Proxy(function () {}, {
      get(_, key) {
        if (typeof key === "symbol" || key === "then" || key === "default" || key === "__esModule") return undefined;
        return missing(`${name}.${key}`);
      },
      apply() {
        throw unsupported(name);
      },
      construct() {
        throw unsupported(name);
      },
    }),
  );
}

register("marsh:unsupported", { missing, missingNamespace, missingModule });
