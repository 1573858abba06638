//! TLS that ends or begins here, by rustls: keys and certificates from files, and sessions that are fed
//! bytes and asked for bytes. No sockets' readiness and no epoll: those are `tcp` and `worker`.

mod files;
mod session;
mod trust;

pub(crate) use files::{Accepting, Originating, fingerprint, plain};
pub(crate) use session::{Session, Spoken};
pub(crate) use trust::Trusted;
