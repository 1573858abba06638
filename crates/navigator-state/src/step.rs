//! A plan is an ordered list of steps; each says what to do and for which object.

use std::{net::Ipv4Addr, path::PathBuf};

use ipnet::IpNet;
use navigator_model::{L4PortRange, MacAddress, ObjectKey, Protocol, Scope};

use crate::{
    desired::{Namespace, Problem},
    link::{FdbEntry, Link},
    nft::ElementChange,
    process::Process,
    route::Route,
};

#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub scope: Scope,
    pub steps: Vec<Step>,
    /// What is wanted and cannot be planned, because the name belongs to somebody else.
    pub refused: Vec<Problem>,
}

impl Plan {
    pub fn new(scope: Scope, steps: Vec<Step>) -> Self {
        Self { scope, steps, refused: Vec::new() }
    }

    /// Whether there is nothing to do in the kernel.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// One action. When it fails, `object` (or the scope's main object) goes to ERROR, and the steps
/// that follow are still tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub object: Option<ObjectKey>,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    CreateNamespace(Namespace),
    DeleteNamespace(Namespace),
    /// Creates the device with all its attributes and the scope's mark; for a veth pair, both ends,
    /// the peer up and with the same MTU.
    CreateLink {
        namespace: Namespace,
        name: String,
        link: Link,
    },
    DeleteLink {
        namespace: Namespace,
        name: String,
    },
    SetMac {
        namespace: Namespace,
        name: String,
        mac_address: MacAddress,
    },
    SetMtu {
        namespace: Namespace,
        name: String,
        mtu: u32,
    },
    SetUp {
        namespace: Namespace,
        name: String,
        up: bool,
    },
    SetMaster {
        namespace: Namespace,
        name: String,
        master: Option<String>,
    },
    AddAddress {
        namespace: Namespace,
        name: String,
        address: IpNet,
    },
    DeleteAddress {
        namespace: Namespace,
        name: String,
        address: IpNet,
    },
    AddRoute {
        namespace: Namespace,
        route: Route,
    },
    DeleteRoute {
        namespace: Namespace,
        route: Route,
    },
    AddFdb {
        namespace: Namespace,
        entry: FdbEntry,
    },
    DeleteFdb {
        namespace: Namespace,
        entry: FdbEntry,
    },
    SetSysctl {
        namespace: Namespace,
        key: String,
        value: String,
    },
    /// One transaction by libnftables: rules and chains become those of `text`; sets keep their
    /// elements unless `recreate`: then the table is made anew, with `elements` in the same
    /// transaction.
    ReplaceSkeleton {
        namespace: Namespace,
        text: String,
        recreate: bool,
        elements: Vec<ElementChange>,
    },
    DeleteTable {
        namespace: Namespace,
    },
    /// One netlink transaction. If the kernel refuses it, the driver finds the refused changes,
    /// applies all others, and reports each refused one.
    ChangeElements {
        namespace: Namespace,
        changes: Vec<ElementChange>,
    },
    /// Deletes the conntrack entries whose original direction matches. Always after the rule.
    FlushFlows {
        namespace: Namespace,
        flows: Vec<FlowMatch>,
    },
    /// Gratuitous ARP for an address that arrived.
    Announce {
        namespace: Namespace,
        name: String,
        address: Ipv4Addr,
    },
    /// To a temporary file, fsync, rename; directories are made as needed.
    WriteFile {
        path: PathBuf,
        content: Vec<u8>,
    },
    DeleteFile {
        path: PathBuf,
    },
    StartProcess {
        name: String,
        process: Process,
    },
    /// SIGHUP, then the stamp file.
    ReloadProcess {
        name: String,
        process: Process,
    },
    /// SIGTERM, then SIGKILL; removes pid and stamp file.
    StopProcess {
        name: String,
        pid_file: PathBuf,
    },
}

/// Flows by their original destination, before NAT. Those that already lead where they should are
/// spared: after a foreign flush of the rules, good connections outlive the repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowMatch {
    /// One forward's address and ports.
    Destination {
        address: Ipv4Addr,
        protocol: Protocol,
        ports: L4PortRange,
        /// Where `ports` lead from now on, one by one, or all to the only one. `None`: nowhere, or
        /// other sources may use them: then every flow goes.
        translated_to: Option<(Ipv4Addr, L4PortRange)>,
    },
    /// Everything to and from a floating IP: original destination, or reply destination.
    Address {
        address: Ipv4Addr,
        /// The fixed address that it stands for from now on. `None`: every flow goes.
        translated_to: Option<Ipv4Addr>,
    },
}
