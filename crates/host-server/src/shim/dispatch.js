// The two functions that the engine calls.

export const init = ({ namespace, externals }) => {
  loadedNamespace = namespace;
  zodNamespace = findZod(externals);
};

/** The operations of the kinds: `vault.get`, … */
const kindOperations = [...KINDS].flatMap(([kind, { operations }]) =>
  Object.entries(operations).map(([name, operation]) => [`${kind}.${name}`, operation]));

/** What marsh can ask of a module, by the operation's name. */
const OPERATIONS = {
  describe: (params) => describeKind(params?.kind ?? "model"),
  load: () => null,
  exports: () => Object.keys(loadedNamespace ?? {}),
  prepare: (params, call) => prepareMethod(params, call),
  check: (params, call) => runNamedChecks(params, call),
  run: (params, call) => runMethod(params, call),
  ...Object.fromEntries(kindOperations),
};

export const dispatch = (op, params, call) => {
  if (!Object.hasOwn(OPERATIONS, op)) throw coded("unsupported", `unknown operation \`${op}\``);
  return OPERATIONS[op](params, call);
};
