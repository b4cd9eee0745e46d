// Drives an extension's datastore through its provider: health, a lock, and files pushed and pulled again.
import { z } from "npm:zod@4.3.6";
import { datastore } from "@ENTRY@";

export const model = {
  type: "@census/probe",
  version: "2026.01.01.1",
  globalArguments: z.object({ config: z.record(z.string(), z.unknown()).default({}) }),
  resources: {
    store: {
      description: "What the datastore did",
      schema: z.object({
        datastore: z.string(),
        healthy: z.boolean(),
        message: z.string(),
        locked: z.boolean(),
        released: z.boolean(),
        pulled: z.string(),
      }),
      lifetime: "infinite",
      garbageCollection: 3,
    },
  },
  methods: {
    roundtrip: {
      description: "Verify, lock, push, pull",
      arguments: z.object({ dir: z.string() }),
      execute: async (args, context) => {
        const config = datastore.configSchema.parse(context.globalArgs.config);
        const provider = await datastore.createProvider(config);
        const health = await provider.createVerifier().verify();
        const lock = provider.createLock(args.dir);
        await lock.acquire();
        const locked = (await lock.inspect()) !== null;
        const path = `${args.dir}/data/one/1/raw`;
        await Deno.mkdir(`${args.dir}/data/one/1`, { recursive: true });
        await Deno.writeTextFile(path, "kept");
        let pulled = "no sync";
        const sync = provider.createSyncService?.(args.dir, args.dir);
        if (sync) {
          await sync.markDirty?.();
          await sync.pushChanged();
          await Deno.remove(args.dir, { recursive: true });
          await Deno.mkdir(args.dir, { recursive: true });
          await sync.pullChanged();
          pulled = await Deno.readTextFile(path);
        }
        await lock.release();
        const released = (await lock.inspect()) === null;
        const handle = await context.writeResource("store", "probe", {
          datastore: datastore.type,
          healthy: health.healthy,
          message: String(health.message ?? ""),
          locked,
          released,
          pulled,
        });
        return { dataHandles: [handle] };
      },
    },
  },
};
