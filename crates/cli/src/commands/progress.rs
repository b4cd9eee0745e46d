//! What is heard of a change while it happens: bars on a terminal, lines elsewhere, nothing under `--json`.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use marsh_api::event::{EventSink, InstallEvent};

use crate::ui::{Ui, shown};

pub struct Progress<'a> {
    ui: &'a Ui,
    bars: Option<Mutex<Bars>>,
}

struct Bars {
    all: MultiProgress,
    by_name: HashMap<String, ProgressBar>,
}

impl<'a> Progress<'a> {
    pub fn new(ui: &'a Ui) -> Progress<'a> {
        let on_terminal = std::io::stderr().is_terminal() && !ui.is_json() && !ui.is_quiet();
        let bars =
            on_terminal.then(|| Mutex::new(Bars { all: MultiProgress::new(), by_name: HashMap::new() }));
        Progress { ui, bars }
    }

    fn downloading(&self, name: &str, done: u64, total: Option<u64>) {
        let Some(bars) = &self.bars else { return };
        let mut bars = bars.lock().unwrap_or_else(PoisonError::into_inner);
        if !bars.by_name.contains_key(name) {
            let bar = bars.all.add(ProgressBar::new(total.unwrap_or(0)));
            if let Ok(style) = ProgressStyle::with_template("  {msg:40!} {bytes:>10} {bar:20} {total_bytes}")
            {
                bar.set_style(style);
            }
            bar.set_message(shown(name));
            bars.by_name.insert(name.to_owned(), bar);
        }
        if let Some(bar) = bars.by_name.get(name) {
            bar.set_position(done);
            if total.is_some_and(|total| done >= total) {
                bar.finish_and_clear();
            }
        }
    }
}

impl EventSink<InstallEvent> for Progress<'_> {
    fn event(&self, event: InstallEvent) {
        match event {
            InstallEvent::Downloading { name, version, done, total } => {
                self.downloading(&format!("{name} {version}"), done, total);
            }
            InstallEvent::Waiting { holder } => {
                self.ui.say(format_args!("waiting: the installed set is being changed by {holder}"));
            }
            InstallEvent::Overwriting { name, files } if files.is_empty() => {
                self.ui.warn(format_args!("{name} is damaged in the store and is replaced"));
            }
            InstallEvent::Overwriting { name, files } => {
                self.ui.warn(format_args!(
                    "{name} was changed after it was installed; overwriting {}",
                    files.join(", ")
                ));
            }
            InstallEvent::Warning { message } => self.ui.warn(message),
            InstallEvent::Resolving { .. } | InstallEvent::Stored { .. } => {}
        }
    }
}
