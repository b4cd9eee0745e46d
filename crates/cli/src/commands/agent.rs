//! `marsh agent …`.

use std::process::ExitCode;

use marsh_api::repository::{AgentTool, InstructionsMode, SkillReferenceStyle};
use marsh_app::App;

use super::done;
use crate::app;
use crate::args::Cli;
use crate::args::agent::{AgentCommand, Mode, SetupArgs, Style};
use crate::error::CliError;
use crate::ui::{GOOD, NAME, Ui, columns};

pub fn run(cli: &Cli, ui: &Ui, command: &AgentCommand) -> Result<ExitCode, CliError> {
    let app = app::app(cli)?;
    match command {
        AgentCommand::Setup(arguments) => setup(&app, ui, arguments),
        AgentCommand::List => list(&app, ui),
        AgentCommand::Rm { name, yes } => remove(&app, ui, name, *yes),
    }
}

fn setup(app: &App, ui: &Ui, arguments: &SetupArgs) -> Result<ExitCode, CliError> {
    let answer = |given: Option<&String>, question: &str, default: Option<&str>| match given {
        Some(value) => Some(value.clone()),
        None if ui.can_ask() => ui.ask(question, default),
        None => default.map(str::to_owned),
    };
    let Some(name) = answer(arguments.name.as_ref(), "Name of the tool", None) else {
        return Err(CliError::Usage {
            message: "missing `--name`".into(),
            hint: Some("name the tool with `--name`, or run `marsh agent setup` on a terminal".into()),
        });
    };
    let suggested = app.suggest_agent(&name)?;
    let skills = answer(arguments.skills_dir.as_ref(), "Directory of skills", Some(&suggested.skills_dir));
    let file = answer(
        arguments.instructions_file.as_ref(),
        "File of instructions",
        Some(&suggested.instructions_file),
    );
    let tool = AgentTool {
        name,
        skills_dir: skills.unwrap_or(suggested.skills_dir),
        instructions_file: file.unwrap_or(suggested.instructions_file),
        instructions_mode: match arguments.instructions_mode {
            Some(Mode::Owned) => InstructionsMode::Owned,
            _ => InstructionsMode::Shared,
        },
        frontmatter: None,
        skill_reference_style: match arguments.skill_reference_style {
            Some(Style::Path) => SkillReferenceStyle::Path,
            _ => SkillReferenceStyle::Name,
        },
        gitignore_entries: arguments.gitignore.clone(),
    };
    let added = app.add_agent(tool)?;
    ui.result(&added, || {
        let verb = if added.replaced { "replaced" } else { "added" };
        format!(
            "{GOOD}{verb}{GOOD:#} {NAME}{}{NAME:#} in {}\n\nnext: marsh repo upgrade --tool {}",
            added.tool.name, added.path, added.tool.name
        )
    });
    done()
}

fn list(app: &App, ui: &Ui) -> Result<ExitCode, CliError> {
    let found = app.agents()?;
    ui.result(&found, || {
        let rows: Vec<Vec<String>> = found
            .tools
            .iter()
            .map(|tool| {
                vec![
                    format!("{NAME}{}{NAME:#}", tool.name),
                    tool.instructions_file.clone(),
                    tool.skills_dir.clone(),
                ]
            })
            .collect();
        let described = if rows.is_empty() { "no described tools\n".to_owned() } else { columns(&rows) };
        format!("{described}built in: {}", App::builtin_agents().join(", "))
    });
    done()
}

fn remove(app: &App, ui: &Ui, name: &str, yes: bool) -> Result<ExitCode, CliError> {
    if !yes && ui.can_ask() && !ui.confirm(&format!("remove the description of {name}?")) {
        return Err(marsh_app::AppError::interrupted().into());
    }
    let removed = app.remove_agent(name)?;
    ui.result(&removed, || format!("{GOOD}removed{GOOD:#} {name}; the files that were written for it stay"));
    done()
}
