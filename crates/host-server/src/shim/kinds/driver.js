// Drivers: what the export must look like, and how it runs a method.

const DRIVER_TYPE = /^@?[a-z0-9_-]+(\/[a-z0-9_-]+)*$/i;

const checkDriver = (driver) => {
  checkIdentity(driver, "driver", DRIVER_TYPE);
  wantFunction(driver.createDriver, "driver.createDriver");
};

const contentOf = (output) => {
  const content = output.content;
  if (content === undefined || content === null) return "";
  return base64Of(typeof content === "string" ? new TextEncoder().encode(content) : content);
};

const DRIVER_OPERATIONS = {
  execute: async (params, call) => {
    const driver = await instanceOf("driver", params, (made, config) => made.createDriver(config));
    const { bundle, ...request } = params.request;
    const logs = [];
    const onLog = (line) => {
      logs.push(String(line));
      call.notify(NOTICE.output, { stream: "stdout", line: String(line) });
    };
    const full = bundle === undefined ? request : { ...request, bundle: bytesOf(bundle) };
    const result = await callMember(driver, "the driver", "execute", full, { onLog, onEvent: () => {} });
    if (result === null || typeof result !== "object" || !["success", "error"].includes(result.status)) {
      throw coded("contract_violation", "`execute` of the driver must return a `status` of success or error", { field: "driver.execute" });
    }
    const outputs = (result.outputs ?? []).map((output) => ({
      kind: output.kind, specName: output.specName, name: output.name, type: output.type ?? "resource",
      tags: output.tags ?? {}, base64: contentOf(output),
    }));
    return { status: result.status, error: result.error ?? null, outputs, logs: result.logs ?? logs, durationMs: result.durationMs ?? null };
  },
  initialize: async (params) => {
    const driver = await instanceOf("driver", params, (made, config) => made.createDriver(config));
    if (typeof driver.initialize === "function") await driver.initialize();
    return null;
  },
};

registerKind("driver", { check: checkDriver, describe: describePlugin("driver"), operations: DRIVER_OPERATIONS });
