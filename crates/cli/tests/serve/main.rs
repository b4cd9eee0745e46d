//! The long-lived process, over the shipped binary and the protocol that users speak.

mod failures;
mod fresh;
mod kinds;
mod lifecycle;
mod reload;
mod workflow;
mod workflow_code;

use marsh_testkit::Scratch;

const BINARY: &str = env!("CARGO_BIN_EXE_marsh");

fn repo() -> Scratch {
    Scratch::repo(BINARY)
}

/// The model type `@me/x` whose method `run` writes `{ word }`, where `word` is this expression.
fn model(imports: &str, word: &str) -> String {
    model_running(imports, &format!("await context.writeResource('out', 'said', {{ word: {word} }});"))
}

/// The same, with any body; `context` is in scope.
fn model_running(imports: &str, body: &str) -> String {
    format!(
        "import {{ z }} from 'npm:zod@4.3.6';\n{imports}\nexport const model = {{\n  type: '@me/x', version: '2026.01.01.1',\n  \
         resources: {{ out: {{ description: 'anything', schema: z.any(), lifetime: 'infinite', garbageCollection: 3 }} }},\n  \
         methods: {{ run: {{ description: 'Do it', arguments: z.object({{}}), execute: async (_args, context) => {{\n{body}\n  }} }} }},\n}};\n"
    )
}
