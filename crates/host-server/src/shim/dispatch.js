// The two functions that the engine calls.

export const init = ({ namespace, externals }) => {
  loadedNamespace = namespace;
  zodNamespace = findZod(externals);
};

const ofKind = (kind, operations) =>
  Object.fromEntries(Object.entries(operations).map(([name, operation]) => [`${kind}.${name}`, operation]));

/** What marsh can ask of a module, by the operation's name. */
const OPERATIONS = {
  describe: (params) => describeKind(params?.kind ?? "model"),
  load: () => null,
  exports: () => Object.keys(loadedNamespace ?? {}),
  prepare: (params, call) => prepareMethod(params, call),
  check: (params, call) => runNamedChecks(params, call),
  run: (params, call) => runMethod(params, call),
  ...ofKind("vault", VAULT_OPERATIONS),
  ...ofKind("datastore", DATASTORE_OPERATIONS),
  ...ofKind("driver", DRIVER_OPERATIONS),
  ...ofKind("report", REPORT_OPERATIONS),
};

export const dispatch = (op, params, call) => {
  if (!Object.hasOwn(OPERATIONS, op)) throw coded("unsupported", `unknown operation \`${op}\``);
  return OPERATIONS[op](params, call);
};
