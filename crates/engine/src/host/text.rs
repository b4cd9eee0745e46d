//! Text encodings, by encoding_rs; base64, by base64.

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use encoding_rs::{DecoderResult, Encoding};

use crate::gate::{
    Args, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NONE, Operation, Val, plain,
};
use crate::lock::lock;

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("text.label", NONE, Determinism::Pure, Cost::Instant, label),
    plain("text.decode", NONE, Determinism::Pure, Cost::Compute, decode),
    plain("text.utf8", NONE, Determinism::Pure, Cost::Compute, utf8),
    plain("base64.encode", NONE, Determinism::Pure, Cost::Compute, base64_encode),
    plain("base64.decode", NONE, Determinism::Pure, Cost::Compute, base64_decode),
    plain("base64.btoa", NONE, Determinism::Pure, Cost::Compute, btoa),
    plain("base64.atob", NONE, Determinism::Pure, Cost::Compute, atob),
];

/// Decoders in the middle of a stream, by number.
pub(crate) type Decoders = Mutex<HashMap<u64, encoding_rs::Decoder>>;

fn encoding(label: &str) -> Result<&'static Encoding, HostError> {
    Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        HostError::new(ErrorClass::RangeError, format!("The encoding label provided ('{label}') is invalid"))
    })
}

fn label(_env: &Env, args: &Args) -> HostResult {
    Ok(Val::Str(encoding(args.str(0)?)?.name().to_ascii_lowercase()))
}

/// `(label, bytes, fatal, ignoreBOM, stream, number of the decoder or nothing)` to `[text, number]`.
fn decode(env: &Env, args: &Args) -> HostResult {
    let encoding = encoding(args.str(0)?)?;
    let bytes = args.bytes(1)?;
    let (fatal, ignore_bom, stream) = (args.bool(2), args.bool(3), args.bool(4));
    let held = if args.is_none(5) { None } else { lock(&env.decoders).remove(&(args.num(5)? as u64)) };
    let mut decoder = held.unwrap_or_else(|| {
        // "ignore the BOM" means: do not treat it as one, pass it through.
        if ignore_bom {
            encoding.new_decoder_without_bom_handling()
        } else {
            encoding.new_decoder_with_bom_removal()
        }
    });
    let size = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 3 + 16);
    let mut text = String::with_capacity(size);
    if fatal {
        let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, !stream);
        if !matches!(result, DecoderResult::InputEmpty) {
            return Err(HostError::type_error("The encoded data was not valid"));
        }
    } else {
        let (_, _, _) = decoder.decode_to_string(bytes, &mut text, !stream);
    }
    let mut number = Val::Null;
    if stream {
        let id = env.next_id();
        lock(&env.decoders).insert(id, decoder);
        number = Val::Num(id as f64);
    }
    Ok(Val::List(vec![Val::Str(text), number]))
}

fn utf8(_env: &Env, args: &Args) -> HostResult {
    Ok(Val::Bytes(args.bytes(0)?.to_vec()))
}

fn base64_encode(_env: &Env, args: &Args) -> HostResult {
    Ok(Val::Str(STANDARD.encode(args.bytes(0)?)))
}

/// Forgiving, as the web's `atob` and node's Buffer both are about padding; URL-safe letters are accepted too.
fn base64_decode(_env: &Env, args: &Args) -> HostResult {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let text: String = args
        .str(0)?
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    GeneralPurpose::new(&alphabet::STANDARD, config).decode(text).map(Val::Bytes).map_err(|_| {
        HostError::new(ErrorClass::DomInvalidCharacterError, "Failed to decode base64: invalid character")
    })
}

/// Characters up to U+00FF to base64.
fn btoa(_env: &Env, args: &Args) -> HostResult {
    let latin1: Option<Vec<u8>> =
        args.str(0)?.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect();
    let latin1 = latin1.ok_or_else(|| {
        let text = "The string contains characters outside of Latin1";
        HostError::new(ErrorClass::DomInvalidCharacterError, text)
    })?;
    Ok(Val::Str(STANDARD.encode(latin1)))
}

/// Base64 to characters up to U+00FF.
fn atob(env: &Env, args: &Args) -> HostResult {
    Ok(match base64_decode(env, args)? {
        Val::Bytes(bytes) => Val::Str(bytes.into_iter().map(char::from).collect()),
        other => other,
    })
}
