// Evaluates the expressions of a file with the second implementation, set up as docs/reference/expressions.md says.
const [library, given, answers] = Deno.args;
const { Environment } = await import(library);
const environment = new Environment({
  unlistedVariablesAreDyn: true,
  enableOptionalTypes: true,
  homogeneousAggregateLiterals: false,
});
const operations = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};
for (const [sign, compute] of Object.entries(operations)) {
  environment.registerOperator(`int ${sign} double: double`, (a, b) => compute(Number(a), b));
  environment.registerOperator(`double ${sign} int: double`, (a, b) => compute(a, Number(b)));
}

class NotFinite extends Error {}

// JSON, with numbers as texts so that none is rounded on the way.
function encode(value) {
  if (typeof value === "bigint") return { number: `${value}` };
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new NotFinite();
    return { number: `${value}` };
  }
  if (typeof value === "string") return { plain: value.toWellFormed() };
  if (value === null || typeof value !== "object") return { plain: value };
  const kind = value.constructor?.name;
  if (kind === "UnsignedInt") return { number: `${value}` };
  if (value instanceof Uint8Array) return { plain: btoa(String.fromCharCode(...value)) };
  if (value instanceof Date) return { plain: value.toISOString() };
  if (kind === "Duration") return { plain: `${value}` };
  if (Array.isArray(value)) return { list: value.map(encode) };
  if (kind === "Optional") return value.hasValue() ? encode(value.value()) : { plain: null };
  if (Object.getPrototypeOf(value) === Object.prototype) {
    return { map: Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encode(item)])) };
  }
  return { plain: value.name };
}

const { context, expressions } = JSON.parse(Deno.readTextFileSync(given));
const results = expressions.map((expression) => {
  try {
    return { value: encode(environment.evaluate(expression, context)) };
  } catch (error) {
    if (error instanceof NotFinite) return { notFinite: true };
    return { error: error.code ?? error.name, message: error.summary ?? error.message };
  }
});
Deno.writeTextFileSync(answers, JSON.stringify(results));
