//! Downloads of archives, whole or a range of bytes.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use marsh_types::Digest;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::State;
use crate::answer::{Answer, unknown_path};

pub(crate) async fn archive(
    Extract(state): Extract<Arc<State>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Answer {
    // Only what parses as a digest becomes a path.
    let Some(Ok(digest)) = file.strip_suffix(".tar.gz").map(str::parse::<Digest>) else {
        return Err(unknown_path().await);
    };
    let mut file = match tokio::fs::File::open(state.directory.archive(&digest)).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(unknown_path().await),
        Err(error) => return Err(state.fault(&error.to_string())),
    };
    let total = file.metadata().await.map_err(|error| state.fault(&error.to_string()))?.len();
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    // Archives are named by their digest, so their content never changes.
    let fixed = [
        (header::CONTENT_TYPE, "application/gzip".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, format!("\"{digest}\"")),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
    ];
    match asked.map_or(Range::Whole, |text| range(text, total)) {
        Range::Whole => {
            let length = [(header::CONTENT_LENGTH, total.to_string())];
            Ok((StatusCode::OK, fixed, length, body(file, total)).into_response())
        }
        Range::Part(start, end) => {
            file.seek(std::io::SeekFrom::Start(start))
                .await
                .map_err(|error| state.fault(&error.to_string()))?;
            let count = end - start + 1;
            let part = [
                (header::CONTENT_RANGE, format!("bytes {start}-{end}/{total}")),
                (header::CONTENT_LENGTH, count.to_string()),
            ];
            Ok((StatusCode::PARTIAL_CONTENT, fixed, part, body(file, count)).into_response())
        }
        Range::None => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{total}"))];
            Ok::<Response, _>((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response())
        }
    }
}

fn body(file: tokio::fs::File, count: u64) -> Body {
    let file = file.take(count);
    Body::from_stream(futures_util::stream::try_unfold(file, |mut file| async move {
        let mut buffer = vec![0; 64 << 10];
        let count = file.read(&mut buffer).await?;
        buffer.truncate(count);
        Ok::<_, std::io::Error>((count > 0).then(|| (Bytes::from(buffer), file)))
    }))
}

#[derive(Debug, PartialEq)]
enum Range {
    Whole,
    /// First and last byte.
    Part(u64, u64),
    None,
}

/// Parses the header `Range` with one range. Other values are ignored, as RFC 9110 requires.
fn range(text: &str, total: u64) -> Range {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Range::Whole;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), _) if first >= total => Range::None,
        (Ok(first), Ok(last)) if last >= first => Range::Part(first, last.min(total - 1)),
        (Ok(first), Err(_)) if last.is_empty() => Range::Part(first, total - 1),
        (Err(_), Ok(0)) if first.is_empty() => Range::None,
        (Err(_), Ok(count)) if first.is_empty() && total > 0 => {
            Range::Part(total.saturating_sub(count), total - 1)
        }
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::{Range, range};

    #[test]
    fn range_header_selects_bytes_or_is_ignored() {
        for (text, expected) in [
            ("bytes=0-", Range::Part(0, 9)),
            ("bytes=4-", Range::Part(4, 9)),
            ("bytes=4-5", Range::Part(4, 5)),
            ("bytes=4-99", Range::Part(4, 9)),
            ("bytes=-3", Range::Part(7, 9)),
            ("bytes=-99", Range::Part(0, 9)),
            ("bytes=10-", Range::None),
            ("bytes=-0", Range::None),
            ("bytes=5-4", Range::Whole),
            ("bytes=0-1,3-4", Range::Whole),
            ("lines=1-2", Range::Whole),
        ] {
            assert_eq!(range(text, 10), expected, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), Range::None);
    }
}
