import { z } from "npm:zod@4.3.6";
import { bar, plural } from "./_lib/text.ts";

const Globals = z.object({
  source: z.string().describe("The model whose inventory is digested"),
});

const SummarizeArguments = z.object({
  top: z.number().int().min(1).default(3).describe("How many extensions to name"),
});

const AnnounceArguments = z.object({
  greeting: z.string().min(1),
});

const Summary = z.object({
  headline: z.string(),
  largest: z.array(z.object({ extension: z.string(), lines: z.number(), share: z.string() })),
});

/** Turns an inventory into something to read. */
export const model = {
  type: "@quickstart/digest",
  version: "2026.11.22.1",
  globalArguments: Globals,
  resources: {
    summary: { description: "The largest parts", schema: Summary, lifetime: "infinite", garbageCollection: 10 },
  },
  files: {
    letter: {
      description: "The summary as a letter",
      contentType: "text/plain",
      lifetime: "infinite",
      garbageCollection: 10,
    },
  },
  methods: {
    summarize: {
      description: "Name the largest extensions of the inventory",
      arguments: SummarizeArguments,
      execute: async (args: z.infer<typeof SummarizeArguments>, context: any) => {
        const [inventory] = await context.readModelData(context.globalArgs.source, "inventory");
        if (!inventory) throw new Error(`${context.globalArgs.source} has no inventory yet; run its scan first`);
        const { files, lines, byExtension } = inventory.attributes;
        const largest = Object.entries<{ lines: number }>(byExtension)
          .sort(([, a], [, b]) => b.lines - a.lines)
          .slice(0, args.top)
          .map(([extension, part]) => ({ extension, lines: part.lines, share: bar(part.lines, lines) }));
        const headline = `${plural(files, "file")}, ${plural(lines, "line")}`;
        return { dataHandles: [await context.writeResource("summary", "summary", { headline, largest })] };
      },
    },
    announce: {
      description: "Write the summary as a letter",
      arguments: AnnounceArguments,
      execute: async (args: z.infer<typeof AnnounceArguments>, context: any) => {
        const summary = Summary.parse(await context.readResource("summary"));
        const lines = summary.largest.map(({ extension, lines, share }) => `  ${extension.padEnd(8)} ${share} ${lines}`);
        const letter = [`${args.greeting}!`, "", `This repository has ${summary.headline}.`, "", ...lines, ""].join("\n");
        for (const line of letter.trimEnd().split("\n")) console.log(line);
        return { dataHandles: [await context.createFileWriter("letter", "letter").writeText(letter)] };
      },
    },
  },
};
