import { z } from "npm:zod@4.3.6";
import { plural } from "./_lib/text.ts";

const ScanArguments = z.object({
  path: z.string().default(".").describe("Directory to look through, from the repository's root"),
  skip: z.array(z.string()).default([".swamp", ".git"]).describe("Names that are not entered"),
});

const Inventory = z.object({
  path: z.string(),
  files: z.number().int(),
  lines: z.number().int(),
  byExtension: z.record(z.string(), z.object({ files: z.number().int(), lines: z.number().int() })),
});

type Totals = z.infer<typeof Inventory>;

async function count(dir: string, skip: string[], totals: Totals): Promise<void> {
  for await (const entry of Deno.readDir(dir)) {
    const path = `${dir}/${entry.name}`;
    if (skip.includes(entry.name)) continue;
    if (entry.isDirectory) {
      await count(path, skip, totals);
    } else if (entry.isFile) {
      const lines = (await Deno.readTextFile(path)).split("\n").length - 1;
      const extension = entry.name.includes(".") ? entry.name.split(".").pop()! : "(none)";
      const bucket = (totals.byExtension[extension] ??= { files: 0, lines: 0 });
      bucket.files += 1;
      bucket.lines += lines;
      totals.files += 1;
      totals.lines += lines;
    }
  }
}

/** Counts the files and lines below a directory. */
export const model = {
  type: "@quickstart/inventory",
  version: "2026.11.22.1",
  resources: {
    inventory: {
      description: "How many files and lines there are, by extension",
      schema: Inventory,
      lifetime: "infinite",
      garbageCollection: 10,
    },
  },
  methods: {
    scan: {
      description: "Count files and lines",
      kind: "read",
      arguments: ScanArguments,
      execute: async (args: z.infer<typeof ScanArguments>, context: any) => {
        const totals: Totals = { path: args.path, files: 0, lines: 0, byExtension: {} };
        await count(`${context.repoDir}/${args.path}`, args.skip, totals);
        context.logger.info("found {files} with {lines}", {
          files: plural(totals.files, "file"),
          lines: plural(totals.lines, "line"),
        });
        return { dataHandles: [await context.writeResource("inventory", "inventory", totals)] };
      },
    },
  },
};
