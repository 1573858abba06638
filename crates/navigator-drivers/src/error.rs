//! What can go wrong below the agent, one enum for the layer. Every variant says what was tried and
//! where; the kernel's own words are in the source. Errors are returned, never logged here.

use std::{io, path::PathBuf};

use navigator_state::Namespace;

use crate::{conntrack::ConntrackError, nft::NftError, rtnl::RtnlError};

#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error("namespace {namespace}: {doing}: {source}")]
    Netns { namespace: String, doing: &'static str, source: io::Error },
    #[error("namespace {namespace} does not exist")]
    NoNamespace { namespace: Namespace },
    #[error("namespace {namespace} was made by somebody else; it is left alone")]
    ForeignNamespace { namespace: String },
    #[error("{doing} in {namespace}: {source}")]
    Rtnl { namespace: Namespace, doing: String, source: RtnlError },
    #[error("device name {name} in {namespace} is taken by somebody else's device")]
    NameTaken { namespace: Namespace, name: String },
    #[error("device {name} in {namespace} was made by somebody else; it is left alone")]
    ForeignDevice { namespace: Namespace, name: String },
    #[error("device {name} does not exist in {namespace}")]
    NoDevice { namespace: Namespace, name: String },
    #[error("a device of kind {kind} cannot be made")]
    UnsupportedKind { kind: String },
    #[error("the route to {destination} in {namespace} is somebody else's; it is left alone")]
    ForeignRoute { namespace: Namespace, destination: String },
    #[error("sysctl {key} in {namespace}: {source}")]
    Sysctl { namespace: Namespace, key: String, source: io::Error },
    #[error("announcing {address} on {name} in {namespace}: {source}")]
    Announce { namespace: Namespace, name: String, address: String, source: io::Error },
    #[error("{}: {doing}: {source}", path.display())]
    File { path: PathBuf, doing: &'static str, source: io::Error },
    #[error("process {name}: {doing}: {source}")]
    Process { name: String, doing: &'static str, source: io::Error },
    #[error("process {name} ended with {status} instead of running")]
    ProcessEnded { name: String, status: String },
    #[error("process {name} did not write {} in time", pid_file.display())]
    ProcessSilent { name: String, pid_file: PathBuf },
    #[error("process {name} does not run")]
    NoProcess { name: String },
    #[error("nftables in {namespace}: {source}")]
    Nft { namespace: Namespace, source: NftError },
    #[error("conntrack in {namespace}: {source}")]
    Conntrack { namespace: Namespace, source: ConntrackError },
}
