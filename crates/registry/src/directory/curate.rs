//! Changes to published versions: yank, deprecate, promote.

use marsh_types::{CalVer, Channel, ExtensionName};

use super::layout::ExtensionRecord;
use super::{Directory, named};
use crate::error::RegistryError;
use crate::protocol::Promoted;

impl Directory {
    /// Withdraws one version, or the extension with all its versions. Yanking again replaces the reason. Returns a sentence
    /// for the user.
    ///
    /// # Errors
    /// There is no such extension, version or channel; the lock cannot be taken; a file cannot be written.
    pub fn yank(
        &self,
        name: &ExtensionName,
        version: Option<CalVer>,
        channel: Option<Channel>,
        reason: &str,
    ) -> Result<String, RegistryError> {
        self.set_yanked(name, version, channel, Some(reason))?;
        Ok(format!("{} is yanked", named(name, version)))
    }

    /// Takes back a yank. Returns a sentence for the user.
    ///
    /// # Errors
    /// As [`yank`](Self::yank).
    pub fn unyank(
        &self,
        name: &ExtensionName,
        version: Option<CalVer>,
        channel: Option<Channel>,
    ) -> Result<String, RegistryError> {
        self.set_yanked(name, version, channel, None)?;
        Ok(format!("{} is no longer yanked", named(name, version)))
    }

    fn set_yanked(
        &self,
        name: &ExtensionName,
        version: Option<CalVer>,
        channel: Option<Channel>,
        reason: Option<&str>,
    ) -> Result<(), RegistryError> {
        let found = self.change(name, |record, now| {
            let (at, why) = (reason.map(|_| now.to_owned()), reason.map(str::to_owned));
            match version {
                None if channel.is_none() => {
                    (record.yanked_at, record.yank_reason) = (at, why);
                    Ok(true)
                }
                _ => {
                    let mut found = false;
                    for one in &mut record.versions {
                        if version.is_none_or(|version| one.version == version)
                            && channel.is_none_or(|channel| one.channel == channel)
                        {
                            (one.yanked_at, one.yank_reason) = (at.clone(), why.clone());
                            found = true;
                        }
                    }
                    Ok(found)
                }
            }
        })?;
        if found { Ok(()) } else { Err(self.not_found(name, version)) }
    }

    /// Marks an extension as deprecated, optionally with the extension to use instead. Returns a sentence for the user.
    ///
    /// # Errors
    /// There is no such extension, it would supersede itself, the lock cannot be taken, or a file cannot be written.
    pub fn deprecate(
        &self,
        name: &ExtensionName,
        reason: &str,
        superseded_by: Option<&ExtensionName>,
    ) -> Result<String, RegistryError> {
        if superseded_by == Some(name) {
            return Err(RegistryError::ValidationFailed {
                message: format!("{name} cannot supersede itself"),
            });
        }
        self.change(name, |record, now| {
            record.deprecated_at = Some(now.to_owned());
            record.deprecation_reason = Some(reason.to_owned());
            record.superseded_by = superseded_by.cloned();
            Ok(true)
        })?;
        Ok(format!("{name} is deprecated"))
    }

    /// Takes back a deprecation. Returns a sentence for the user.
    ///
    /// # Errors
    /// As [`deprecate`](Self::deprecate).
    pub fn undeprecate(&self, name: &ExtensionName) -> Result<String, RegistryError> {
        self.change(name, |record, _| {
            record.deprecated_at = None;
            record.deprecation_reason = None;
            record.superseded_by = None;
            Ok(true)
        })?;
        Ok(format!("{name} is no longer deprecated"))
    }

    /// Moves a version to a more finished channel.
    ///
    /// # Errors
    /// There is no such version, its channel is `to` or more finished, the lock cannot be taken, or a file cannot be written.
    pub fn promote(
        &self,
        name: &ExtensionName,
        version: CalVer,
        to: Channel,
    ) -> Result<Promoted, RegistryError> {
        let mut previous = None;
        let found = self.change(name, |record, _| {
            let Some(one) = record.versions.iter_mut().find(|one| one.version == version) else {
                return Ok(false);
            };
            if one.channel >= to {
                return Err(RegistryError::ValidationFailed {
                    message: format!(
                        "cannot promote {name}@{version} from {} to {to}: expected a more finished channel",
                        one.channel
                    ),
                });
            }
            previous = Some(one.channel);
            one.channel = to;
            Ok(true)
        })?;
        match previous.filter(|_| found) {
            Some(previous_channel) => Ok(Promoted {
                name: name.clone(),
                version,
                previous_channel,
                channel: to,
                message: format!("{name}@{version} moved from {previous_channel} to {to}"),
            }),
            None => Err(self.not_found(name, Some(version))),
        }
    }

    /// Changes a record under the lock. If `change` returns `false`, nothing is written, and neither is the answer `true`.
    fn change(
        &self,
        name: &ExtensionName,
        change: impl FnOnce(&mut ExtensionRecord, &str) -> Result<bool, RegistryError>,
    ) -> Result<bool, RegistryError> {
        self.check()?;
        let _lock = self.lock()?;
        let mut record = self.record_if_any(name)?.ok_or_else(|| self.not_found(name, None))?;
        let now = marsh_types::time::iso_millis(jiff::Timestamp::now());
        if !change(&mut record, &now)? {
            return Ok(false);
        }
        record.updated_at = now;
        self.commit(&record)?;
        Ok(true)
    }
}
