//! `If-Match: revision_number=<n>`: change it only if nobody else did meanwhile.

use axum::http::{HeaderMap, header};
use navigator_resources::Refusal;

use crate::fault::Fault;

/// The revision that the request insists on.
pub(crate) fn revision(headers: &HeaderMap) -> Result<Option<i64>, Fault> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Fault::bad_request("Multiple revision_number constraints are not supported"));
    }
    let malformed =
        || Fault::bad_request("Unable to parse If-Match: the form is revision_number=<number>");
    let text = value.to_str().map_err(|_| malformed())?;
    let number = text.trim().strip_prefix("revision_number=").ok_or_else(malformed)?;
    number.parse().map(Some).map_err(|_| malformed())
}

/// 412 unless the object is still at the revision asked for.
pub(crate) fn check(expected: Option<i64>, current: Option<i64>) -> Result<(), Refusal> {
    match (expected, current) {
        (Some(expected), Some(current)) if expected != current => {
            Err(Refusal::RevisionNumberConstraintFailed {
                expected: expected.to_string(),
                current: current.to_string(),
            })
        }
        _ => Ok(()),
    }
}
