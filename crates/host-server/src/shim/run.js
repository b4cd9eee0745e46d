// The life of one method call inside the host: upgrade, globals, checks, arguments, execute.

const applyUpgrades = (model, values, fromVersion) => {
  const applied = [];
  let current = values;
  for (const upgrade of model.upgrades ?? []) {
    if (fromVersion && compareCalVer(upgrade.toVersion, fromVersion) <= 0) continue;
    let next;
    try {
      next = upgrade.upgradeAttributes({ ...current });
    } catch (error) {
      throw coded("upgrade_failed", `the upgrade to ${upgrade.toVersion} failed: ${error?.message ?? error}`, { toVersion: upgrade.toVersion });
    }
    if (next === null || typeof next !== "object" || Array.isArray(next)) {
      throw coded("upgrade_failed", `the upgrade to ${upgrade.toVersion} did not return an object`, { toVersion: upgrade.toVersion });
    }
    current = next;
    applied.push(upgrade.toVersion);
  }
  return { values: current, applied };
};

const upgradeDefinition = async (model, params, call) => {
  const from = params.definition.typeVersion;
  if (from && compareCalVer(from, model.version) >= 0) return params.globalArguments;
  const upgraded = applyUpgrades(model, params.globalArguments, from);
  // What is stored is the definition as written, so the chain runs over that separately.
  const stored = applyUpgrades(model, params.storedGlobalArguments, from);
  await call.request(REQUEST.upgraded, { globalArguments: stored.values, toVersion: model.version, applied: stored.applied });
  return upgraded.values;
};

/**
 * How zod parses what is parsed once a call: not by a function that it generates first, which costs more here than
 * many parses do.
 */
const INTERPRETED = { jitless: true };

/** By schema, so that a call makes none. */
const partials = new WeakMap();

const partialOf = (schema, shape) => {
  let partial = partials.get(schema);
  if (partial === undefined) {
    partial = schema;
    if (shape && typeof schema.partial === "function") {
      try {
        partial = schema.partial();
      } catch {
        // A refined object cannot be made partial; its own rules then apply as they are.
      }
    }
    partials.set(schema, partial);
  }
  return partial;
};

const resolveGlobals = (model, values, unresolved) => {
  const schema = model.globalArguments;
  if (!schema) return values;
  const coerced = coerceStrings(schema, values);
  if (Object.keys(unresolved).length > 0) return coerced;
  const shape = shapeOf(schema);
  if (shape && !isOpen(schema)) {
    const unknown = Object.keys(coerced).filter((key) => !(key in shape));
    if (unknown.length > 0) {
      throw coded("validation_failed", `unknown global argument ${unknown.map((key) => `\`${key}\``).join(", ")}; known: ${Object.keys(shape).join(", ") || "none"}`, { issues: unknown.map((field) => ({ field, message: "unknown" })) });
    }
  }
  const parsed = partialOf(schema, shape).safeParse(coerced, INTERPRETED);
  if (!parsed.success) throw validationError("global arguments", parsed.error);
  return parsed.data;
};

/** Which checks run: the definition's word first, then the method, then the command line's flags. */
const checkApplies = (name, check, params) => {
  const { skip = [], require = [], skipAll = false, skipNames = [], skipLabels = [] } = params.checks ?? {};
  if (skip.includes(name)) return false;
  if (check.appliesTo && !check.appliesTo.includes(params.method)) return false;
  if (require.includes(name)) return true;
  if (skipAll || skipNames.includes(name)) return false;
  return !(check.labels ?? []).some((label) => skipLabels.includes(label));
};

/** The errors of a check, or null when it passes. */
const runCheck = async (check, run, call) => {
  let result;
  try {
    result = await check.execute(baseContext(run, call));
  } catch (error) {
    result = { pass: false, errors: [error?.message ?? String(error)] };
  }
  return result?.pass === true ? null : (result?.errors ?? []).map(String);
};

const runChecks = async (model, run, params, call) => {
  const failures = [];
  const ran = [];
  for (const [name, check] of Object.entries(model.checks ?? {})) {
    if (!checkApplies(name, check, params)) continue;
    ran.push(name);
    const errors = await runCheck(check, run, call);
    if (errors !== null) failures.push({ check: name, errors });
  }
  if (failures.length > 0) {
    const text = failures.map(({ check, errors }) => `${check}: ${errors.join("; ") || "failed"}`).join("\n  ");
    throw coded("check_failed", `pre-flight ${failures.length === 1 ? "check" : "checks"} failed\n  ${text}`, { failures });
  }
  return ran;
};

const resolveArguments = (method, globals, unresolved, methodArguments, name) => {
  const schema = method.arguments;
  let merged = { ...methodArguments };
  if (!isRecord(schema)) {
    const known = Object.fromEntries(Object.entries(globals).filter(([key]) => !Object.hasOwn(unresolved, key)));
    merged = { ...known, ...merged };
  }
  const parsed = schema.safeParse(coerceStrings(schema, merged), INTERPRETED);
  if (!parsed.success) throw validationError(`arguments of \`${name}\``, parsed.error);
  return parsed.data;
};

/** Checks of a definition without a method. Nothing is stored, not even an upgrade. */
const runNamedChecks = async ({ run: params, names }, call) => {
  const model = theModel();
  const unresolved = params.unresolvedGlobals ?? {};
  const from = params.definition.typeVersion;
  const isCurrent = from && compareCalVer(from, model.version) >= 0;
  const upgraded = isCurrent ? params.globalArguments : applyUpgrades(model, params.globalArguments, from).values;
  const globals = resolveGlobals(model, upgraded, unresolved);
  const run = { ...params, rawType: model.type, guardedGlobals: guardedArguments(globals, unresolved), unresolvedMethodArgs: {} };
  const results = [];
  for (const name of names) {
    const errors = await runCheck(model.checks[name], run, call);
    results.push({ name, error: errors === null ? null : errors.join("; ") || "the check failed" });
  }
  return results;
};

/** Everything that comes before a method's own code: upgrade, globals, checks, arguments. */
const beforeMethod = async (params, call) => {
  const model = theModel();
  const method = model.methods[params.method];
  if (!method) {
    throw coded("unknown_method", `the type has no method \`${params.method}\``, { available: Object.keys(model.methods) });
  }
  const unresolved = params.unresolvedGlobals ?? {};
  const upgraded = await upgradeDefinition(model, params, call);
  const globals = resolveGlobals(model, upgraded, unresolved);
  const run = { ...params, rawType: model.type, guardedGlobals: guardedArguments(globals, unresolved), unresolvedMethodArgs: params.unresolvedMethodArguments ?? params.methodArguments };
  const kind = methodKind(params.method, method);
  const checks = kind === "read" || kind === "list" ? [] : await runChecks(model, run, params, call);
  const args = resolveArguments(method, globals, unresolved, params.methodArguments, params.method);
  call.notify(NOTICE.executing, { method: params.method, checks });
  return { method, run, kind, globals, args };
};

/** The arguments of a method that runs elsewhere, checked by the type's own schemas. */
const prepareMethod = async (params, call) => {
  const [unresolved] = Object.entries(params.unresolvedGlobals ?? {});
  if (unresolved) {
    const [field, reason] = unresolved;
    throw coded("unresolved_expression", `the global argument \`${field}\` could not be evaluated: ${reason}`, { field });
  }
  const { globals, args, kind } = await beforeMethod(params, call);
  return { globalArguments: globals, methodArguments: args, kind: kind ?? null };
};

/** What marsh needs to know of a returned handle; it has the rest itself. */
const returnedHandle = ({ name, dataId }) => ({
  name: typeof name === "string" ? name : null,
  dataId: typeof dataId === "string" ? dataId : null,
});

const runMethod = async (params, call) => {
  const { method, run, kind, args } = await beforeMethod(params, call);
  const written = [];
  const result = await method.execute(args, methodContext(run, call, written));
  const returned = Array.isArray(result?.dataHandles) ? result.dataHandles.filter(Boolean) : [];
  const names = returned.map((handle) => handle?.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw coded("duplicate_instance", `the method returned two results named \`${twice}\``, { name: twice });
  }
  return { handles: (returned.length > 0 ? returned : written).map(returnedHandle), kind: kind ?? null };
};

