//! The user's settings, which hold for all repositories: `config.json` in the user's configuration directory.

use std::collections::BTreeMap;
use std::path::PathBuf;

use marsh_api::preferences::{Preference, UpdateCheck, UpdateState};
use marsh_fs::Durability;

use crate::error::AppError;
use crate::session::App;

/// The settings: key, values, the first of which is the default.
const KEYS: [(&str, [&str; 2]); 2] =
    [("update.auto", ["disabled", "enabled"]), ("update.cadence", ["daily", "weekly"])];

/// The user's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    values: BTreeMap<String, String>,
}

impl Preferences {
    fn value(&self, key: &str) -> Option<&str> {
        let (_, allowed) = KEYS.iter().find(|(known, _)| *known == key)?;
        let set = self.values.get(key).map(String::as_str).filter(|value| allowed.contains(value));
        Some(set.unwrap_or(allowed[0]))
    }

    /// Whether the user enabled automatic updates.
    pub fn updates_are_automatic(&self) -> bool {
        self.value("update.auto") == Some("enabled")
    }

    /// How often to update.
    pub fn cadence(&self) -> &str {
        self.value("update.cadence").unwrap_or("daily")
    }

    /// All settings, with their defaults.
    pub fn all(&self) -> BTreeMap<String, String> {
        let rows = KEYS.iter().filter_map(|(key, _)| Some(((*key).to_owned(), self.value(key)?.to_owned())));
        rows.collect()
    }
}

fn unknown(key: &str) -> AppError {
    let keys: Vec<&str> = KEYS.iter().map(|(key, _)| *key).collect();
    AppError::Usage {
        message: format!("unknown setting `{key}`"),
        hint: Some(format!("settings: {}", keys.join(", "))),
    }
}

impl App {
    /// The directory of the user's settings and credentials.
    pub(crate) fn config_dir(&self) -> Result<PathBuf, AppError> {
        self.settings().environment.config_dir().ok_or_else(|| AppError::Refused {
            message: "there is no directory for settings: neither XDG_CONFIG_HOME nor HOME is set".into(),
            hint: Some("set HOME or MARSH_HOME".into()),
        })
    }

    /// The user's settings. Settings that this version does not know are kept.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is invalid.
    pub fn preferences(&self) -> Result<Preferences, AppError> {
        let Some(dir) = self.settings().environment.config_dir() else { return Ok(Preferences::default()) };
        let path = dir.join("config.json");
        let failed = |source| AppError::Read { what: path.display().to_string(), source };
        match std::fs::read(&path) {
            Ok(bytes) => {
                let values = serde_json::from_slice(&bytes)
                    .map_err(|error| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
                Ok(Preferences { values })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Preferences::default()),
            Err(error) => Err(failed(error)),
        }
    }

    /// One setting.
    ///
    /// # Errors
    ///
    /// When the key is unknown, or the file cannot be read.
    pub fn preference(&self, key: &str) -> Result<Preference, AppError> {
        let preferences = self.preferences()?;
        let value = preferences.value(key).ok_or_else(|| unknown(key))?;
        Ok(Preference { key: key.to_owned(), value: value.to_owned() })
    }

    /// Changes one setting.
    ///
    /// # Errors
    ///
    /// When key or value is unknown, or the file cannot be written.
    pub fn set_preference(&self, key: &str, value: &str) -> Result<Preference, AppError> {
        let (_, allowed) = KEYS.iter().find(|(known, _)| *known == key).ok_or_else(|| unknown(key))?;
        if !allowed.contains(&value) {
            return Err(AppError::Usage {
                message: format!("invalid value `{value}` of `{key}`"),
                hint: Some(format!("values: {}", allowed.join(", "))),
            });
        }
        let dir = self.config_dir()?;
        marsh_fs::create_dir_all(&dir)?;
        let timeout = self.settings().environment.lock_timeout();
        let lock = marsh_fs::lock_exclusive(&dir.join("config.lock"), timeout, "config set", &mut |_| {});
        let _lock = lock.map_err(marsh_registry::RegistryError::from)?;
        let mut values = self.preferences()?.values;
        values.insert(key.to_owned(), value.to_owned());
        let text = serde_json::to_string_pretty(&values)
            .map_err(|error| AppError::usage(format!("cannot write the settings: {error}")))?;
        marsh_fs::atomic_write(&dir.join("config.json"), (text + "\n").as_bytes(), Durability::Synced)?;
        Ok(Preference { key: key.to_owned(), value: value.to_owned() })
    }

    /// Whether there is a newer version. No release channel is configured, and the answer says so.
    pub fn check_update(&self) -> UpdateCheck {
        UpdateCheck {
            status: UpdateState::UpToDate,
            current_version: self.settings().version.to_owned(),
            warning: Some(
                "no release channel is configured: whether a newer version exists is unknown".to_owned(),
            ),
        }
    }
}
