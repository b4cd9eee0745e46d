// Expressions for extension code, in the dialect of marsh's own (docs/reference/expressions.md): the library that it was made after.

import { register } from "marsh:core";
import { Environment } from "marsh:cel_js";

const operations = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

/** A new one at each call: what is registered in it stays in it. */
export function createCelEnvironment() {
  const environment = new Environment({
    unlistedVariablesAreDyn: true, enableOptionalTypes: true, homogeneousAggregateLiterals: false,
  });
  for (const [sign, compute] of Object.entries(operations)) {
    environment.registerOperator(`int ${sign} double: double`, (a, b) => compute(Number(a), b));
    environment.registerOperator(`double ${sign} int: double`, (a, b) => compute(a, Number(b)));
  }
  return environment;
}

register("marsh:cel", { createCelEnvironment });
