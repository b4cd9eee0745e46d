//! What marsh teaches AI tools: the instructions of a repository, and two skills.

use super::custom::SkillReferences;

/// The names of the skills.
pub const SKILLS: [&str; 2] = ["marsh", "marsh-getting-started"];

/// The instructions. `{P}` is the program's name, `{SKILLS}` says where the skills are.
const INSTRUCTIONS: &str = "\
# Automation in this repository

This repository is automated with `{P}`: models of external systems, methods that query or change them, results kept as
versioned data, and workflows over them. \"Workflow\" means a workflow of `{P}` here, not one of a CI service.

## Before you build

1. Search what exists: `{P} model type search <word>`, then `{P} extension search <word>`. Prefer official extensions,
   then those of trusted collectives. `{P} model type describe <type> --json` shows methods, arguments and outputs.
2. If a type lacks a method, extend the type with a method extension under `extensions/models/`. Do not go around it with
   scripts.
3. Use `command/shell` for single, ad-hoc commands only. Write a type for everything that will run again.
4. An empty repository (`{P} model search --json` lists nothing) starts with a search for a type, then
   `{P} model create <type> <name>`.

## While you work

* Go through `{P}` for definitions, data, runs and secrets. Do not read or edit `.swamp/` with grep, jq or curl.
* Use stored data: `{P} data query`, `{P} data get <model> <name> --json`. Run a method again only for a fresh value.
* Wire models with expressions instead of copied values: `${{ data.latest('<model>', '<name>').attributes.<field> }}`.
  Prefer `data.latest` to the older `model.<name>.resource` form.
* Before a method that deletes or replaces something, read the data, and check id and name of its target.
* Do not call one method in a loop of shell commands: runs of one model wait for each other. Write one method that handles
  all items, or a workflow with `forEach`.
* Pin npm packages to exact versions (`npm:zod@4.3.6`). Bundling resolves them, and no lockfile of yours holds them.
* Write a report extension for an analysis that will be repeated.
* Keep secrets in vaults, `{P} vault put <vault> <key>`, and refer to them by expression.
* Validate before you run: `{P} model validate <name>`, `{P} workflow validate <name>`.
* After a failure, read the record first: `{P} workflow history get <name>`, `{P} model output get <model>`,
  `{P} report search --json`.

## Reference

`{P} <command> --help` describes each command. `--json` prints one document; `{P} schema <name>` prints its schema.
{SKILLS}
";

const SKILL_FRONT: &str = "\
---
name: {NAME}
description: \"{ABOUT}\"
---

<!-- Written by marsh, and replaced by every upgrade of the repository. -->

";

const ABOUT_MAIN: &str = "Work with models, methods, data, vaults and workflows of this automation repository through `{P}`. \
     Use it to create, run, query or debug automation here.";

const MAIN: &str = "\
# Working with `{P}`

| to | run |
|---|---|
| find a type | `{P} model type search <word> --json`; else `{P} extension search <word> --json` |
| read a type | `{P} model type describe <type> --json` |
| create a definition | `{P} model create <type> <name> --global-arg key=value` |
| edit a definition | `{P} model edit <name>` with the new YAML on standard input |
| check it | `{P} model validate <name> --json` |
| run a method | `{P} model method run <name> <method> --input key=value --json` |
| read a result | `{P} data get <name> <datum> --json` |
| find results | `{P} data query 'modelName == \"<name>\"' --json` |
| create a workflow | `{P} workflow create <name>`, then `{P} workflow edit <name>` |
| run a workflow | `{P} workflow run <name> --json` |
| find out why it failed | `{P} workflow history get <name> --json`, `{P} workflow history logs <name>` |
| store a secret | `{P} vault put <vault> <key>` with the value on standard input |
| find problems | `{P} doctor workflows --json`, `{P} doctor secrets --json` |

A definition refers to data and secrets by expression:

```yaml
globalArguments:
  vpc: ${{ data.latest('network', 'vpc').attributes.id }}
  token: ${{ vault.get('main', 'api-token') }}
```

A workflow has jobs, a job has steps, and a step runs a method:

```yaml
jobs:
  - name: main
    steps:
      - name: check
        task: {type: model_method, modelIdOrName: root, methodName: check}
      - name: act
        dependsOn: [{step: check, condition: {type: succeeded}}]
        task: {type: model_method, modelIdOrName: root, methodName: act}
```

Rules: look up ids before a destructive method; one method over many items instead of many calls; data that exist instead of
another call; the record of a failed run before a second try.
";

const ABOUT_START: &str = "Start with an empty automation repository: find a type, create a definition, run a method, read the result, \
     write a workflow. Use it when no models exist yet.";

const START: &str = "\
# First steps with `{P}`

1. `{P} model search --json`. If it lists models, use the skill `marsh` instead.
2. Ask which system to automate. Search for a type: `{P} model type search <word>`, `{P} extension search <word>`.
3. Install an extension if one fits: `{P} extension pull <name>`. Ask first: it is code of others.
4. Read the type: `{P} model type describe <type>`.
5. Keep credentials in a vault: `{P} vault create local_encryption main`, `{P} vault put main <key>`.
6. Create a definition: `{P} model create <type> <name>`, then `{P} model edit <name>` for its arguments.
7. `{P} model validate <name>`, then run a method that only reads: `{P} model method run <name> <method>`.
8. Read what it stored: `{P} data list <name>`, `{P} data get <name> <datum>`.
9. If nothing fits, write a type in `extensions/models/<name>.ts`, and run `{P} doctor extensions` after each change.
10. Put repeated work into a workflow: `{P} workflow create <name>`, `{P} workflow validate <name>`, `{P} workflow run <name>`.
";

/// The instructions for a tool whose skills are in `skills`.
pub fn text(program: &str, skills: &str, references: SkillReferences) -> String {
    let named: Vec<String> = match references {
        SkillReferences::Name => SKILLS.iter().map(|skill| format!("`{skill}`")).collect(),
        SkillReferences::Path => SKILLS.iter().map(|skill| format!("`{skills}/{skill}/SKILL.md`")).collect(),
    };
    let where_they_are = format!("Skills are in `{skills}`: {}.", named.join(" and "));
    INSTRUCTIONS.replace("{SKILLS}", &where_they_are).replace("{P}", program)
}

/// The skills, by the names of their directories.
pub fn skills(program: &str) -> [(&'static str, String); 2] {
    let skill = |name: &str, about: &str, body: &str| {
        let front = SKILL_FRONT.replace("{NAME}", name).replace("{ABOUT}", about);
        (front + body).replace("{P}", program)
    };
    [(SKILLS[0], skill(SKILLS[0], ABOUT_MAIN, MAIN)), (SKILLS[1], skill(SKILLS[1], ABOUT_START, START))]
}
