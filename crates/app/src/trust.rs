//! Trust: the collectives whose extensions are installed on demand.

use marsh_api::source::{ListAction, MemberTrust, TrustChanged, TrustList};
use marsh_fs::Durability;
use marsh_repo::{Marker, Repo, RepoError};
use marsh_types::ExtensionName;
use serde_json::Value;

use crate::error::AppError;
use crate::session::App;

const COLLECTIVES: &str = "trustedCollectives";
const MEMBERS: &str = "trustMemberCollectives";

impl App {
    /// The trusted collectives.
    ///
    /// # Errors
    ///
    /// When there is no repository, or its marker is invalid.
    pub fn trusted(&self) -> Result<TrustList, AppError> {
        let marker = self.repo()?.marker;
        let explicit = marker.trusted_collectives();
        Ok(TrustList {
            explicit: explicit.clone(),
            membership: Vec::new(),
            resolved: explicit,
            trust_member_collectives: marker.flag(MEMBERS).unwrap_or(false),
        })
    }

    /// Trusts a collective.
    ///
    /// # Errors
    ///
    /// When the collective's name is invalid, or the marker cannot be changed.
    pub fn trust(&self, collective: &str) -> Result<TrustChanged, AppError> {
        self.change_trust(ListAction::Add, collective, |mut trusted, name| {
            if !trusted.iter().any(|known| known == name) {
                trusted.push(name.to_owned());
            }
            Ok(trusted)
        })
    }

    /// Stops trusting a collective.
    ///
    /// # Errors
    ///
    /// When the collective is not trusted, or the marker cannot be changed.
    pub fn distrust(&self, collective: &str) -> Result<TrustChanged, AppError> {
        self.change_trust(ListAction::Rm, collective, |mut trusted, name| {
            let before = trusted.len();
            trusted.retain(|known| known != name);
            match trusted.len() == before {
                false => Ok(trusted),
                true => Err(AppError::not_found(
                    format!("`{name}` is not trusted"),
                    "`marsh extension trust list` shows who is",
                )),
            }
        })
    }

    /// Sets whether the collectives are trusted that the user is a member of.
    ///
    /// # Errors
    ///
    /// When the marker cannot be changed.
    pub fn trust_members(&self, on: bool) -> Result<MemberTrust, AppError> {
        self.change_marker(&self.repo()?, |marker| {
            marker.set(MEMBERS, Value::Bool(on));
            Ok(())
        })?;
        Ok(MemberTrust { trust_member_collectives: on })
    }

    fn change_trust(
        &self,
        action: ListAction,
        collective: &str,
        edit: impl FnOnce(Vec<String>, &str) -> Result<Vec<String>, AppError>,
    ) -> Result<TrustChanged, AppError> {
        let repo = self.repo()?;
        let collective = checked(collective)?;
        let trusted_collectives = self.change_marker(&repo, |marker| {
            let trusted = edit(marker.trusted_collectives(), &collective)?;
            marker.set(COLLECTIVES, Value::from(trusted.clone()));
            Ok(trusted)
        })?;
        Ok(TrustChanged { action, collective, trusted_collectives })
    }

    /// Reads the marker again under the lock, so that of two changes at once none is lost.
    fn change_marker<T>(
        &self,
        repo: &Repo,
        edit: impl FnOnce(&mut Marker) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        let _lock = self.lock(repo, "marker.lock", "marsh extension trust")?;
        let mut marker = Repo::open(repo.layout.root())?.marker;
        let value = edit(&mut marker)?;
        let text = marker.to_yaml().map_err(RepoError::from)?;
        marsh_fs::atomic_write(&repo.layout.marker(), text.as_bytes(), Durability::Synced)?;
        Ok(value)
    }
}

/// The name without `@`.
fn checked(collective: &str) -> Result<String, AppError> {
    let bare = collective.trim_start_matches('@');
    match ExtensionName::parse(&format!("@{bare}/x")) {
        Ok(_) if !bare.contains('/') => Ok(bare.to_owned()),
        _ => Err(AppError::usage(format!("invalid collective `{collective}`: use a-z, 0-9, `-` and `_`"))),
    }
}
