// Drives an extension's vault through its provider: what it stores, it gives back.
import { z } from "npm:zod@4.3.6";
import { vault } from "@ENTRY@";

export const model = {
  type: "@census/probe",
  version: "2026.01.01.1",
  globalArguments: z.object({ config: z.record(z.string(), z.unknown()).default({}) }),
  resources: {
    secret: {
      description: "What the vault gave back",
      schema: z.object({ vault: z.string(), value: z.string(), keys: z.array(z.string()) }),
      lifetime: "infinite",
      garbageCollection: 3,
    },
  },
  methods: {
    roundtrip: {
      description: "Store a secret, read it, list the keys",
      arguments: z.object({ key: z.string(), value: z.string() }),
      execute: async (args, context) => {
        const provider = await vault.createProvider("probe", vault.configSchema.parse(context.globalArgs.config));
        await provider.put(args.key, args.value);
        const value = await provider.get(args.key);
        const keys = await provider.list();
        const handle = await context.writeResource("secret", "probe", { vault: vault.type, value, keys });
        return { dataHandles: [handle] };
      },
    },
  },
};
