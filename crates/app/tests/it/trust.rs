//! Whose extensions are installed on demand.

use marsh_api::ErrorCode;

use crate::support::{Repository, code};

#[test]
fn collectives_are_trusted_and_no_longer_trusted() {
    let repo = Repository::new();
    let app = repo.app();
    assert_eq!(app.trusted().unwrap().explicit, ["swamp"]);
    let added = app.trust("@acme").unwrap();
    assert_eq!(added.trusted_collectives, ["swamp", "acme"]);
    assert_eq!(app.trust("acme").unwrap().trusted_collectives, ["swamp", "acme"]);
    app.distrust("swamp").unwrap();
    app.distrust("acme").unwrap();
    assert_eq!(app.trusted().unwrap().explicit, [""; 0], "an empty list trusts no collective");
    assert_eq!(code(app.distrust("acme")), ErrorCode::NotFound);
    assert_eq!(code(app.trust("a/b")), ErrorCode::Usage);
    app.trust_members(true).unwrap();
    assert!(app.trusted().unwrap().trust_member_collectives);
}
