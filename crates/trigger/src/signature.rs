//! Whether a webhook comes from who knows the secret: HMAC-SHA-256 over the bytes of the body, as the senders do it.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// How far the time in a signature may be from now, in seconds.
const WINDOW: i64 = 300;

/// How a sender signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// `X-Hub-Signature-256: sha256=<hex>`
    Github,
    /// `Linear-Signature: <hex>`
    Linear,
    /// `Stripe-Signature: t=<seconds>,v1=<hex>`, over `<seconds>.<body>`
    Stripe,
    /// `X-Slack-Signature: v0=<hex>`, over `v0:<seconds>:<body>`
    Slack,
    /// `<header>: <prefix><hex>`
    Generic {
        /// The name of the header.
        header: String,
        /// What stands before the digits; may be empty.
        prefix: String,
    },
}

/// Why a call is not believed. Says nothing that would help to forge one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The request has no signature.
    #[error("the signature is missing")]
    Missing,
    /// The signature is not that of the body.
    #[error("the signature does not match")]
    Wrong,
    /// The signature is too old.
    #[error("the time of the signature is more than five minutes from now")]
    Stale,
}

impl Scheme {
    /// The names of all schemes.
    pub const NAMES: [&'static str; 5] = ["github", "linear", "stripe", "slack", "generic"];

    /// The name of the scheme.
    pub fn name(&self) -> &'static str {
        match self {
            Scheme::Github => "github",
            Scheme::Linear => "linear",
            Scheme::Stripe => "stripe",
            Scheme::Slack => "slack",
            Scheme::Generic { .. } => "generic",
        }
    }

    /// The header that the signature is in, in lower case.
    pub fn header(&self) -> String {
        match self {
            Scheme::Github => "x-hub-signature-256".to_owned(),
            Scheme::Linear => "linear-signature".to_owned(),
            Scheme::Stripe => "stripe-signature".to_owned(),
            Scheme::Slack => "x-slack-signature".to_owned(),
            Scheme::Generic { header, .. } => header.to_ascii_lowercase(),
        }
    }

    /// Checks a call. `header` gives a header by its name in lower case; `now` is in seconds since 1970.
    pub fn check<'h>(
        &self,
        secret: &str,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now: i64,
    ) -> Result<(), Refused> {
        let given = header(&self.header()).ok_or(Refused::Missing)?.trim();
        match self {
            Scheme::Github => fits(secret, &[body], given.strip_prefix("sha256=")),
            Scheme::Linear => fits(secret, &[body], Some(given)),
            Scheme::Generic { prefix, .. } => fits(secret, &[body], given.strip_prefix(prefix.as_str())),
            Scheme::Slack => {
                let time = header("x-slack-request-timestamp").ok_or(Refused::Missing)?.trim();
                let signed = [b"v0:".as_slice(), time.as_bytes(), b":", body];
                fits(secret, &signed, given.strip_prefix("v0="))?;
                in_window(time, now)
            }
            Scheme::Stripe => {
                let parts = || given.split(',').filter_map(|part| part.trim().split_once('='));
                let time = parts().find(|(key, _)| *key == "t").ok_or(Refused::Missing)?.1;
                // While a secret is changed there is one of each.
                let mut all = parts().filter(|(key, _)| *key == "v1").peekable();
                all.peek().ok_or(Refused::Missing)?;
                let signed = [time.as_bytes(), b".", body];
                if !all.any(|(_, hex)| fits(secret, &signed, Some(hex)).is_ok()) {
                    return Err(Refused::Wrong);
                }
                in_window(time, now)
            }
        }
    }
}

fn in_window(time: &str, now: i64) -> Result<(), Refused> {
    let time: i64 = time.parse().map_err(|_| Refused::Wrong)?;
    if now.abs_diff(time) <= WINDOW.unsigned_abs() { Ok(()) } else { Err(Refused::Stale) }
}

/// In constant time, as far as the digits are concerned.
fn fits(secret: &str, signed: &[&[u8]], hex: Option<&str>) -> Result<(), Refused> {
    let given = hex.and_then(decoded).ok_or(Refused::Wrong)?;
    // A key of any length is one.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| Refused::Wrong)?;
    signed.iter().for_each(|piece| mac.update(piece));
    mac.verify_slice(&given).map_err(|_| Refused::Wrong)
}

fn decoded(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Refused, Scheme, decoded};

    /// The example of GitHub's own documentation.
    #[test]
    fn a_published_signature_is_believed_and_one_bit_less_is_not() {
        let header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let check = |header: Option<&str>, body: &[u8]| {
            Scheme::Github.check("It's a Secret to Everybody", |_| header, body, 0)
        };
        assert_eq!(check(Some(header), b"Hello, World!"), Ok(()));
        assert_eq!(check(Some(header), b"Hello, World?"), Err(Refused::Wrong));
        assert_eq!(check(None, b"Hello, World!"), Err(Refused::Missing));
        for wrong in ["", "sha256=", "sha256=zz", &header[..70], "sha1=757107ea"] {
            assert_eq!(check(Some(wrong), b"Hello, World!"), Err(Refused::Wrong), "{wrong}");
        }
    }

    #[test]
    fn hex_is_pairs_of_digits() {
        assert_eq!(decoded("00fFa1"), Some(vec![0, 255, 161]));
        for text in ["0", "abc", "zz", "é"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
