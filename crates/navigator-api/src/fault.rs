//! Errors as Neutron's clients expect them: `{"NeutronError": {"type", "message", "detail"}}`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use navigator_resources::{DecodeError, Refusal};
use navigator_store::{DecideError, StoreError};
use serde_json::json;

/// Seconds after which a client may try again when the database is away.
pub(crate) const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

#[derive(Debug)]
pub(crate) enum Fault {
    Refused(Refusal),
    /// No or wrong credentials, and what would be right ones.
    Unauthorized {
        challenge: HeaderValue,
    },
    /// Whoever knows who asks could not be asked.
    IdentityUnavailable,
    MethodNotAllowed,
    TooLarge,
    UriTooLong,
    HeadersTooLarge,
    /// The request's body did not come in time.
    TooSlow,
    /// More is being asked at once than there is room for.
    Busy,
    Store(StoreError),
    Corrupt(DecodeError),
}

impl Fault {
    pub(crate) fn bad_request(reason: impl Into<String>) -> Self {
        Self::Refused(Refusal::HTTPBadRequest { reason: reason.into() })
    }

    pub(crate) fn not_found() -> Self {
        Self::Refused(Refusal::HTTPNotFound {})
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Corrupt(error)
    }
}

impl From<DecideError> for Fault {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Refused(refusal) => Self::Refused(refusal),
            DecideError::Store(error) => Self::Store(error),
        }
    }
}

fn neutron_error(status: u16, type_name: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let error = json!({"NeutronError": {"type": type_name, "message": message, "detail": ""}});
    (status, Json(error)).into_response()
}

/// Internals go to the log, never to the client.
fn internal(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "request failed");
    neutron_error(
        500,
        "HTTPInternalServerError",
        "Request Failed: internal server error while processing your request.",
    )
}

fn unavailable() -> Response {
    let mut response =
        neutron_error(503, "ServiceUnavailable", "The service is unavailable; try again later.");
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S);
    response
}

/// The token middleware's form: clients know it from Keystone.
fn unauthorized(challenge: HeaderValue) -> Response {
    let body = json!({"error": {
        "code": 401,
        "title": "Unauthorized",
        "message": "The request you have made requires authentication.",
    }});
    let challenge = [(header::WWW_AUTHENTICATE, challenge)];
    (StatusCode::UNAUTHORIZED, challenge, Json(body)).into_response()
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => {
                neutron_error(refusal.status(), &refusal.type_name(), &refusal.to_string())
            }
            Self::Unauthorized { challenge } => unauthorized(challenge),
            Self::IdentityUnavailable => unavailable(),
            Self::MethodNotAllowed => neutron_error(
                405,
                "HTTPMethodNotAllowed",
                "The method is not allowed for this resource.",
            ),
            Self::TooLarge => neutron_error(
                413,
                "HTTPRequestEntityTooLarge",
                "The request body is larger than 1 MiB.",
            ),
            Self::UriTooLong => {
                neutron_error(414, "HTTPRequestURITooLong", "The request URI is too long.")
            }
            Self::HeadersTooLarge => neutron_error(
                431,
                "HTTPRequestHeaderFieldsTooLarge",
                "The request has too many header fields, or more than 32 KiB of them.",
            ),
            Self::TooSlow => neutron_error(
                408,
                "HTTPRequestTimeout",
                "The request's body did not arrive in time.",
            ),
            Self::Busy => unavailable(),
            Self::Store(StoreError::Unavailable(reason)) => {
                tracing::warn!(%reason, "database unavailable");
                unavailable()
            }
            Self::Store(error) => internal(&error),
            Self::Corrupt(error) => internal(&error),
        }
    }
}
