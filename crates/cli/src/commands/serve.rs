//! `marsh serve …`.

use std::process::ExitCode;

use marsh_api::server::{
    Reloaded, ServerStarted, ServerStopped, ShutdownAccepted, Status, TriggerRow, TypeState,
};
use marsh_repo::{Environment, Repo};
use marsh_serve::{Client, Listening, Service, TriggerOptions};
use marsh_trigger::Webhook;

use super::{done, failed};
use crate::app;
use crate::args::Cli;
use crate::args::serve::{ServeArgs, ServeCommand};
use crate::error::CliError;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, columns};

pub fn run(cli: &Cli, ui: &Ui, arguments: &ServeArgs) -> Result<ExitCode, CliError> {
    match &arguments.command {
        None => serve(cli, ui, arguments),
        Some(command) => ask(cli, ui, command),
    }
}

fn serve(cli: &Cli, ui: &Ui, arguments: &ServeArgs) -> Result<ExitCode, CliError> {
    // Requests run on threads of their own; two heaps are enough for what contends.
    marsh_allocator::share_heaps(2);
    let server = app::app(cli)?.server()?;
    let interrupt = server.canceller();
    app::cancel_on_signal(interrupt.clone());
    let layout = server.repo()?.layout;
    let service = Service::new(server);
    if arguments.stdio {
        marsh_serve::serve_stdio(service, arguments.watch, interrupt.token())?;
        return done();
    }
    let (printer, root) = (*ui, layout.root().to_owned());
    let ready = move |serving: &marsh_serve::Serving| {
        let socket = serving.socket.as_deref().unwrap_or(&root);
        let document = ServerStarted {
            socket: socket.display().to_string(),
            watching: serving.watching,
            pid: std::process::id(),
            http: serving.http.map(|addr| addr.to_string()),
        };
        printer.result(&document, || {
            let http = document.http.as_ref();
            let http = http.map_or_else(String::new, |addr| format!(", webhooks at http://{addr}"));
            format!("serving {} at {}{http}", root.display(), document.socket)
        });
    };
    let webhooks = arguments.webhook.iter().map(|text| Webhook::parse(text)).collect::<Result<_, _>>()?;
    let triggers = TriggerOptions { schedule: !arguments.no_schedule, webhooks, http: arguments.http() };
    let listening = Listening {
        socket: arguments.socket.as_deref(),
        watch: arguments.watch,
        triggers: &triggers,
        warn: Ui::note,
    };
    marsh_serve::serve_socket(service, &layout, listening, interrupt.token(), ready)?;
    done()
}

fn ask(cli: &Cli, ui: &Ui, command: &ServeCommand) -> Result<ExitCode, CliError> {
    let environment = Environment::from_process();
    let repo = Repo::find(cli.global.repo_dir.as_deref(), &environment, &app::current_dir()?)?;
    let mut client = Client::find(&repo.layout)?;
    match command {
        ServeCommand::Status => {
            let document: Status = client.expect("status", &())?;
            ui.result(&document, || status_text(&document));
            done()
        }
        ServeCommand::Reload => {
            let document: Reloaded = client.expect("reload", &())?;
            ui.result(&document, || reloaded_text(&document));
            if document.failed.is_empty() { done() } else { failed() }
        }
        ServeCommand::Stop => {
            let ShutdownAccepted {} = client.expect("shutdown", &())?;
            // The connection ends with the process.
            client.wait_for_end();
            ui.result(&ServerStopped { stopped: true }, || format!("{GOOD}stopped{GOOD:#}"));
            done()
        }
        // Refused before.
        ServeCommand::Daemon(_) => failed(),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / f64::from(1 << 20))
}

fn status_text(status: &Status) -> String {
    let mut text = format!("{NAME}{}{NAME:#}\n", status.repository);
    let memory = status.rss_bytes.map(megabytes).unwrap_or_default();
    text.push_str(&format!("  {DIM}process{DIM:#}  {} {memory}\n", status.pid));
    text.push_str(&format!("  {DIM}since{DIM:#}    {}\n", status.started_at));
    let watching = if status.watching { "yes" } else { "no" };
    text.push_str(&format!("  {DIM}watching{DIM:#} {watching}\n"));
    for host in &status.hosts {
        let memory = host.rss_bytes.map(megabytes).unwrap_or_default();
        let heap = megabytes(host.heap_bytes);
        text.push_str(&format!(
            "  {DIM}host{DIM:#}     {} {} {memory}, {} versions, heap {heap}\n",
            host.key, host.pid, host.versions_alive
        ));
    }
    if let Some(http) = &status.http {
        text.push_str(&format!("  {DIM}webhooks{DIM:#} http://{http}\n"));
    }
    let rows: Vec<Vec<String>> = status
        .types
        .iter()
        .map(|row| {
            let state = if row.state == TypeState::Failing { BAD } else { GOOD };
            vec![
                format!("{NAME}{}{NAME:#}", row.type_name),
                format!("{state}{}{state:#}", row.state.as_str()),
                format!("{} calls", row.calls),
                format!("{} reloads", row.reloads),
                format!("{} versions", row.versions_alive),
                megabytes(row.heap_bytes),
                format!("{DIM}{}{DIM:#}", row.fingerprint.as_deref().unwrap_or("-").get(..12).unwrap_or("-")),
            ]
        })
        .collect();
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&columns(&rows));
    }
    if !status.triggers.is_empty() {
        text.push('\n');
        text.push_str(&columns(&status.triggers.iter().map(trigger_row).collect::<Vec<_>>()));
    }
    for row in &status.triggers {
        if let Some(error) = &row.error {
            text.push_str(&format!("\n{BAD}{}{BAD:#}: {error}", row.workflow));
        }
    }
    for row in &status.types {
        if let Some(last) = &row.last_error {
            text.push_str(&format!(
                "\n{BAD}{}{BAD:#} since {}: {}",
                row.type_name, last.at, last.failure.message
            ));
        }
    }
    text
}

fn trigger_row(row: &TriggerRow) -> Vec<String> {
    let state = if row.running {
        "running".to_owned()
    } else if row.waiting > 0 {
        format!("{} waiting", row.waiting)
    } else {
        row.last_status.clone().unwrap_or_else(|| "-".to_owned())
    };
    vec![
        format!("{NAME}{}{NAME:#}", row.workflow),
        row.schedule.clone().unwrap_or_else(|| "webhook".to_owned()),
        row.next.as_ref().map_or_else(String::new, |next| format!("next {next}")),
        state,
        format!("{} runs", row.fired),
        if row.skipped > 0 { format!("{} skipped", row.skipped) } else { String::new() },
        if row.missed > 0 { format!("{} missed", row.missed) } else { String::new() },
    ]
}

fn reloaded_text(reloaded: &Reloaded) -> String {
    let mut text = String::new();
    for name in &reloaded.changed {
        text.push_str(&format!("{GOOD}reloaded{GOOD:#} {NAME}{name}{NAME:#}\n"));
    }
    for name in &reloaded.removed {
        text.push_str(&format!("{DIM}gone{DIM:#} {name}\n"));
    }
    for one in &reloaded.failed {
        text.push_str(&format!("{BAD}failing{BAD:#} {}: {}\n", one.type_name, one.error.message));
    }
    text.push_str(&format!("{} types, {} ms", reloaded.types, reloaded.duration_ms));
    text
}
