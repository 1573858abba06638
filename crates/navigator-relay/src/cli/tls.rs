//! `navigator relay tls`: one forward whose clients' TLS ends here, and on request one whose target speaks
//! TLS too.

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use super::{Read, Single};
use crate::{
    CertificateFiles, Forward, Originate, Protocol, TargetName, Terminate, Transport, Trust,
};

#[derive(Args, Debug, Clone)]
pub(super) struct Tls {
    #[command(flatten)]
    single: Single,
    /// PEM: the certificate and those that vouch for it. With several, the client's wish decides.
    #[arg(long, value_name = "FILE", required = true)]
    certificate: Vec<PathBuf>,
    /// PEM: the certificate's private key. As many as certificates, in the same order.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// A protocol that clients may choose: h2, http/1.1. The best first.
    #[arg(long, value_name = "PROTOCOL")]
    alpn: Vec<Protocol>,
    /// Speak TLS with the target too.
    #[arg(long)]
    connect_tls: bool,
    /// What the target's certificate has to be valid for, unless it is its address.
    #[arg(long, value_name = "NAME", requires = "connect_tls")]
    target_name: Option<TargetName>,
    /// PEM: the authorities that may vouch for the target, instead of the system's.
    #[arg(long, value_name = "FILE", requires = "connect_tls")]
    ca: Option<PathBuf>,
    /// Take anybody for the target.
    #[arg(long, requires = "connect_tls", conflicts_with = "ca")]
    insecure: bool,
}

impl Tls {
    pub(super) fn configuration(self) -> Read {
        let Self { single, certificate, key, alpn, connect_tls, target_name, ca, insecure } = self;
        single.configuration("tls", Transport::Tcp, |forward| {
            if certificate.len() != key.len() {
                return Err("tls: each --certificate needs its --key".to_owned());
            }
            let files = certificate.into_iter().zip(key);
            let certificates =
                files.map(|(certificate, key)| CertificateFiles { certificate, key }).collect();
            let trust = match (ca, insecure) {
                (Some(path), _) => Trust::File(path),
                (None, true) => Trust::Insecure,
                (None, false) => Trust::System,
            };
            let originate =
                Originate { name: target_name, trust, alpn: Vec::new(), identity: None };
            Ok(Forward {
                tls: Some(Arc::new(Terminate { certificates, alpn })),
                connect_tls: connect_tls.then(|| Arc::new(originate)),
                ..forward
            })
        })
    }
}
