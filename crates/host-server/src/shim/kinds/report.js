// Reports: what the export must look like, and how it runs.

const checkReport = (report) => {
  wantObject(report, "report");
  wantText(report.name, "report.name");
  if (!PLUGIN_TYPE.test(report.name)) complain("report.name", "must be a name like `@collective/name`");
  wantText(report.description, "report.description");
  if (!["method", "model", "workflow"].includes(report.scope)) {
    complain("report.scope", "must be one of method, model, workflow");
  }
  wantTextsIfAny(report.labels, "report.labels");
  wantFunction(report.execute, "report.execute");
};

const describeReport = (report) => ({
  kind: "report",
  type: report.name,
  name: report.name,
  description: report.description,
  scope: report.scope,
  labels: report.labels ?? [],
});

/** What all scopes share. */
const reportContext = (params, call) => {
  const { scope, ...own } = params.context;
  const context = {
    scope,
    logger: createLogger(call),
    dataRepository: dataRepository(call),
    definitionRepository: definitionRepository(call),
    signal: call.signal,
    redactSensitiveArgs: (args, place) => redacted(args, params.sensitive?.[place] ?? []),
    ...own,
  };
  if (own.modelType !== undefined) context.modelType = modelTypeObject(own.modelTypeRaw ?? own.modelType, own.modelType);
  if (scope === "method") context.extensionFile = (path) => call.requestSync(REQUEST.extensionFile, { path });
  return withRepoDir(context, params.repoDir, call);
};

/** A copy in which what the schema marks as sensitive is hidden. */
const redacted = (args, paths) => {
  const copy = JSON.parse(JSON.stringify(args ?? {}));
  for (const path of paths) {
    const keys = path.split(".");
    const last = keys.pop();
    const holder = keys.reduce((current, key) => (current === null || typeof current !== "object" ? undefined : current[key]), copy);
    if (holder && typeof holder === "object" && last in holder) holder[last] = "***";
  }
  return copy;
};

const REPORT_OPERATIONS = {
  execute: async (params, call) => {
    const report = theExport("report");
    const result = await report.execute(reportContext(params, call));
    if (result === null || typeof result !== "object" || typeof result.markdown !== "string") {
      throw coded("contract_violation", "`execute` of the report must return an object with a text `markdown`", { field: "report.execute" });
    }
    const json = jsonText(result.json ?? {});
    return { markdown: result.markdown, json: json ?? "{}" };
  },
};

registerKind("report", { check: checkReport, describe: describeReport, operations: REPORT_OPERATIONS });
